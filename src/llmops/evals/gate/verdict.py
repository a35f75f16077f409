"""From two arms to one verdict: each metric by the rule, slices and metrics through Holm, must-pass cases, then tiers.

BLOCK by any deciding metric, slice or must-pass case; else ERROR if anything declared could not be measured, whatever
its tier; else INCONCLUSIVE as the policy reads it; PASS only where every deciding metric is proved. A metric that an
uncalibrated judge measures is advisory, whatever the policy says; a gate in which nothing decides is an ERROR.
"""

from collections.abc import Callable, Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...statistics.criterion import Criterion
from ...statistics.multiplicity import corrected, overall
from ...statistics.verdict import Finding, Verdict, failed
from ..case import Case
from ..dataset import Dataset
from .arm import Arm
from .must_pass import History, MustPassCase, judge_cases, must_pass_ids
from .policy import Policy, Tier, Undecided
from .tables import Pairs

Say = Callable[[Verdict, str], None]


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One metric, on all cases or on a slice of them."""

    metric: str
    slice: str | None = None
    tier: Tier
    finding: Finding
    counts: bool = True
    """Whether its verdict is part of the gate's. Of a slice only BLOCK and ERROR are."""
    baseline_mean: float | None = None
    candidate_mean: float | None = None


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the arms."""

    verdict: Verdict
    reason: str
    metrics: list[Judged]
    slices: list[Judged]
    must_pass: list[MustPassCase]
    warnings: list[str]

    @property
    def undecided(self) -> bool:
        """Whether more data could still change it."""
        return self.verdict is Verdict.INCONCLUSIVE


def judge_arms(
    policy: Policy,
    dataset: Dataset,
    baseline: Arm,
    candidate: Arm,
    depths: Mapping[str, int],
    *,
    levels: Mapping[str, float] | None = None,
    history: History | None = None,
    now_s: float,
) -> Judgement:
    """Judge arms that `integrity` has no objection to. ``depths``: repeats of each case that count for metrics, and so
    the cases of this look; ``levels``: alpha by metric at this look."""
    cases = [case for case in dataset.cases if depths.get(case.id)]
    warnings: list[str] = []
    metrics, slices = _findings(policy, cases, baseline, candidate, depths, levels or {}, warnings)
    must_pass: list[MustPassCase] = []
    if policy.must_pass is not None and (ids := must_pass_ids(dataset.cases)):
        metric = candidate.metrics[policy.must_pass.metric]
        must_pass = judge_cases(policy.must_pass, metric, ids, baseline, candidate, history=history, now_s=now_s)
        if kept_out := [each.case_id for each in must_pass if each.state == "quarantined"]:
            warnings.append(f"{len(kept_out)} must-pass cases are in quarantine: {', '.join(kept_out[:5])}")
        if weak := [each.case_id for each in must_pass if each.state == "unreliable"]:
            warnings.append(f"{len(weak)} must-pass cases fail with the baseline as well: {', '.join(weak[:5])}")
    verdict, reason = _overall(policy, metrics, slices, must_pass, warnings)
    return Judgement(
        verdict=verdict, reason=reason, metrics=metrics, slices=slices, must_pass=must_pass, warnings=warnings
    )


def _findings(
    policy: Policy,
    cases: list[Case],
    baseline: Arm,
    candidate: Arm,
    depths: Mapping[str, int],
    levels: Mapping[str, float],
    warnings: list[str],
) -> tuple[list[Judged], list[Judged]]:
    found: dict[tuple[str, str | None], Judged] = {}
    for name, wanted in policy.metrics.items():
        metric = candidate.metrics[name]
        tier: Tier = "advisory" if metric.advisory else wanted.tier
        if metric.advisory and wanted.tier != "advisory":
            warnings.append(f"{name}: its judge is not calibrated against people: it is advisory and decides nothing")
        pairs = Pairs(name, cases, depths, baseline, candidate)
        criterion, level = wanted.criterion(metric), levels.get(name, wanted.alpha)
        finding = pairs.decide(criterion, alpha=level, seed=policy.seed)
        found[name, None] = _judged(name, None, tier, finding, pairs)
        if tier != "advisory":
            for group, rows in _groups(policy, name, cases):
                found[name, group] = _sliced(policy, (name, group), tier, pairs, criterion, level, rows)
    deciding = {
        f"{name}\0{group}": each for (name, group), each in found.items() if each.tier != "advisory" and each.counts
    }
    after = corrected({key: each.finding for key, each in deciding.items()})
    final = [
        msgspec.structs.replace(each, finding=after.get(f"{each.metric}\0{each.slice}", each.finding))
        for each in found.values()
    ]
    return [each for each in final if each.slice is None], [each for each in final if each.slice is not None]


def _groups(policy: Policy, name: str, cases: list[Case]) -> list[tuple[str, NDArray[np.bool_]]]:
    wanted = policy.slices
    if wanted is None or (wanted.metrics is not None and name not in wanted.metrics):
        return []
    groups = []
    for key in wanted.by:
        values = [msgspec.json.encode(case.metadata[key]).decode() if key in case.metadata else None for case in cases]
        for value in sorted({each for each in values if each is not None}):
            shown = value.strip('"')
            groups.append((f"{key}={shown}"[:120], np.array([each == value for each in values])))
    return groups


def _sliced(
    policy: Policy,
    named: tuple[str, str],
    tier: Tier,
    pairs: Pairs,
    criterion: Criterion,
    level: float,
    rows: NDArray[np.bool_],
) -> Judged:
    name, group = named
    assert policy.slices is not None
    count = int(rows.sum())
    if count < policy.slices.least_cases:
        reason = f"{count} cases are too few to be tested; {policy.slices.least_cases} are the least"
        finding = msgspec.structs.replace(
            failed(reason, margin=criterion.margin, alpha=level, n=count), verdict=Verdict.INCONCLUSIVE
        )
        return Judged(metric=name, slice=group, tier=tier, finding=finding, counts=False)
    finding = pairs.decide(criterion, alpha=level, seed=policy.seed, among=rows)
    return _judged(name, group, tier, finding, pairs, rows)


def _judged(
    name: str, group: str | None, tier: Tier, finding: Finding, pairs: Pairs, rows: NDArray[np.bool_] | None = None
) -> Judged:
    means = [_mean(arm if rows is None else arm[rows]) for arm in (pairs.baseline, pairs.candidate)]
    return Judged(metric=name, slice=group, tier=tier, finding=finding, baseline_mean=means[0], candidate_mean=means[1])


def _mean(table: NDArray[np.float64]) -> float | None:
    """Of the cases' means; None where nothing was measured."""
    seen = ~np.isnan(table).all(axis=1)
    return float(np.nanmean(table[seen], axis=1).mean()) if seen.any() else None


