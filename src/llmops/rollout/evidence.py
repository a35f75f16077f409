"""The evidence of a rollout: what its calls say of each guard, unit by unit, in memory that does not grow with them.

One unit of randomisation is one observation, however many calls it made: an error anywhere in its window is one error.
Units are counted by the time of their assignment, when their window is over and their calls are taken to be in the
database, so a verdict never hangs on whose answers came first. Each observation carries the share under which it was
assigned; evidence multiplies over changing shares. At shares of 0 and 1 there is nothing to compare with.

A shadow's calls and their copies come as units of share one half. The two of a pair are not independent: what makes one
fail makes the other fail more often than not. That takes from the evidence of a difference and adds none to it, for a
pair with the same outcome is a bet won and one lost; so alpha holds, and proofs come later than they could.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from ..statistics.sequential.eprocess import ShareProcess
from ..statistics.sequential.evidence import AmountGuard, EventGuard, RatioGuard, ScoreGuard
from ..statistics.verdict import Finding, Verdict
from .experiment import Arms, no_arms
from .goal import Goal
from .outcome import CallSeen, outcome_of, unit_key
from .plan import GuardPlan, Plan
from .quantile_guard import QuantileGuard
from .state import Seen

Guard = EventGuard | ScoreGuard | AmountGuard | QuantileGuard
_QUIET_S = 5.0
_EVENTS = frozenset({"error", "bad_json", "guardrail", "slow"})


class Tally(msgspec.Struct):
    """What a unit's calls say of one guard."""

    n: int = 0
    total: float = 0.0
    worst: float = 0.0

    def add(self, value: float) -> None:
        self.n += 1
        self.total += value
        self.worst = max(self.worst, value)


class Pending(msgspec.Struct):
    """A unit whose window is not over."""

    in_candidate: bool
    share: float
    first_ms: int
    arm: str = ""
    probability: float = 0.0
    tallies: dict[str, Tally] = {}


class Stream(msgspec.Struct):
    """Calls are read up to ``watermark_ms``, excluded."""

    watermark_ms: int
    pending: dict[str, Pending] = {}


class Evidence(msgspec.Struct, kw_only=True):
    """``calls`` and ``labels`` are read each at its own pace: scores come later than calls."""

    guards: dict[str, Guard]
    split: RatioGuard
    calls: Stream
    labels: Stream
    units: int = 0
    stable_units: int = 0
    cost_nanousd: int = 0
    """Of all calls of the candidate."""
    refused_ms: int = 0
    """Since when copies have not fitted into a budget any more; 0: they do."""
    arms: Arms | None = None
    """Of an experiment, which has this instead of guards and split."""
    marked_ms: int = 0
    """When it was last kept to be drawn."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """One guard at one time, to be drawn: logarithms of the e-value and of what rolls back, the gain and its bounds."""

    guard: str
    at_ms: int
    candidate_n: int
    stable_n: int
    log_e: float
    log_threshold: float
    margin: float
    verdict: str
    reason: str
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    share: float | None = None
    """Of an experiment's arm: of the units, at that time."""


def no_evidence(plan: Plan, since_ms: int) -> Evidence:
    share = next((each.share for each in plan.steps if 0 < each.share < 1), 0.5)
    return Evidence(
        guards={each.key: _guard(plan, each, share) for each in plan.guards},
        split=RatioGuard(share=ShareProcess(rho=share), alpha=plan.alpha_split),
        calls=Stream(since_ms),
        labels=Stream(since_ms),
        arms=no_arms(plan.arm_names) if plan.goal is not None else None,
    )


def take_calls(
    plan: Plan, evidence: Evidence, calls: Iterable[CallSeen], firsts: Mapping[str, int], until_ms: int
) -> None:
    """Calls that began before ``until_ms`` and not before the watermark. ``firsts``: when each unit was first seen."""
    guards = [each for each in plan.watched if each.metric != "score"]

    def values(call: CallSeen) -> Iterable[tuple[str, float | None]]:
        return ((each.key, outcome_of(each, call)) for each in guards)

    ordered = sorted(calls, key=lambda call: (call.started_ms, call.request_id))
    for call in ordered:
        if call.in_candidate:
            evidence.cost_nanousd += call.cost_nanousd or 0
            if not call.is_refused_copy:
                evidence.refused_ms = 0
            elif not evidence.refused_ms:
                evidence.refused_ms = call.started_ms
        _gather(plan, evidence.calls, call, firsts, values(call))
    evidence.calls.watermark_ms = until_ms
    for unit in _closed(plan, evidence.calls):
        if evidence.arms is not None:
            evidence.arms.count(unit.arm, unit.probability)
        else:
            _change(evidence.split.share, unit.share)
            evidence.split.observe(unit.in_candidate)
        if unit.in_candidate:
            evidence.units += 1
        else:
            evidence.stable_units += 1
        _observe_all(evidence, guards, unit)


def take_labels(
    plan: Plan,
    evidence: Evidence,
    labelled: Iterable[tuple[CallSeen, Mapping[str, float]]],
    firsts: Mapping[str, int],
    until_ms: int,
) -> None:
    """Calls with the scores that they have got, by their names."""
    guards = [each for each in plan.watched if each.metric == "score"]
    ordered = sorted(labelled, key=lambda each: (each[0].started_ms, each[0].request_id))
    for call, scores in ordered:
        _gather(plan, evidence.labels, call, firsts, ((each.key, scores.get(each.name or "")) for each in guards))
    evidence.labels.watermark_ms = until_ms
    for unit in _closed(plan, evidence.labels):
        _observe_all(evidence, guards, unit)


