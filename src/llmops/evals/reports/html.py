"""A report as one HTML page that needs nothing else: no network, no script, plots as SVG, light and dark.

All that is not ours is escaped and isolated (``<bdi>``), so that neither markup nor the direction of a foreign text
leaves its place; the page's own policy forbids it to load or run anything.
"""

from html import escape

from ..score import Metric
from .html_style import STYLE
from .report import Report
from .run_view import RunView
from .sections import Table, facts, tables, verdict_line
from .svg import Bar, Point, histogram, intervals, scatter
from .words import shown

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_MOST_PLOTS, _MOST_BARS, _MOST_POINTS, _TEXT_CHARS = 12, 30, 400, 2_000
_TEXT_COLUMNS = frozenset({"input", "answer", "why"})


def html(report: Report) -> str:
    title = f"Eval {report.run.spec.run_id}"
    body = [f"<h1>{_foreign(title)}</h1>"]
    verdict = verdict_line(report)
    if verdict is not None and report.decision is not None:
        kind = escape(str(report.decision.verdict), quote=True)
        body.append(f'<p class="verdict {kind}">{_foreign(verdict, 1000)}</p>')
    pairs = "".join(f"<dt>{escape(name)}</dt><dd>{_foreign(value, 1000)}</dd>" for name, value in facts(report))
    body.append(f"<dl>{pairs}</dl>")
    if plots := _plots(report):
        body.append(f'<h2>Plots</h2><div class="plots">{"".join(plots)}</div>')
    body += [_table(table) for table in tables(report)]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(shown(title))}</title><style>{STYLE}</style></head>\n"
        f"<body><main>{chr(10).join(body)}</main></body></html>\n"
    )


def _foreign(text: str, most: int = 300) -> str:
    return f"<bdi>{escape(shown(text, most))}</bdi>"


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{_foreign(column)}</th>' for column in table.columns)
    rows = "".join(
        "<tr>"
        + "".join(
            f'<td class="text">{_foreign(cell, _TEXT_CHARS)}</td>'
            if column in _TEXT_COLUMNS
            else f"<td>{_foreign(cell)}</td>"
            for column, cell in zip(table.columns, row, strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    note = f'<p class="note">{_foreign(table.note, 1000)}</p>' if table.note else ""
    name = escape(shown(table.title), quote=True)
    return (
        f"<section><h2>{_foreign(table.title)}</h2>{note}"
        f'<div class="scroll" tabindex="0" role="region" aria-label="{name}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _figure(title: str, drawn: str) -> list[str]:
    return [f"<figure><h3>{_foreign(title)}</h3>{drawn}</figure>"] if drawn else []


def _plots(report: Report) -> list[str]:
    run, found = report.run, []
    for metric in run.spec.metrics[:_MOST_PLOTS]:
        values = _values(run, metric.name)
        others = _values(report.baseline, metric.name) if report.baseline is not None else []
        title = f"Distribution of {metric.name}" + (f" ({metric.unit})" if metric.unit else "")
        found += _figure(title + (", baseline as an outline" if others else ""), histogram(values, title, others))
    if report.comparison is not None:
        bars = [
            Bar(each.metric, each.mean, each.low, each.high)
            for each in report.comparison.differences
            if each.mean is not None
        ]
        for bar in bars[:_MOST_PLOTS]:  # each on a scale of its own: milliseconds and shares have none in common
            title = f"Gain in {bar.label} against the baseline, 95 %"
            found += _figure(title, intervals([bar], title, zero=True))
        for each in report.comparison.differences[:_MOST_PLOTS]:
            title = f"Paired differences in {each.metric}, positive is better"
            found += _figure(title, histogram(each.gains, title))
    main = run.main_metric
    if main is not None:
        found += _sliced(run, main) + _cost(report, main)
    return found


def _values(run: RunView, name: str) -> list[float]:
    return [value for cell in run.cells if (value := cell.value(name)) is not None]


def _sliced(run: RunView, main: Metric) -> list[str]:
    bars = [
        Bar(group, figure.mean, figure.low, figure.high)
        for group, figures in run.summary.slices.items()
        for figure in figures
        if figure.name == main.name and figure.mean is not None
    ]
    title = f"{main.name} by slice, 95 %"
    return _figure(title, intervals(bars[:_MOST_BARS], title))


def _cost(report: Report, main: Metric) -> list[str]:
    """Each case of the run, and the run and its baseline as a whole."""
    points: list[Point] = []
    runs = [("baseline", report.baseline), ("run", report.run)]
    for kind, run in runs:
        if run is None:
            continue
        known = [
            (cell.cost_nanousd / 1e9, value, cell.case_id)
            for cell in run.cells
            if cell.cost_nanousd is not None and (value := cell.value(main.name)) is not None
        ]
        if not known:
            continue
        if kind == "run":
            step = -(-len(known) // _MOST_POINTS)
            points += [Point(x, y, label, "case") for x, y, label in known[::step]]
        count = len(known)
        mean_x, mean_y = sum(each[0] for each in known) / count, sum(each[1] for each in known) / count
        points.append(Point(mean_x, mean_y, run.spec.run_id, kind))
    title = "Cost against quality: cases, and the mean of each run"
    return _figure(title, scatter(points, title, "USD per answer", main.name))
