"""A run on the terminal: the live table while it goes, and what has come of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .output import print_table, say

if TYPE_CHECKING:
    from ..evals.run import RunSpec
    from ..evals.running import Progress
    from ..evals.summary import Figure, Spread, Summary


@contextmanager
def live(*, quiet: bool) -> "Iterator[Callable[[Progress], None] | None]":
    """Shows a run's progress on stderr while the block lasts; nothing where that is no terminal."""
    import sys

    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), transient=True, auto_refresh=False) as display:

        def show(progress: "Progress") -> None:
            display.update(_frame(progress), refresh=True)

        yield show


def _frame(progress: "Progress") -> Any:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    tally = progress.tally
    facts = [
        f"{progress.done:,} of {progress.total:,}",
        f"{tally.failed:,} failed",
        f"cost {usd(tally.cost_nanousd + tally.judge_cost_nanousd)}",
    ]
    if progress.left_s is not None:
        facts.append(f"{_duration(progress.left_s)} left")
    if progress.stop.reason is not None:
        facts.append("stopping: cells under way are finished (Ctrl-C again leaves them)")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("metric")
    table.add_column("mean so far", justify="right")
    for name in tally.metric_names:
        table.add_row(name, number(tally.mean(name)))
    return Group(ProgressBar(total=progress.total, completed=progress.done, width=60), "   ".join(facts), table)


def print_run(spec: "RunSpec", state: str, summary: "Summary", total: int) -> None:
    """What has come of a run, as tables."""
    subject = ", ".join(f"{name} {value}" for name, value in spec.subject.items())
    say(f"run {spec.run_id}: {state}, {summary.cells:,} of {total:,} cells of {spec.dataset} ({spec.dataset_version})")
    say(f"subject: {subject}")
    if summary.metrics:
        columns = ("metric", "mean", "95 % interval", "n", "units", "errors", "unmeasured")
        print_table(columns, [_row(each) for each in summary.metrics])
    for name, figures in summary.slices.items():
        for each in figures:
            say(f"  {name}: {each.name} {number(each.mean)} {_interval(each)} of {each.n:,}")
    facts = [f"failed {summary.failed:,}"]
    facts += [f"{code} {count:,}" for code, count in summary.errors.items()]
    if summary.judged:
        facts.append(f"passed {summary.passed:,} of {summary.judged:,} ({summary.passed / summary.judged:.1%})")
    facts.append(f"tokens {summary.tokens_in:,} in, {summary.tokens_out:,} out")
    facts.append(f"cost {usd(summary.cost_nanousd)}" + _judges(summary))
    if summary.unpriced:
        facts.append(f"{summary.unpriced:,} answers of unknown price")
    if summary.recovered:
        facts.append(f"{summary.recovered:,} answers recovered")
    say("; ".join(facts))
    if summary.latency_ms is not None:
        say(f"latency {_spread(summary.latency_ms)}")


def _judges(summary: "Summary") -> str:
    return f" and {usd(summary.judge_cost_nanousd)} for judges" if summary.judge_cost_nanousd else ""


def _row(figure: "Figure") -> list[str]:
    counts = [f"{each:,}" for each in (figure.n, figure.units, figure.errors, figure.unmeasured)]
    return [figure.name, number(figure.mean), _interval(figure), *counts]


def _interval(figure: "Figure") -> str:
    return "-" if figure.low is None else f"[{number(figure.low)}, {number(figure.high)}]"


def _spread(spread: "Spread") -> str:
    named = {"mean": spread.mean, "p50": spread.p50, "p95": spread.p95, "p99": spread.p99, "max": spread.max}
    return ", ".join(f"{name} {value:,.1f} ms" for name, value in named.items())


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.4g}"


def usd(nanousd: int | None) -> str:
    if nanousd is None:
        return "unknown"
    return f"{nanousd / 1e9:,.4f} USD" if nanousd < 10**10 else f"{nanousd / 1e9:,.2f} USD"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