def seen(plan: Plan, evidence: Evidence) -> tuple[Seen, dict[str, Finding]]:
    """What the evidence says now, for the state machine, and each guard's finding."""
    findings = {each.key: evidence.guards[each.key].finding() for each in plan.guards}
    split = evidence.split.finding()
    broken = split.verdict == Verdict.ERROR
    return (
        Seen(
            harmed=[(key, each.reason) for key, each in findings.items() if each.verdict == Verdict.BLOCK],
            broken=[(key, each.reason) for key, each in findings.items() if each.verdict == Verdict.ERROR],
            unproved=[
                each.key
                for each in plan.guards
                if each.tier == "critical" and findings[each.key].verdict != Verdict.PASS
            ],
            units=evidence.units,
            refused_ms=evidence.refused_ms if _is_used_up(plan, evidence) else 0,
            split_broken=split.reason if broken else None,
        ),
        {**findings, "split": split},
    )


def _is_used_up(plan: Plan, evidence: Evidence) -> bool:
    """Refusals alone for a while: one among copies that were let in only says how many were under way."""
    quiet_ms = min(_QUIET_S, plan.settle) * 1000
    return evidence.refused_ms > 0 and evidence.calls.watermark_ms - evidence.refused_ms >= quiet_ms


def hard_cap(plan: Plan, evidence: Evidence) -> str | None:
    """Why the money ends it; None: it does not."""
    spent = evidence.cost_nanousd / 1e9
    for guard in plan.guards:
        if guard.hard_cap_usd is not None and spent >= guard.hard_cap_usd:
            return f"the candidate's calls have cost ${spent:.2f}, and may cost ${guard.hard_cap_usd:g}"
    return None


def marks(plan: Plan, evidence: Evidence, findings: Mapping[str, Finding], at_ms: int) -> list[Mark]:
    guards: dict[str, Guard | RatioGuard] = {**evidence.guards, "split": evidence.split}
    return [
        Mark(
            guard=key,
            at_ms=at_ms,
            candidate_n=guard.canary_n,
            stable_n=guard.stable_n,
            log_e=guard.log_e,
            log_threshold=guard.threshold,
            margin=guard.margin,
            verdict=findings[key].verdict,
            reason=findings[key].reason,
            estimate=findings[key].estimate,
            lower=findings[key].lower,
            upper=findings[key].upper,
        )
        for key, guard in guards.items()
    ]


def keys_of(plan: Plan, calls: Sequence[CallSeen]) -> dict[str, int]:
    """The units of these calls, and when each is first seen among them; empty where every call is its own."""
    found: dict[str, int] = {}
    if plan.unit != "request":
        for call in calls:
            key = _key(plan, call)
            found[key] = min(found.get(key, call.started_ms), call.started_ms)
    return found


def _gather(
    plan: Plan, stream: Stream, call: CallSeen, firsts: Mapping[str, int], values: Iterable[tuple[str, float | None]]
) -> None:
    if not 0 < call.share < 1:
        return
    key = _key(plan, call)
    unit = stream.pending.get(key)
    if unit is None:
        if firsts.get(key, call.started_ms) != call.started_ms:
            return  # it has been counted
        unit = stream.pending[key] = Pending(
            in_candidate=call.arm in plan.arms or call.in_candidate,
            share=call.share,
            first_ms=call.started_ms,
            arm=call.arm,
            probability=call.probability,
        )
    if call.arm != unit.arm and plan.arms:
        return  # shares have moved within its window: what it says now is another arm's
    if call.started_ms <= unit.first_ms + round(plan.window * 1000):
        for name, value in values:
            if value is not None:
                unit.tallies.setdefault(name, Tally()).add(value)


def _closed(plan: Plan, stream: Stream) -> list[Pending]:
    """Units whose window is over, in the order of their assignment; they are pending no more."""
    window_ms = round(plan.window * 1000)
    over = [key for key, unit in stream.pending.items() if unit.first_ms + window_ms < stream.watermark_ms]
    return sorted((stream.pending.pop(key) for key in over), key=lambda unit: unit.first_ms)


def _key(plan: Plan, call: CallSeen) -> str:
    """An experiment's shares move all the time: a unit counts once, in the arm that it came to first."""
    return unit_key(plan.unit, call, at_each_share=not plan.arms)


def _observe_all(evidence: Evidence, watched: Sequence[GuardPlan | Goal], unit: Pending) -> None:
    for each in watched:
        tally = unit.tallies.get(each.key)
        if tally is None:
            continue
        if evidence.arms is not None and isinstance(each, Goal):
            evidence.arms.observe(unit.arm, each.value(tally.total / tally.n, tally.worst))
        else:
            _observe(evidence.guards[each.key], unit, tally)


def _observe(guard: Guard, unit: Pending, tally: Tally) -> None:
    if isinstance(guard, EventGuard):
        _change(guard.share, unit.share)
        guard.observe(unit.in_candidate, tally.worst > 0)
    else:
        guard.observe(unit.in_candidate, tally.total / tally.n)


def _change(process: ShareProcess, share: float) -> None:
    if process.rho != share:
        process.change_share(share)


def _guard(plan: Plan, each: GuardPlan, share: float) -> Guard:
    alpha = plan.alpha_of(each)
    if each.metric in _EVENTS:
        return EventGuard(
            margin=each.margin, alpha=alpha, least_effect=each.least_effect, share=ShareProcess(rho=share)
        )
    if each.metric == "score":
        return ScoreGuard(
            margin=each.margin,
            alpha=alpha,
            least_effect=each.least_effect,
            lowest=each.lowest,
            highest=each.highest,
            direction=each.direction,
        )
    if each.metric == "cost":
        assert each.cap_usd is not None
        return AmountGuard(margin=each.margin, alpha=alpha, least_effect=each.least_effect, cap=each.cap_usd)
    return QuantileGuard(margin=each.margin, alpha=alpha, quantile=each.quantile)
