"""Rollouts put together: what they need to know of releases, objectives and the audit trail, which as siblings they do
not.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from ..app import Stack
from ..audit.entry import Actor
from ..audit.trail import AuditTrail
from ..caching.desk import let_go
from ..clock import Clock
from ..errors import Conflict, InvalidRequest
from ..monitoring.alerts.sources import Shift
from ..monitoring.alerts.supply import burns_of
from ..monitoring.slo.status import Standing
from ..releases.directory import ReleaseDirectory
from ..releases.release import Release, check_may_serve
from ..rollout.assignment import RolloutTable
from ..rollout.conductor import Conductor
from ..rollout.directory import RolloutDirectory
from ..rollout.evidence import Mark
from ..rollout.late import LateReporter
from ..rollout.mirror import Mirror
from ..rollout.reading import ReadingReporter
from ..rollout.refresher import Bound, RolloutRefresher
from ..rollout.repository.late import LateCall, LateCalls
from ..rollout.repository.readings import Readings
from ..rollout.repository.rollouts import RolloutRepository
from ..rollout.rollout import LoggedDecision, Rollout
from ..spend.recovery import Recovered
from ..store.database import Database
from .service import Service, failing

_TELLING_S = 3600.0
"""How long an end that nobody ordered is an alert."""
_CONDUCTOR = Actor("the conductor of rollouts", "system")


class Rollouts:
    """Of a running gateway, over its stack, whose released names they move."""

    def __init__(
        self,
        stack: Stack,
        database: Database,
        releases: ReleaseDirectory,
        standings: Callable[[], Iterable[Standing]],
        audit: AuditTrail,
        bound: Bound,
        read_until_ms: Callable[[], int],
    ) -> None:
        released = stack.parts.releases
        assert released is not None

        def live(name: str, tenant: str) -> str | None:
            found = released.find(name, tenant)
            return found.id if found is not None else None

        self.table = RolloutTable(live)
        released.assigner = self.table
        released.mirror = self.mirror = Mirror(stack.mirrored)
        self.directory = open_rollouts(database, stack.parts.clock, releases)
        self.refresher = RolloutRefresher(
            self.directory.repository,
            self.table,
            period_s=stack.settings.auth.refresh_seconds,
            drop=lambda named: let_go(stack.parts.cache, named),
            bound=bound,
            mirror=self.mirror,
        )
        self.late = LateReporter(
            LateCalls(database),
            stack.parts.desk.ledger.under_way,
            lambda: self.table.settle_s,
            stack.parts.clock,
            period_s=min(0.5, max(stack.settings.auth.refresh_seconds, 0.05)),
        )
        self.reading = ReadingReporter(
            Readings(database),
            read_until_ms,
            lambda: self.table.settle_s,
            stack.parts.clock,
            period_s=min(0.5, max(stack.settings.auth.refresh_seconds, 0.05)),
        )
        self.conductor = Conductor(
            database,
            stack.parts.clock,
            KnownReleases(releases, stack.parts.clock),
            burns=lambda: _pages(standings()),
            told=Telling(audit),
            period_s=min(1.0, max(stack.settings.auth.refresh_seconds, 0.05)),
        )

    def lose(self, recovered: Sequence[Recovered]) -> None:
        """Calls that were under way in a gateway that died."""
        self.late.lose([late for call in recovered if (late := lost_call(call)) is not None])

    @property
    def services(self) -> list[Service]:
        refresher, conductor, late, mirror = self.refresher, self.conductor, self.late, self.mirror
        reading = self.reading
        return [
            Service(stop=mirror.aclose, problems=mirror.problems, figures=mirror.figures),
            Service(refresher.start, refresher.aclose, lambda: failing("rollouts", refresher.failing)),
            Service(late.start, late.aclose, lambda: failing("calls that take long", late.failing)),
            Service(reading.start, reading.aclose, lambda: failing("how far calls are stored", reading.failing)),
            Service(conductor.start, conductor.aclose, conductor.problems),
        ]


def lost_call(recovered: Recovered) -> LateCall | None:
    """What a reservation says of a call that its gateway's death ended; None for one of no rollout."""
    entry = recovered.unfinished
    if entry is None or entry.rollout_id is None or entry.arm is None or entry.probability is None:
        return None
    whose = {name: getattr(entry, name) for name in ("tenant", "key_id", "user", "session", "trace_id")}
    return LateCall(
        rollout_id=entry.rollout_id,
        request_id=entry.request_id,
        started_at_ms=int(entry.at_s * 1000),
        arm=entry.arm,
        probability=entry.probability,
        **whose,
    )


