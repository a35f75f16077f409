"""Baselines put together: who promotes what, how a later run compares, and who is told of a drop."""

import getpass
import secrets
import time

from ..errors import Conflict, InvalidRequest, NotFound
from ..evals.baselines import Baseline, Drop, PromotedFigure, drops
from ..evals.gate.arm import stored_arm
from ..evals.gate.policy import Policy
from ..evals.repository.runs import Point
from ..monitoring.alerts.letter import Entry, Letter, shown_time
from ..monitoring.alerts.receivers.opening import open_receivers
from ..monitoring.alerts.receivers.receiver import DeliveryFailed
from ..settings import Settings
from .gate import Shelf

_LEAST_REASON = 3


def promote(
    shelf: Shelf, name: str, run_id: str, policy: Policy, *, who: str, reason: str, decision: str | None = None
) -> Baseline:
    """Make a stored run the baseline ``name``. `Conflict` where the run is not whole, or its gate did not say PASS."""
    if len(reason.strip()) < _LEAST_REASON:
        raise InvalidRequest(f"reason {reason!r}: say why, for those who read the history", param="reason")
    stored = shelf.runs.get(run_id, policy.tenant)
    if stored is None:
        raise NotFound(f"the database has no run {run_id!r} of tenant {policy.tenant!r}")
    arm = stored_arm(stored, shelf.results.of(run_id))
    if arm.state != "complete" or stored.summary is None or arm.promised != len(arm.readings):
        raise Conflict(
            f"the run {run_id!r} is not whole ({arm.state}, {len(arm.readings)} cells): it cannot be promoted"
        )
    if decision is not None:
        _passed(shelf, decision, run_id, policy.tenant)
    figures = {}
    for figure in stored.summary.metrics:
        watched = policy.metrics.get(figure.name)
        figures[figure.name] = PromotedFigure(
            mean=figure.mean,
            margin=watched.margin if watched is not None else None,
            direction=figure.direction,
            is_ratio=figure.scale == "ratio",
        )
    spec, at_ms = arm.spec, time.time_ns() // 1_000_000

    def make(number: int, before: str) -> Baseline:
        return Baseline(
            name=name,
            tenant=policy.tenant,
            number=number,
            run_id=run_id,
            dataset=spec.dataset,
            dataset_version=spec.dataset_version,
            subject=dict(spec.subject),
            scorers=spec.scorers,
            figures=figures,
            content=arm.content,
            code_revision=spec.code_revision,
            decision=decision,
            at_ms=at_ms,
            who=who,
            reason=reason.strip(),
            before=before,
        )

    return shelf.baselines.promote(policy.tenant, name, make)


def _passed(shelf: Shelf, decision: str, run_id: str, tenant: str) -> None:
    found = shelf.decisions.get(decision, tenant)
    if found is None:
        raise NotFound(f"there is no decision {decision!r}")
    candidate = (found.get("candidate") or {}).get("run_id")
    if found["verdict"] != "PASS" or candidate != run_id:
        raise Conflict(
            f"the decision {decision!r} is {found['verdict']} about {candidate!r}: it lets no {run_id!r} pass"
        )


def operator() -> str:
    """Who is at the shell."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def trend(shelf: Shelf, metric: str, dataset: str, *, tenant: str, limit: int) -> list[Point]:
    return list(shelf.runs.trend(metric, dataset, tenant=tenant, limit=limit))


def find_drops(shelf: Shelf, record: Baseline, run_id: str) -> list[Drop]:
    """Metrics in which a stored run fell beyond its margin below a promoted baseline."""
    stored = shelf.runs.get(run_id, record.tenant)
    if stored is None or stored.summary is None:
        raise NotFound(f"the database has no run {run_id!r} of tenant {record.tenant!r}")
    spec = stored.spec
    points = {
        figure.name: Point(
            run_id=run_id,
            started_at_ms=spec.started_at_ms,
            dataset_version=spec.dataset_version,
            subject=spec.subject,
            code_revision=spec.code_revision,
            figure=figure,
        )
        for figure in stored.summary.metrics
    }
    return drops(record, points)


async def tell(settings: Settings, record: Baseline, found: list[Drop], now_s: float) -> list[str]:
    """Send drops to every receiver that is nobody's or this tenant's; returns who could not be told, and why."""
    entries = [_entry(record, drop, now_s) for drop in found]
    failures = []
    for name, receiver in open_receivers(settings.alerts).items():
        if receiver.settings.tenant not in (None, record.tenant):
            continue
        letter = Letter(id=secrets.token_hex(8), receiver=name, written_at=shown_time(now_s), entries=entries)
        try:
            await receiver.deliver(letter, now_s)
        except DeliveryFailed as exc:
            failures.append(f"{name}: {exc.reason}")
    return failures


def _entry(record: Baseline, drop: Drop, now_s: float) -> Entry:
    labels = {"baseline": record.name, "metric": drop.metric, "tenant": record.tenant, "run": drop.run_id}
    said = (
        f"{drop.metric} is {drop.value:.4g} in run {drop.run_id}, {drop.loss:.4g} worse than the baseline "
        f"{record.name} ({drop.promoted:.4g}); the margin is {drop.margin:.4g}"
    )
    return Entry(
        status="firing",
        fingerprint=f"{record.tenant}/{record.name}/{drop.metric}",
        rule="eval_drop",
        severity="critical",
        labels=labels,
        value=drop.value,
        threshold=drop.promoted - drop.margin,
        starts_at=shown_time(now_s),
        ends_at=None,
        summary=said,
        text=said,
    )
