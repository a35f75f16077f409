"""From readings to a verdict: medians, ratios within a round, the bars, a JSON file and Markdown tables.

A ratio is the median of the ratios of the rounds, because both of its sides then met the same minute of the machine.
A bar whose figures are missing is neither met nor missed, and is shown as not measured.
"""

import operator
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from .lab import QUIET, Reading
from .load import Figures
from .targets import DIRECT, NGINX, OURS


class Results(msgspec.Struct, kw_only=True):
    """Everything a run has found; what the JSON file holds, beside the bars."""

    date: str
    quick: bool
    machine: dict[str, str]
    remarks: list[str] = []
    readings: dict[str, list[Reading]] = {}
    footprint: Figures = {}

    def of(self, scenario: str, target: str, figure: str) -> dict[int, float]:
        """One figure of one target by round."""
        return {
            reading.round: value
            for reading in self.readings.get(scenario, [])
            if reading.target == target and (value := _value(reading, figure)) is not None
        }

    def median(self, scenario: str, target: str, figure: str) -> float | None:
        return _median(list(self.of(scenario, target, figure).values()))

    def paired(
        self, scenario: str, figure: str, other: str, combine: Callable[[float, float], float], target: str = OURS
    ) -> float | None:
        """The median over the rounds of ``combine(target, other)``."""
        ours, theirs = self.of(scenario, target, figure), self.of(scenario, other, figure)
        both = [(ours[number], theirs[number]) for number in ours if theirs.get(number)]
        return _median([combine(mine, theirs) for mine, theirs in both])


class Bar(msgspec.Struct, frozen=True):
    """One promise: ``value`` must be at least, or at most, ``bound``."""

    name: str
    value: float | None
    sense: Literal[">=", "<="]
    bound: float
    unit: str

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not measured"
        met = self.value >= self.bound if self.sense == ">=" else self.value <= self.bound
        return "met" if met else "missed"


def bars(results: Results) -> list[Bar]:
    def ours(scenario: str, figure: str) -> float | None:
        return results.median(scenario, OURS, figure)

    def ratio(scenario: str, figure: str, other: str) -> float | None:
        return results.paired(scenario, figure, other, operator.truediv)

    def added(scenario: str, figure: str) -> float | None:
        return results.paired(scenario, figure, DIRECT, operator.sub)

    footprint = results.footprint
    failures = [
        reading.figures["errors"] + reading.figures.get("unfinished", 0)
        for readings in results.readings.values() for reading in readings if reading.target == OURS
    ] + [footprint[name] for name in ("errors",) if name in footprint]  # fmt: skip
    router = "sglang-router"
    return [
        Bar("chat, 64 connections, instant upstream", ours("chat-64", "requests_per_s"), ">=", 8000, "req/s"),
        Bar("the same, against nginx", ratio("chat-64", "requests_per_s", NGINX), ">=", 0.17, "x"),
        Bar("the same, against sglang-router", ratio("chat-64", "requests_per_s", router), ">=", 1.0, "x"),
        Bar("chat, 1 connection, added at the median", added("chat-1", "p50_ms"), "<=", 0.4, "ms"),
        Bar("chat, 1 connection, p99", ours("chat-1", "p99_ms"), "<=", 2.0, "ms"),
        Bar("chat, 512 connections, 50 ms upstream", ours("chat-50ms", "requests_per_s"), ">=", 6500, "req/s"),
        Bar("the same, p99", ours("chat-50ms", "p99_ms"), "<=", 150, "ms"),
        Bar("the same, against sglang-router", ratio("chat-50ms", "requests_per_s", router), ">=", 1.0, "x"),
        Bar("16 streams flat out", ours("stream-16", "chunks_per_s"), ">=", 30_000, "chunks/s"),
        Bar("the same, against sglang-router", ratio("stream-16", "chunks_per_s", router), ">=", 1.0, "x"),
        Bar("first chunk, added at the median", added("stream-1", "first_p50_ms"), "<=", 1.0, "ms"),
        Bar("512 slow streams, end against direct", ratio("stream-512", "wall_s", DIRECT), "<=", 1.15, "x"),
        Bar("errors and unfinished streams, ours", sum(failures) if failures else None, "<=", 0, ""),
        Bar("resident memory under load", footprint.get("resident_mib"), "<=", 160, "MiB"),
        Bar("memory slope per 100,000 requests", footprint.get("slope_mib_per_100k"), "<=", 1.0, "MiB"),
        Bar("start to /ready", footprint.get("start_s"), "<=", 1.5, "s"),
        Bar("import llmops", footprint.get("import_s"), "<=", 0.15, "s"),
    ]


COLUMNS = {
    "chat": ("requests_per_s", "p50_ms", "p99_ms", "cpu_us", "load_busy", "resident_mib", "errors"),
    "stream": (
        "chunks_per_s",
        "first_p50_ms",
        "first_p99_ms",
        "wall_s",
        "cpu_us",
        "load_busy",
        "resident_mib",
        "errors",
        "unfinished",
    ),
}


def markdown(
    results: Results,
    judged: Sequence[Bar] | None = None,
    *,
    title: str = "Gateway",
    columns_of: Mapping[str, tuple[str, ...]] = COLUMNS,
    beside: str = "footprint",
) -> str:
    """Tables of the bars, which are those of `bars` unless others are given, of each scenario's medians, and of what
    was found ``beside`` them."""
    lines = [f"### {title}, {results.date}" + (" (quick: not for quoting)" if results.quick else ""), ""]
    lines += _table(("bar", "measured", "wanted", ""), [
        (bar.name, _number(bar.value), f"{bar.sense} {bar.bound:,g} {bar.unit}".strip(), bar.verdict)
        for bar in (bars(results) if judged is None else judged)
    ])  # fmt: skip
    for scenario, readings in results.readings.items():
        columns = columns_of[scenario.partition("-")[0]]
        names = list(dict.fromkeys(reading.target for reading in readings))
        rows = [(name, *(_number(results.median(scenario, name, column)) for column in columns)) for name in names]
        lines += ["", f"**{scenario}** (median of {max((r.round for r in readings), default=0)} rounds)", ""]
        lines += _table(("target", *columns), rows)
    if results.footprint:
        lines += ["", f"**{beside}**", ""]
        lines += _table(tuple(results.footprint), [tuple(_number(value) for value in results.footprint.values())])
    lines += ["", *(f"- {name}: {value}" for name, value in results.machine.items())]
    lines += [f"- remark: {' '.join(remark.split())}" for remark in (*results.remarks, *_noise(results))]
    return "\n".join(lines)


def as_json(results: Results, judged: Sequence[Bar] | None = None) -> bytes:
    """The results with their bars: those of `bars`, unless others are given."""
    judged = bars(results) if judged is None else judged
    found = {"bars": [{**msgspec.structs.asdict(bar), "verdict": bar.verdict} for bar in judged]}
    return msgspec.json.format(msgspec.json.encode({**msgspec.structs.asdict(results), **found})) + b"\n"


def _noise(results: Results) -> list[str]:
    noisy = [
        f"{scenario} round {reading.round} {reading.target}: {reading.noise:.0%} of a core went to other programs"
        for scenario, readings in results.readings.items()
        for reading in readings
        if reading.noise > QUIET
    ]
    return noisy


def _value(reading: Reading, figure: str) -> float | None:
    if figure in ("cpu_us", "resident_mib", "load_busy"):
        own: float | None = getattr(reading, figure)
        return own
    return reading.figures.get(figure)


def _median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows)]


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"
