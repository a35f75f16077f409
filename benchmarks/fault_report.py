"""What `faults` has found: one row a fault and form of an answer, the gateways side by side, and the bars.

"kept" is judged by the table's own expectation, for every gateway alike. Before the commit point the bar is 99.9 %
whole answers; after it every call that was struck gets an explicit error, within the limit on silence and 100 ms.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.resilience_faults.case import Result
from tests.resilience_faults.verdict import Given

from .fault_gateways import LIMIT_S, LITELLM
from .report import Bar

TOLD_WITHIN_S = LIMIT_S + 0.1
GIVEN: tuple[Given, ...] = ("whole", "error", "broken", "hung")


@dataclass
class DeadRun:
    """Calls of a model whose deployments all fail."""

    calls: int
    asked: int
    given: Counter[Given]
    seconds: list[float]

    @property
    def amplification(self) -> float:
        return self.asked / self.calls


@dataclass
class Played:
    """One gateway's evening."""

    name: str
    cases: list[Result] = field(default_factory=list)
    dead: dict[str, DeadRun] = field(default_factory=dict)
    tracebacks: int = 0
    """In its output."""
    calls: int = 0
    log_lines: int | None = None
    """Of the request log; None where there is none of ours."""
    internal_errors: int = 0

    @property
    def given(self) -> Counter[Given]:
        total: Counter[Given] = Counter()
        for given in (*(case.given for case in self.cases), *(run.given for run in self.dead.values())):
            total.update(given)
        return total

    @property
    def repeated(self) -> int:
        return sum("came twice" in why for case in self.cases for why in case.wrong)

    @property
    def silences(self) -> list[float]:
        return [seconds for case in self.cases for seconds in case.silences]


def kept(result: Result) -> bool:
    return not any(result.problems(fallback=True))


def bars(played: Played) -> list[Bar]:
    """The promises of this gateway."""

    def bar(what: str, *rest: Any) -> Bar:
        return Bar(f"{played.name}: {what}", *rest)

    before = [case for case in played.cases if case.fault.expectation(stream=case.stream) != "error"]
    after = [case for case in played.cases if case.fault.expectation(stream=case.stream) == "error"]
    whole = min((case.given["whole"] / case.calls for case in before), default=None)
    told = min(((case.given["error"] + case.given["whole"]) / case.calls for case in after), default=None)
    found = [
        bar("before the commit point: whole, worst fault", whole, ">=", 0.999, ""),
        bar("after it: told or whole, worst fault", told, ">=", 1, ""),
        bar("after it: last word to error, longest", max(played.silences, default=None), "<=", TOLD_WITHIN_S, "s"),
        bar("hung", played.given["hung"], "<=", 0, "calls"),
        bar("silently cut, repeated or garbage", played.given["broken"], "<=", 0, "calls"),
        bar("of these, words that came twice", played.repeated, "<=", 0, "calls"),
        bar("tracebacks in its output", played.tracebacks, "<=", 0, ""),
        bar("rows kept", sum(map(kept, played.cases)), ">=", len(played.cases), ""),
    ]
    if played.log_lines is not None:
        found.append(bar("calls without just one line in the log", abs(played.calls - played.log_lines), "<=", 0, ""))
        found.append(bar("internal errors in the log", played.internal_errors, "<=", 0, ""))
    for name, run in played.dead.items():
        found.append(bar(f"requests a call, {name}", run.amplification, "<=", 1.2, "x"))
    return found


def markdown(evening: Sequence[Played], *, title: str, facts: Mapping[str, str]) -> str:
    lines = [f"### {title}", "", "| bar | measured | wanted | |", "| --- | --- | --- | --- |"]
    for played in evening:
        for bar in bars(played):
            value = "-" if bar.value is None else f"{bar.value:,.4g}"
            lines.append(f"| {bar.name} | {value} {bar.unit} | {bar.sense} {bar.bound:g} | {bar.verdict} |")
    lines += ["", *_cases(evening), "", *_dead(evening)]
    theirs = next((played for played in evening if played.name == LITELLM), None)
    if theirs is not None:
        lost = [case for case in theirs.cases if not kept(case)]
        lines += [
            "",
            f"LiteLLM keeps {len(theirs.cases) - len(lost)} of {len(theirs.cases)} rows; it loses {_names(lost)}.",
        ]
    lines += ["", *(f"- {name}: {value}" for name, value in facts.items())]
    return "\n".join(lines)


def _cases(evening: Sequence[Played]) -> list[str]:
    """The table. ``fallback`` is whether the healthy deployment was asked, and how often for a call."""
    columns = ("given", "fallback", "p50 / p99 s", "kept")
    head = ["fault", "answer", "should", *(f"{played.name}: {column}" for played in evening for column in columns)]
    rows = [head, ["---"] * len(head)]
    for cases in zip(*(played.cases for played in evening), strict=True):
        first = cases[0]
        form = "stream" if first.stream else "complete"
        rows.append([first.fault.name, form, str(first.fault.expectation(stream=first.stream))])
        for case in cases:
            times = f"{quantile(case.seconds, 0.5):.3f} / {quantile(case.seconds, 0.99):.3f}"
            rows[-1] += [
                _shares(case.given),
                f"{case.healthy / case.calls:.2f}",
                times,
                "yes" if kept(case) else "**no**",
            ]
    return [f"| {' | '.join(row)} |" for row in rows]


def _dead(evening: Sequence[Played]) -> list[str]:
    rows = [["nothing healthy", "gateway", "calls", "given", "requests a call", "p50 / p99 s"], ["---"] * 6]
    for played in evening:
        for name, run in played.dead.items():
            times = f"{quantile(run.seconds, 0.5):.3f} / {quantile(run.seconds, 0.99):.3f}"
            rows.append([name, played.name, f"{run.calls:,}", _shares(run.given), f"{run.amplification:.3f}", times])
    return [f"| {' | '.join(row)} |" for row in rows]


def _shares(given: Mapping[Given, int]) -> str:
    calls = sum(given.values())
    shares = [f"{name} {given[name] / calls:.1%}" for name in GIVEN if given.get(name)]
    return ", ".join(shares).replace(".0%", "%").replace("%", " %")


def _names(cases: Iterable[Result]) -> str:
    return "; ".join(case.name for case in cases) or "nothing"


def as_data(played: Played) -> dict[str, Any]:
    """For the JSON file."""
    return {
        "cases": [
            {
                "fault": case.fault.name,
                "form": "stream" if case.stream else "complete",
                "expected": case.fault.expectation(stream=case.stream),
                "calls": case.calls,
                "struck": case.struck,
                "upstream_requests": case.asked,
                "fallback_requests": case.healthy,
                **{name: case.given[name] for name in GIVEN},
                "p50_s": round(quantile(case.seconds, 0.5), 4),
                "p99_s": round(quantile(case.seconds, 0.99), 4),
                "told_after_s": round(max(case.silences), 4) if case.silences else None,
                "kept": kept(case),
                "problems": list(case.problems(fallback=True)),
            }
            for case in played.cases
        ],
        "dead": {
            name: {"calls": run.calls, "upstream_requests": run.asked, **{g: run.given[g] for g in GIVEN}}
            for name, run in played.dead.items()
        },
        "calls": played.calls,
        "log_lines": played.log_lines,
        "internal_errors": played.internal_errors,
        "tracebacks": played.tracebacks,
    }


def quantile(values: Sequence[float], share: float) -> float:
    """The value that so large a share does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
