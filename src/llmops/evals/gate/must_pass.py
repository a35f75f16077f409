"""Must-pass cases one by one: lost is what passes less often than it used to, not what flips once.

The baseline's history and its fresh repeats are a Beta belief about each case, the candidate's fresh repeats another.
A case is lost when the candidate is surely worse by more than half the tolerance (surely: alpha, shared among the
cases), kept when it is hardly worse by more than all of it; in between it is asked again. Both beliefs are uncertain,
so a flaky case that the baseline happened to pass every time is not mistaken for a lost one; a test against the
baseline's rate as if it were known (Wald's) would be. A case that the baseline itself seldom passes has nothing to
lose: it is counted as unreliable and belongs into quarantine or repair.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal

import msgspec

from ...statistics.reliability import Reliability, probability_worse
from ..case import Case
from ..result import Cell
from ..score import Metric
from .arm import Arm
from .policy import MustPass

State = Literal["kept", "lost", "undecided", "unreliable", "quarantined", "unmeasured"]
_LEAST_RATE = 0.5


class MustPassCase(msgspec.Struct, frozen=True, kw_only=True):
    """One case: how often it passed in each arm, and what that says."""

    case_id: str
    state: State
    reason: str
    passed: int = 0
    repeats: int = 0
    baseline_passed: int = 0
    baseline_repeats: int = 0
    """History included."""
    probability_worse: float | None = None


History = Mapping[str, tuple[int, int]]
"""By case: how often the baseline passed and failed before."""


def must_pass_ids(cases: Sequence[Case]) -> list[str]:
    return [case.id for case in cases if case.must_pass]


def judge_cases(
    policy: MustPass,
    metric: Metric,
    ids: Sequence[str],
    baseline: Arm,
    candidate: Arm,
    *,
    history: History | None = None,
    now_s: float,
) -> list[MustPassCase]:
    """Every must-pass case with its state, in the given order."""
    quarantined = policy.quarantined(now_s)
    deciding = max(1, len([each for each in ids if each not in quarantined]))
    found = []
    for case_id in ids:
        if (kept_out := quarantined.get(case_id)) is not None:
            reason = f"in quarantine until {kept_out.until}: {kept_out.reason}"
            found.append(MustPassCase(case_id=case_id, state="quarantined", reason=reason))
            continue
        before = (history or {}).get(case_id, (0, 0))
        first, second = (_passes(policy, metric, case_id, arm) for arm in (baseline, candidate))
        found.append(_judged(policy, case_id, first, second, before, policy.alpha / deciding))
    return found


def history_of(policy: MustPass, metric: Metric, ids: Sequence[str], arm: Arm) -> dict[str, tuple[int, int]]:
    """What an earlier run of the baseline says: by case how often it passed and failed."""
    found = {}
    for case_id in ids:
        passes = [each for each in _passes(policy, metric, case_id, arm) if each is not None]
        found[case_id] = (sum(passes), len(passes) - sum(passes))
    return found


def _passes(policy: MustPass, metric: Metric, case_id: str, arm: Arm) -> list[bool | None]:
    """In order of the repeats; None where nothing was measured."""
    values = []
    for repeat in range(arm.repeats.get(case_id, 0)):
        reading = arm.by_cell.get(Cell(case_id, repeat))
        values.append(reading.value(policy.metric) if reading is not None else None)
    is_lower = metric.direction == "lower"
    return [
        None if value is None else (value <= policy.at_least if is_lower else value >= policy.at_least)
        for value in values
    ]


@lru_cache(10_000)
def _worse(candidate: Reliability, baseline: Reliability, tolerance: float) -> float:
    """An integral that takes milliseconds, and that many cases share: they have passed equally often."""
    return probability_worse(candidate, baseline, tolerance)


def _judged(
    policy: MustPass,
    case_id: str,
    first: list[bool | None],
    second: list[bool | None],
    before: tuple[int, int],
    alpha: float,
) -> MustPassCase:
    passed, base_passed = sum(each is True for each in second), sum(each is True for each in first) + before[0]
    counts = {
        "passed": passed,
        "repeats": len(second),
        "baseline_passed": base_passed,
        "baseline_repeats": len(first) + sum(before),
    }
    if not first or not second or None in first or None in second:
        gone = sum(each is None for each in (*first, *second))
        reason = f"{gone} repeats have no value" if gone else "it was not asked"
        return MustPassCase(case_id=case_id, state="unmeasured", reason=reason, **counts)
    baseline = Reliability().after(base_passed, counts["baseline_repeats"] - base_passed)
    candidate = Reliability().after(passed, len(second) - passed)
    if baseline.mean < max(_LEAST_RATE, policy.tolerance):
        reason = f"the baseline passes only {baseline.mean:.0%}: there is nothing to keep"
        return MustPassCase(case_id=case_id, state="unreliable", reason=reason, **counts)
    worse = _worse(candidate, baseline, policy.tolerance / 2)
    state: State = "undecided"
    if worse > 1 - alpha:
        state = "lost"
    elif _worse(candidate, baseline, policy.tolerance) < policy.beta:
        state = "kept"
    reason = f"passed {passed} of {len(second)}, the baseline {base_passed} of {counts['baseline_repeats']}"
    return MustPassCase(case_id=case_id, state=state, reason=reason, probability_worse=worse, **counts)
