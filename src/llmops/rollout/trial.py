"""A look at an experiment: what its evidence says for the state machine, and one mark of each arm, to be drawn."""

from collections.abc import Mapping

from .evidence import Evidence, Mark
from .experiment import next_shares, ruling, said, standings
from .plan import LIVE_ARM, Plan
from .state import Seen

ARM = "arm:"
SPLIT = "split"


def seen_arms(plan: Plan, evidence: Evidence, shares: Mapping[str, float]) -> Seen:
    """``shares``: those in force."""
    goal, arms = plan.goal, evidence.arms
    assert goal is not None and arms is not None
    rules = ruling(goal, plan.alpha, arms)
    log_e, threshold = arms.split.log_e, arms.split.threshold(plan.alpha_split)
    return Seen(
        units=evidence.units,
        split_broken=f"log e {log_e:.2f} of {threshold:.2f}" if log_e >= threshold else None,
        best=rules.best,
        saying=said(rules, standings(goal, plan.alpha, arms)),
        shares=next_shares(arms, shares),
    )


def arm_marks(plan: Plan, evidence: Evidence, shares: Mapping[str, float], at_ms: int) -> list[Mark]:
    """Of each arm the evidence that it is not the best (of the leader: that no other one is), and its mean with
    bounds; and the evidence of an uneven split."""
    goal, arms = plan.goal, evidence.arms
    assert goal is not None and arms is not None
    rules, found = ruling(goal, plan.alpha, arms), standings(goal, plan.alpha, arms)
    marks = [
        Mark(
            guard=f"{ARM}{arm}",
            at_ms=at_ms,
            candidate_n=each.n,
            stable_n=found[LIVE_ARM].n,
            log_e=rules.worse[arm],
            log_threshold=rules.threshold,
            margin=goal.margin,
            verdict=_verdict(arm, rules.leader, rules.best, rules.worse[arm] >= rules.threshold),
            reason=f"{arm}: {each}",
            estimate=each.estimate,
            lower=each.lower,
            upper=each.upper,
            share=shares.get(arm, 0.0),
        )
        for arm, each in found.items()
    ]
    return [*marks, _split(evidence, plan.alpha_split, at_ms)]


def _verdict(arm: str, leader: str, best: str | None, is_refuted: bool) -> str:
    if arm == leader:
        return "BEST" if best is not None else "LEADS"
    return "WORSE" if is_refuted else "OPEN"


def _split(evidence: Evidence, alpha: float, at_ms: int) -> Mark:
    assert evidence.arms is not None
    log_e, threshold = evidence.arms.split.log_e, evidence.arms.split.threshold(alpha)
    is_broken = log_e >= threshold
    return Mark(
        guard=SPLIT,
        at_ms=at_ms,
        candidate_n=evidence.units,
        stable_n=evidence.stable_units,
        log_e=log_e,
        log_threshold=threshold,
        margin=0.0,
        verdict="ERROR" if is_broken else "PASS",
        reason="the arms have not the units that they should have" if is_broken else "the arms have their shares",
    )
