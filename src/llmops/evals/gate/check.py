"""The gate on two runs that are there: nothing is bought, the same rules decide.

A gate never raises for bad data: whatever cannot be compared, or is not what it says it is, becomes a decision that
says ERROR and why.
"""

from collections.abc import Mapping, Sequence

from ...statistics.verdict import Verdict
from ..baselines import Baseline, poisoned
from ..dataset import Dataset
from .arm import Arm
from .decision import ArmFacts, Decision, Look
from .integrity import problems_between
from .must_pass import History, history_of, must_pass_ids
from .policy import Policy
from .verdict import judge_arms


def check(
    policy: Policy,
    dataset: Dataset,
    baseline: Arm,
    candidate: Arm,
    *,
    gate_id: str,
    now_s: float,
    promoted: Baseline | None = None,
    past: Arm | None = None,
    problems: Sequence[str] = (),
    depths: Mapping[str, int] | None = None,
    levels: Mapping[str, float] | None = None,
    looks: Sequence[Look] = (),
) -> Decision:
    """Decide on two arms. ``promoted`` is the baseline's record and ``past`` the run that it was promoted with, as it
    is now; ``problems`` are those found before; ``depths`` and ``levels`` are a look's, by default all there is."""
    found = [*problems, *problems_between(policy, dataset, baseline, candidate)]
    found += baseline_problems(policy, promoted, past, baseline)
    if found:
        return refused(policy, dataset, found, gate_id=gate_id, now_s=now_s, baseline=baseline, candidate=candidate)
    even = min(baseline.repeats.values())
    counting = depths if depths is not None else dict.fromkeys(baseline.repeats, even)
    judgement = judge_arms(
        policy,
        dataset,
        baseline,
        candidate,
        counting,
        levels=levels,
        history=known_history(policy, dataset, past),
        now_s=now_s,
    )
    return Decision(
        id=gate_id,
        gate=policy.name,
        verdict=judgement.verdict,
        reason=judgement.reason,
        at_ms=int(now_s * 1000),
        tenant=policy.tenant,
        policy=policy.digest,
        dataset=dataset.name,
        dataset_version=dataset.version,
        cases=sum(depth > 0 for depth in counting.values()),
        baseline=facts_of(baseline),
        candidate=facts_of(candidate),
        baseline_name=policy.baseline,
        metrics=judgement.metrics,
        slices=judgement.slices,
        must_pass=judgement.must_pass,
        looks=list(looks),
        warnings=judgement.warnings,
        code_revision=candidate.spec.code_revision,
        seed=policy.seed,
    )


def baseline_problems(policy: Policy, promoted: Baseline | None, past: Arm | None, baseline: Arm) -> list[str]:
    """What is wrong with the promoted baseline: there is none, its run was changed, or this arm is another subject."""
    if policy.baseline is None:
        return []
    if promoted is None:
        return [f"no baseline {policy.baseline!r} is promoted; llmops gate promote {policy.baseline} RUN does it"]
    found = poisoned(promoted, past.content if past is not None else None)
    if dict(baseline.spec.subject) != promoted.subject:
        found.append(
            f"the baseline arm is {dict(baseline.spec.subject)!r}, and promoted as {policy.baseline!r} is "
            f"{promoted.subject!r}"
        )
    return found


def known_history(policy: Policy, dataset: Dataset, past: Arm | None) -> History | None:
    """What the promoted run says of must-pass cases; None unless it answered this very dataset."""
    if policy.must_pass is None or past is None or past.spec.dataset_version != dataset.version:
        return None
    metric = past.metrics.get(policy.must_pass.metric)
    return history_of(policy.must_pass, metric, must_pass_ids(dataset.cases), past) if metric is not None else None


def facts_of(arm: Arm, cost_nanousd: int | None = None) -> ArmFacts:
    return ArmFacts(
        run_id=arm.spec.run_id,
        subject=dict(arm.spec.subject),
        cells=len(arm.readings),
        failed=sum(each.error is not None for each in arm.readings),
        cost_nanousd=cost_nanousd,
        content=arm.content,
    )


def refused(
    policy: Policy,
    dataset: Dataset,
    problems: Sequence[str],
    *,
    gate_id: str,
    now_s: float,
    baseline: Arm | None = None,
    candidate: Arm | None = None,
) -> Decision:
    """The decision that there can be none."""
    return Decision(
        id=gate_id,
        gate=policy.name,
        verdict=Verdict.ERROR,
        reason="; ".join(problems[:5]),
        at_ms=int(now_s * 1000),
        tenant=policy.tenant,
        policy=policy.digest,
        dataset=dataset.name,
        dataset_version=dataset.version,
        cases=len(dataset),
        baseline=facts_of(baseline) if baseline is not None else None,
        candidate=facts_of(candidate) if candidate is not None else None,
        baseline_name=policy.baseline,
        problems=list(problems),
        seed=policy.seed,
    )
