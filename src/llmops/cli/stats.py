"""``llmops stats``: how the calls of a window went, on one screen, with the window before beside it."""

import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from .output import ConfigOption, JsonFlag, clean_errors, print_json, print_table, say
from .usage import catch_up, opened

_BARS = "▁▂▃▄▅▆▇█"
_TIME = "%Y-%m-%d %H:%M"


def stats(
    first: Annotated[
        str, typer.Option("--from", metavar="TIME", help="Begin: now-24h, or 2026-11-30T12:00:00Z.")
    ] = "now-24h",
    last: Annotated[str, typer.Option("--to", metavar="TIME", help="End.")] = "now",
    by: Annotated[str, typer.Option(help="model, tenant, operation, release, status, error; with commas.")] = "model",
    step: Annotated[str | None, typer.Option(help="Step of the series, e.g. 5m, 1h; by default what fits.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    model: Annotated[str | None, typer.Option(help="Only of this model.")] = None,
    operation: Annotated[str | None, typer.Option(help="Only of this operation, e.g. chat.")] = None,
    release: Annotated[str | None, typer.Option(help="Only of this release.")] = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show an overview of calls: success, latency, tokens, money, cache.

    Times are UTC. What the log holds and the database does not is brought there first.
    """
    from ..telemetry.rollups.figures import Filter, dimensions_of
    from ..telemetry.rollups.window import duration_of, window_of

    with clean_errors(), opened(config) as directory:
        window, dimensions = window_of(first, last, time.time()), dimensions_of(by)
        wanted = Filter(tenant=tenant, model=model, operation=operation, release=release)
        step_s = None if step is None else duration_of(step, "step")
        catch_up(directory)
        overview = directory.overview(time.time)
        found = overview.figures(window, dimensions, wanted)
        series = overview.series(window, step_s, (), wanted)
    if as_json:
        print_json({**found, "series": series})
    elif not found["totals"]["calls"] and not found["before"]["calls"]:
        say("no calls in that time, nor in the time before")
    else:
        _print(found, series["series"][0]["points"] if series["series"] else [], series["step_s"])


def sparkline(values: Sequence[float | None]) -> str:
    """A bar for each value, the highest for the largest; a gap where there is none."""
    largest = max((value for value in values if value is not None), default=0) or 1
    return "".join(
        " " if value is None else _BARS[min(len(_BARS) - 1, int(len(_BARS) * value / largest))] for value in values
    )


def _print(found: dict[str, Any], points: Sequence[dict[str, Any]], step_s: int) -> None:
    begin, end = (time.strftime(_TIME, time.gmtime(found[name])) for name in ("from", "to"))
    now, before = found["totals"], found["before"]
    typer.echo(f"{begin} to {end} UTC, a bar for {_step(step_s)}")
    lines = [
        [name, shown(now), shown(before), sparkline([value(point) for point in points])]
        for name, shown, value in _LINES
    ]
    print_table(["", "now", "before", ""], lines)
    if now["errors_by_type"]:
        typer.echo("")
        errors = now["errors_by_type"].items()
        print_table(["error", "calls"], [[name, f"{count:,}"] for name, count in errors])
    if found["rows"]:
        typer.echo("")
        names = ("calls", "success", "p50", "p95", "p99", "tokens", "usd", "hits")
        print_table([*found["by"], *names], [_row(row, found["by"]) for row in found["rows"]])


def _row(row: dict[str, Any], by: Sequence[str]) -> list[str]:
    latency = row["latency_ms"]
    return [
        *("" if row[name] is None else str(row[name]) for name in by),
        f"{row['calls']:,}",
        _percent(row["success_rate"]),
        *(_ms(latency[name]) for name in ("p50", "p95", "p99")),
        f"{row['tokens']:,}",
        row["usd"],
        _percent(row["cache_hit_rate"]),
    ]


def _percent(rate: float | None) -> str:
    return "" if rate is None else f"{rate:.2%}"


def _ms(duration_ms: float | None) -> str:
    if duration_ms is None:
        return ""
    return f"{duration_ms / 1000:.2f} s" if duration_ms >= 1000 else f"{duration_ms:.3g} ms"


def _step(step_s: int) -> str:
    for unit_s, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if step_s % unit_s == 0:
            return f"{step_s // unit_s} {name}{'s' if step_s > unit_s else ''}"
    return f"{step_s} s"


_Figures = dict[str, Any]
_LINES: list[tuple[str, Callable[[_Figures], str], Callable[[_Figures], float | None]]] = [
    ("calls", lambda of: f"{of['calls']:,}", lambda of: of["calls"]),
    ("success", lambda of: _percent(of["success_rate"]), lambda of: of["success_rate"]),
    ("errors", lambda of: f"{of['errors']:,}", lambda of: of["errors"]),
    ("latency p50", lambda of: _ms(of["latency_ms"]["p50"]), lambda of: of["latency_ms"]["p50"]),
    ("latency p95", lambda of: _ms(of["latency_ms"]["p95"]), lambda of: of["latency_ms"]["p95"]),
    ("latency p99", lambda of: _ms(of["latency_ms"]["p99"]), lambda of: of["latency_ms"]["p99"]),
    ("first token p95", lambda of: _ms(of["ttft_ms"]["p95"]), lambda of: of["ttft_ms"]["p95"]),
    ("tokens", lambda of: f"{of['tokens']:,}", lambda of: of["tokens"]),
    ("usd", lambda of: of["usd"], lambda of: of["nanousd"]),
    ("usd saved", lambda of: of["saved_usd"], lambda of: of["saved_nanousd"]),
    ("cache hits", lambda of: _percent(of["cache_hit_rate"]), lambda of: of["cache_hit_rate"]),
    ("JSON valid", lambda of: _percent(of["json_success_rate"]), lambda of: of["json_success_rate"]),
    ("degraded", lambda of: f"{of['degraded_calls']:,}", lambda of: of["degraded_calls"]),
    ("retried", lambda of: f"{of['retried_calls']:,}", lambda of: of["retried_calls"]),
]