def _overall(
    policy: Policy, metrics: list[Judged], slices: list[Judged], must_pass: list[MustPassCase], warnings: list[str]
) -> tuple[Verdict, str]:
    verdicts: list[Verdict] = []
    reasons: dict[Verdict, list[str]] = {each: [] for each in Verdict}

    def say(verdict: Verdict, reason: str) -> None:
        verdicts.append(verdict)
        reasons[verdict].append(reason)

    if all(each.tier == "advisory" for each in metrics):
        say(Verdict.ERROR, "no metric decides: all are advisory")
    for each in metrics:
        finding, said = each.finding, f"{each.metric}: {each.finding.reason}"
        if finding.verdict is Verdict.ERROR:
            say(Verdict.ERROR, said)
        elif each.tier == "advisory":
            if finding.verdict is Verdict.BLOCK:
                warnings.append(f"{said} (advisory)")
        elif finding.verdict is Verdict.INCONCLUSIVE:
            how = policy.inconclusive.critical if each.tier == "critical" else policy.inconclusive.guard
            _undecided(how, said, say, warnings)
        else:
            say(finding.verdict, said)
    for each in slices:
        if each.counts and each.finding.verdict in (Verdict.BLOCK, Verdict.ERROR):
            say(each.finding.verdict, f"{each.metric} of {each.slice}: {each.finding.reason}")
    for case in must_pass:
        said = f"must-pass case {case.case_id!r}: {case.reason}"
        if case.state == "lost":
            say(Verdict.BLOCK, said)
        elif case.state == "unmeasured":
            say(Verdict.ERROR, said)
        elif case.state == "undecided" and policy.must_pass is not None:
            _undecided(policy.must_pass.undecided, said, say, warnings)
    verdict = overall(verdicts)
    return verdict, "; ".join(reasons[verdict][:5]) or "nothing decides"


def _undecided(how: Undecided, said: str, say: Say, warnings: list[str]) -> None:
    if how == "warn":
        warnings.append(f"let through without proof: {said}")
    else:
        say(Verdict.BLOCK if how == "block" else Verdict.INCONCLUSIVE, f"{said}, undecided" if how == "block" else said)
