"""The tables and sentences of a report, before they get a form: what terminal, Markdown and HTML all show."""

from typing import NamedTuple

from .decision import judged, name_of, tier_of
from .report import MOST_CASES, Report
from .run_view import CellView
from .words import FIGURE_COLUMNS, figure_row, interval, number, signed, usd


class Table(NamedTuple):
    title: str
    columns: tuple[str, ...]
    rows: list[list[str]]
    note: str = ""


def facts(report: Report) -> list[tuple[str, str]]:
    """What the run was, and how it went; names and values."""
    run, summary = report.run, report.run.summary
    state = run.ending.state if run.ending.reason is None else f"{run.ending.state} ({run.ending.reason})"
    found = [
        ("run", run.spec.run_id),
        ("state", f"{state}, {len(run.cells):,} of {run.total:,} cells"),
        ("dataset", f"{run.spec.dataset} ({run.spec.dataset_version})"),
        ("subject", run.subject),
        ("scorers", ", ".join(run.spec.scorers) or "none"),
        ("seed and repeats", f"{run.spec.seed}, {run.spec.repeats}"),
        ("code", run.spec.code_revision or "unknown"),
        ("answers", _answers(report)),
        ("tokens", f"{summary.tokens_in:,} in, {summary.tokens_out:,} out"),
        ("cost", usd(summary.cost_nanousd) + _unpriced(summary.unpriced)),
    ]
    if summary.judge_cost_nanousd:
        found.append(("cost of judges", usd(summary.judge_cost_nanousd)))
    if summary.judged:
        found.append(("passed", f"{summary.passed:,} of {summary.judged:,} ({summary.passed / summary.judged:.1%})"))
    if (spread := summary.latency_ms) is not None:
        named = (("mean", spread.mean), ("p50", spread.p50), ("p95", spread.p95), ("p99", spread.p99))
        found.append(("latency", ", ".join(f"{name} {value:,.1f} ms" for name, value in named)))
    return found


def tables(report: Report) -> list[Table]:
    """In the order in which they matter."""
    found = []
    if report.decision is not None:
        found.append(_decided(report))
    if report.run.summary.metrics:
        advisory = [metric.name for metric in report.run.spec.metrics if metric.advisory]
        note = f"Advisory, because nobody has calibrated it: {', '.join(advisory)}." if advisory else ""
        found.append(
            Table("Metrics", FIGURE_COLUMNS, [figure_row(figure) for figure in report.run.summary.metrics], note)
        )
    if report.comparison is not None:
        found += _compared(report)
    rows = [
        [group, *figure_row(figure)[:5]] for group, figures in report.run.summary.slices.items() for figure in figures
    ]
    if rows:
        shown = rows[:MOST_CASES]
        found.append(Table("By slice", ("slice", *FIGURE_COLUMNS[:5]), shown, _of(len(shown), len(rows))))
    if bad := report.bad_cells:
        found.append(_bad(report, bad))
    return found


def verdict_line(report: Report) -> str | None:
    return None if report.decision is None else f"{report.decision.verdict}: {report.decision.reason}"


def _decided(report: Report) -> Table:
    assert report.decision is not None
    rows = [
        [
            name_of(each),
            tier_of(each),
            str(each.finding.verdict),
            signed(each.finding.estimate),
            interval(each.finding.lower, each.finding.upper),
            number(each.finding.margin),
            each.finding.reason,
        ]
        for each in judged(report.decision)[:MOST_CASES]
    ]
    notes = ". ".join([*report.decision.problems, *report.decision.warnings])
    return Table("Gate", ("metric", "tier", "verdict", "gain", "bounds", "margin", "why"), rows, notes)


def _compared(report: Report) -> list[Table]:
    comparison, baseline = report.comparison, report.baseline
    assert comparison is not None and baseline is not None
    rows = [
        [
            each.metric,
            signed(each.mean),
            interval(each.low, each.high),
            f"{each.better:,}",
            f"{each.worse:,}",
            f"{each.same:,}",
            f"{each.n:,}",
        ]
        for each in comparison.differences
    ]
    columns = ("metric", "gain", "95 % interval", "better", "worse", "same", "cases")
    found = [Table(f"Against {baseline.spec.run_id}", columns, rows, ". ".join(comparison.warnings))]
    if comparison.changes:
        shown = comparison.changes[:MOST_CASES]
        found.append(
            Table(
                "Cases that changed",
                ("case", "metric", "before", "now", "gain"),
                [
                    [each.case_id, each.metric, number(each.before), number(each.after), signed(each.gain)]
                    for each in shown
                ],
                _of(len(shown), len(comparison.changes)),
            )
        )
    return found


def _bad(report: Report, bad: list[CellView]) -> Table:
    names = [metric.name for metric in report.run.spec.metrics]
    with_texts = any(cell.asked is not None for cell in bad)
    rows = [
        [
            cell.case_id,
            str(cell.repeat),
            cell.error or "",
            *(_mark(cell, name) for name in names),
            *([cell.asked or "", cell.answered or ""] if with_texts else []),
        ]
        for cell in bad[:MOST_CASES]
    ]
    columns = ("case", "repeat", "error", *names, *(("input", "answer") if with_texts else ()))
    return Table("Cells that failed", columns, rows, _of(min(len(bad), MOST_CASES), len(bad)))


def _mark(cell: CellView, name: str) -> str:
    mark = cell.marks.get(name)
    if mark is None:
        return "-"
    return mark.error if mark.error is not None else number(mark.value) + (" ✗" if mark.passed is False else "")


def _of(shown: int, all_: int) -> str:
    return "" if shown == all_ else f"The first {shown:,} of {all_:,}."


def _answers(report: Report) -> str:
    summary = report.run.summary
    said = [f"{summary.cells - summary.failed:,}", f"{summary.failed:,} failed"]
    said += [f"{code} {count:,}" for code, count in summary.errors.items()]
    if summary.cached:
        said.append(f"{summary.cached:,} from a cache")
    return ", ".join(said)


def _unpriced(count: int) -> str:
    return f", and {count:,} answers of unknown price" if count else ""
