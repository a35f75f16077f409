"""Rollouts, their evidence and decision logs in the database.

State, evidence, watermark and counted units are written in one transaction, and only by whoever has read the latest
revision: a conductor that dies has either written a round or not. What moves traffic moves the version counter
``rollouts``, which gateways poll; a round that only counts does not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import and_, delete, insert, or_, select, update

from ...errors import Conflict, NotFound
from ...store.database import Database
from ...store.tables import leases, rollout_events, rollout_evidence, rollout_units, rollouts
from ..evidence import Evidence, Mark
from ..plan import Plan, plan_json
from ..rollout import LoggedDecision, Rollout
from ..state import OPEN, State
from .late import LateDone, forget, mark

SUBJECT = "rollouts"
COUNTING = "rollout_evidence"
SHARED = "*"
_LEASE = "rollouts"
_COLUMNS = [each for each in rollouts.c if each.name != "evidence"]
_state = msgspec.json.Decoder(State).decode
_evidence = msgspec.json.Decoder(Evidence).decode
_marks = msgspec.json.Decoder(list[Mark]).decode


class Changed(Conflict):
    """Another has written the rollout since it was read."""


class RolloutRepository:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer.

    ``seer`` is who looks: a tenant sees its own and shared ones, None all.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def exists(self) -> bool:
        return self._database.exists

    def version(self) -> int:
        return self._database.version(SUBJECT)

    def add(self, rollout: Rollout, evidence: Evidence, first: LoggedDecision) -> None:
        """`Conflict` where one of this name is open already."""
        tenant = rollout.tenant or SHARED
        with self._database.write(SUBJECT) as connection:
            open_ = select(rollouts.c.id).where(
                rollouts.c.tenant == tenant, rollouts.c.name == rollout.name, rollouts.c.status.in_(OPEN)
            )
            other = connection.execute(open_).scalar()
            if other is not None:
                raise Conflict(f"the rollout {other} of {rollout.name!r} is open; end it first")
            connection.execute(
                insert(rollouts).values(
                    id=rollout.id,
                    tenant=tenant,
                    name=rollout.name,
                    stable=rollout.stable,
                    candidate=rollout.plan.candidate,
                    plan=plan_json(rollout.plan),
                    created_at_ms=rollout.created_at_ms,
                    created_by=_storable(rollout.created_by),
                    reason=_storable(rollout.reason),
                    revision=1,
                    evidence=_json(evidence),
                    **_moving(rollout.state, rollout.saying),
                )
            )
            connection.execute(insert(rollout_events).values(**_event(rollout.id, first)))

    def get(self, rollout_id: str, seer: str | None) -> Rollout:
        found = self._select(select(*_COLUMNS).where(rollouts.c.id == rollout_id), seer)
        if not found:
            raise NotFound(f"there is no rollout {rollout_id[:40]!r} here; `llmops rollout list` shows those there are")
        return found[0]

    def find(
        self, seer: str | None, *, name: str | None = None, limit: int = 100, before: str | None = None
    ) -> list[Rollout]:
        """The newest first; ``before``: the last one of the page before."""
        query = select(*_COLUMNS).order_by(rollouts.c.created_at_ms.desc(), rollouts.c.id).limit(limit)
        if before is not None:
            began = select(rollouts.c.created_at_ms).where(rollouts.c.id == before).scalar_subquery()
            later = and_(rollouts.c.created_at_ms == began, rollouts.c.id > before)
            query = query.where(or_(rollouts.c.created_at_ms < began, later))
        return self._select(query if name is None else query.where(rollouts.c.name == name), seer)

    def of_release(self, release_id: str, seer: str | None) -> list[Rollout]:
        query = select(*_COLUMNS).where(
            or_(rollouts.c.candidate == release_id, rollouts.c.plan.contains(f'"{release_id}"', autoescape=True))
        )
        return self._select(query.order_by(rollouts.c.created_at_ms.desc()).limit(100), seer)

    def open(self) -> list[Rollout]:
        """Those that decide about traffic."""
        return self._select(select(*_COLUMNS).where(rollouts.c.status.in_(OPEN)), None)

    def evidence(self, rollout_id: str) -> tuple[int, Evidence]:
        """With the revision that it belongs to."""
        query = select(rollouts.c.revision, rollouts.c.evidence).where(rollouts.c.id == rollout_id)
        with self._database.read() as connection:
            revision, kept = connection.execute(query).one()
        return revision, _evidence(kept)

    def firsts(self, rollout_id: str, units: Sequence[str]) -> dict[str, int]:
        """When these units were first seen, of those that were."""
        found: dict[str, int] = {}
        columns = rollout_units.c
        with self._database.read() as connection:
            for begin in range(0, len(units), 500):
                query = select(columns.unit, columns.first_ms).where(
                    columns.rollout_id == rollout_id, columns.unit.in_(units[begin : begin + 500])
                )
                found |= {unit: first_ms for unit, first_ms in connection.execute(query)}
        return found

    def keep(
        self,
        rollout: Rollout,
        *,
        decision: LoggedDecision | None = None,
        evidence: Evidence | None = None,
        units: Mapping[str, int] | None = None,
        marks: Sequence[Mark] = (),
        late: LateDone | None = None,
        moves: bool = False,
    ) -> Rollout:
        """Write what follows from the revision that was read; `Changed` where that is not the latest. With a decision
        running gateways look again, and where it ``moves`` traffic without one."""
        with self._database.write(SUBJECT if decision is not None or moves else COUNTING) as connection:
            values = {**_moving(rollout.state, rollout.saying), "revision": rollout.revision + 1}
            if evidence is not None:
                values["evidence"] = _json(evidence)
            written = connection.execute(
                update(rollouts)
                .where(rollouts.c.id == rollout.id, rollouts.c.revision == rollout.revision)
                .values(**values)
            )
            if written.rowcount != 1:
                raise Changed(f"the rollout {rollout.id} has changed meanwhile; look again")
            if decision is not None:
                connection.execute(insert(rollout_events).values(**_event(rollout.id, decision)))
            if units:
                connection.execute(
                    insert(rollout_units),
                    [{"rollout_id": rollout.id, "unit": unit, "first_ms": first} for unit, first in units.items()],
                )
            if marks:
                at_ms = marks[0].at_ms
                same = (rollout_evidence.c.rollout_id == rollout.id) & (rollout_evidence.c.at_ms == at_ms)
                connection.execute(delete(rollout_evidence).where(same))
                connection.execute(
                    insert(rollout_evidence).values(rollout_id=rollout.id, at_ms=at_ms, marks=_json(marks))
                )
            if late is not None:
                mark(connection, rollout.id, late)
            if rollout.state.status not in OPEN:
                forget(connection, rollout.id)
                connection.execute(delete(rollout_units).where(rollout_units.c.rollout_id == rollout.id))
        return msgspec.structs.replace(rollout, revision=rollout.revision + 1)

    def decisions(self, rollout_id: str, limit: int = 200) -> list[LoggedDecision]:
        """The latest first."""
        columns = rollout_events.c
        query = select(rollout_events).where(columns.rollout_id == rollout_id).order_by(columns.id.desc()).limit(limit)
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [
            LoggedDecision(**{name: row[name] for name in ("at_ms", "action", "step", "share", "by", "reason")})
            for row in rows
        ]

    def marks(self, rollout_id: str, limit: int = 2000) -> list[Mark]:
        """The evidence over time, the earliest first."""
        columns = rollout_evidence.c
        query = select(columns.marks).where(columns.rollout_id == rollout_id)
        with self._database.read() as connection:
            kept = connection.execute(query.order_by(columns.at_ms.desc()).limit(limit)).scalars().all()
        return [mark for each in reversed(kept) for mark in _marks(each)]

    def take_lease(self, holder: str, now_s: float, lease_s: float) -> bool:
        """Whether it is this conductor's turn; for so long then."""
        row_of = select(leases).where(leases.c.name == _LEASE)
        values = {"holder": holder, "until_s": now_s + lease_s}
        with self._database.read() as connection:
            row = connection.execute(row_of).first()
        if row is not None and row.holder != holder and row.until_s > now_s:
            return False
        with self._database.write(COUNTING) as connection:
            row = connection.execute(row_of).first()
            if row is None:
                connection.execute(insert(leases).values(name=_LEASE, **values))
            elif row.holder != holder and row.until_s > now_s:
                return False
            else:
                connection.execute(update(leases).where(leases.c.name == _LEASE).values(**values))
        return True

    def give_up_lease(self, holder: str) -> None:
        with self._database.write(COUNTING) as connection:
            connection.execute(delete(leases).where(leases.c.name == _LEASE, leases.c.holder == holder))

    def _select(self, query: Any, seer: str | None) -> list[Rollout]:
        if not self._database.exists:
            return []
        if seer is not None:
            query = query.where(or_(rollouts.c.tenant == seer, rollouts.c.tenant == SHARED))
        with self._database.read() as connection:
            return [_rollout(row) for row in connection.execute(query).mappings()]


def _rollout(row: Any) -> Rollout:
    return Rollout(
        id=row["id"],
        tenant=row["tenant"] if row["tenant"] != SHARED else None,
        plan=Plan.model_validate(msgspec.json.decode(row["plan"])),
        stable=row["stable"],
        state=_state(row["state"]),
        created_at_ms=row["created_at_ms"],
        created_by=row["created_by"],
        reason=row["reason"],
        saying=row["saying"],
        revision=row["revision"],
    )


def _moving(state: State, saying: str) -> dict[str, Any]:
    return {"state": _json(state), "status": state.status, "saying": _storable(saying)}


def _event(rollout_id: str, decision: LoggedDecision) -> dict[str, Any]:
    values = msgspec.structs.asdict(decision)
    return {"rollout_id": rollout_id, **values, "by": _storable(decision.by), "reason": _storable(decision.reason)}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _storable(text: str) -> str:
    """Of characters that both databases keep."""
    return text[:2000].replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
