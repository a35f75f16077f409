"""The fleet's health as numbers for the metrics. Only reads, so that any thread may ask: what changes meanwhile is seen
as it was or as it is."""

from ..telemetry.health import DeploymentHealth, Health, ModelHealth
from .candidate import Candidate
from .fleet import Fleet, Lane


def census(fleet: Fleet, now_s: float) -> Health:
    """All deployments and models of this process. Deployments of one name are one."""
    health = Health()
    for candidate in fleet.candidates:
        health.deployments.setdefault(candidate.name, DeploymentHealth()).add(_deployment(candidate, now_s))
    health.models = {name: _model(lane, now_s) for name, lane in fleet.lanes.items()}
    return health


def _deployment(candidate: Candidate, now_s: float) -> DeploymentHealth:
    tally = candidate.tally
    attempts: dict[str, int] = {outcome: count for outcome, count in tally.failed.copy().items()}
    attempts |= {"success": tally.succeeded, "abandoned": tally.abandoned}
    return DeploymentHealth(
        attempts=attempts,
        cut=tally.cut,
        changes={change: count for change, count in tally.changes.copy().items()},
        state=candidate.breaker.shown(now_s),
        calls=candidate.pool.in_use,
        places=int(candidate.pool.size),
    )


def _model(lane: Lane, now_s: float) -> ModelHealth:
    tally = lane.tally
    return ModelHealth(retries=tally.retries, failovers=tally.failovers, credits=lane.budget.left(now_s))