def open_rollouts(database: Database, clock: Clock, releases: ReleaseDirectory) -> RolloutDirectory:
    return RolloutDirectory(database, clock, KnownReleases(releases, clock))


class KnownReleases:
    """Releases and their pointers, as rollouts ask for them."""

    def __init__(self, releases: ReleaseDirectory, clock: Clock) -> None:
        self._releases = releases
        self._clock = clock

    def live(self, name: str, tenant: str | None) -> str | None:
        found = {each.tenant: each for each in self._releases.repository.pointers(tenant) if each.name == name}
        pointer = found.get(tenant) or found.get(None)
        return pointer.release_id if pointer is not None else None

    def check(self, release_id: str, name: str, tenant: str | None) -> None:
        found = self._releases.own(release_id, tenant)
        if found.bundle.name != name:
            raise InvalidRequest(f"{release_id} is a release of {found.bundle.name!r}, not of {name!r}", param="name")
        check_may_serve(found, self._verdict(found))

    def blocked(self, release_id: str, tenant: str | None) -> bool:
        return self._verdict(self._releases.own(release_id, tenant)) == "BLOCK"

    def promote(self, rollout: Rollout, by: str, reason: str) -> None:
        self._point(rollout, rollout.candidate, rollout.stable, by, reason)

    def restore(self, rollout: Rollout, by: str, reason: str) -> None:
        self._point(rollout, rollout.stable, rollout.candidate, by, reason)

    def _point(self, rollout: Rollout, to: str, before: str, by: str, reason: str) -> None:
        live = self.live(rollout.name, rollout.tenant)
        if live == to:
            return
        if live != before:
            raise Conflict(f"{live} has become the live release of {rollout.name!r} meanwhile")
        pointers = self._releases.repository.pointers(rollout.tenant)
        has_own = any((each.tenant, each.name) == (rollout.tenant, rollout.name) for each in pointers)
        self._releases.repository.point(
            self._releases.own(to, rollout.tenant),
            "rollout",
            check_may_serve,
            now_ms=round(self._clock.now_s() * 1000),
            by=by,
            reason=reason,
            expected=before if has_own else None,
        )

    def _verdict(self, release: Release) -> str | None:
        verdicts = self._releases.repository.verdicts(release, 1)
        return verdicts[0].verdict if verdicts else None


class Telling:
    """Decisions go into the audit trail, with the evidence that they rest on."""

    def __init__(self, audit: AuditTrail) -> None:
        self._audit = audit

    def __call__(self, rollout: Rollout, decision: LoggedDecision, marks: Sequence[Mark]) -> None:
        after = {
            "status": rollout.state.status,
            "share": decision.share,
            "candidate": rollout.candidate,
            "evidence": {
                each.guard: f"{each.verdict}, log e {each.log_e:.2f} of {each.log_threshold:.2f}, "
                f"{each.candidate_n} against {each.stable_n}"
                for each in marks
            },
        }
        action = f"rollout.{decision.action.lower()}"
        self._audit.note(_CONDUCTOR, action, rollout.id, tenant=rollout.tenant, after=after, reason=decision.reason)


def rollout_shifts(database: Database, now_s: Callable[[], float]) -> list[Shift]:
    """Rollouts that went back or wait for a human, of the last hour: what the alert kind ``rollout`` sees."""
    repository = RolloutRepository(database)
    found = []
    for rollout in repository.find(None, limit=50):
        if rollout.state.status not in ("rolled_back", "held"):
            continue
        last = repository.decisions(rollout.id, 1)
        if not last or last[0].action not in ("ROLLBACK", "ASK") or now_s() - last[0].at_ms / 1000 > _TELLING_S:
            continue
        labels = {"rollout": rollout.id, "name": rollout.name, "release": rollout.candidate}
        whose = {} if rollout.tenant is None else {"tenant": rollout.tenant}
        found.append(Shift(labels={**labels, **whose}, size=1.0, detail=f"{last[0].action}: {last[0].reason}"))
    return found


def _pages(standings: Iterable[Standing]) -> list[tuple[Mapping[str, str], str]]:
    """Objectives that burn fast."""
    return [
        (burn.labels, f"{burn.labels['slo']}: {burn.detail}")
        for burn in burns_of(standings)
        if burn.severity == "critical"
    ]
