"""Calls of open rollouts whose end the evidence cannot wait for: under way for too long, or lost with their gateway.

Gateways add them, each once, and the conductor reads them; what it has done with them is marked in the transaction that
keeps its evidence (`RolloutRepository.keep`).
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy import and_ as both
from sqlalchemy import or_ as either

from ...store.database import Database
from ...store.tables import calls, rollout_late_calls, rollouts
from ..assignment import CANDIDATE
from ..outcome import UNFINISHED, CallSeen
from ..state import OPEN

SUBJECT = "rollout_evidence"
_FAILED = 504
_BATCH = 500
_columns = rollout_late_calls.c


class LateCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call without an answer in time. ``rollout_id`` and ``probability`` are those of its assignment."""

    rollout_id: str
    request_id: str
    started_at_ms: int
    tenant: str
    arm: str
    probability: float
    key_id: str | None = None
    user: str | None = None
    session: str | None = None
    trace_id: str | None = None


class Late(msgspec.Struct, frozen=True, kw_only=True):
    """``has_ended``: its row has come meanwhile, with its cost; ``is_lost``: that says that its gateway died."""

    call: CallSeen
    is_counted: bool
    has_ended: bool
    is_lost: bool


class LateDone(msgspec.Struct, frozen=True):
    """Request ids that the evidence has now, and those that nothing more is awaited of."""

    counted: Sequence[str] = ()
    gone: Sequence[str] = ()


class LateCalls:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, late: Sequence[LateCall]) -> None:
        """Those of open rollouts that are not there yet."""
        with self._database.write(SUBJECT) as connection:
            open_ = set(connection.execute(select(rollouts.c.id).where(rollouts.c.status.in_(OPEN))).scalars())
            wanted = {each.request_id: each for each in late if each.rollout_id in open_}
            for request_id in _known(connection, list(wanted)):
                wanted.pop(request_id, None)
            if wanted:
                rows = [{**msgspec.structs.asdict(each), "is_counted": False} for each in wanted.values()]
                connection.execute(insert(rollout_late_calls), rows)

    def read(self, rollout_id: str, until_ms: int, limit: int = 20_000) -> list[Late]:
        """Those that began before ``until_ms`` and are not counted, or have ended since."""
        query = (
            select(rollout_late_calls, calls.c.request_id.label("ended"), calls.c.recovered, calls.c.cost_nanousd)
            .select_from(rollout_late_calls)
            .outerjoin(calls, calls.c.request_id == _columns.request_id)
            .where(_columns.rollout_id == rollout_id, _columns.started_at_ms < until_ms)
            .where(either(_columns.is_counted.is_(False), both(calls.c.request_id.is_not(None))))
            .order_by(_columns.started_at_ms)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [_late(row) for row in connection.execute(query).mappings()]


def mark(connection: Connection, rollout_id: str, done: LateDone) -> None:
    """Within a transaction of the rollout's."""
    for begin in range(0, len(done.counted), _BATCH):
        ids = done.counted[begin : begin + _BATCH]
        chosen = both(_columns.rollout_id == rollout_id, _columns.request_id.in_(ids))
        connection.execute(update(rollout_late_calls).where(chosen).values(is_counted=True))
    for begin in range(0, len(done.gone), _BATCH):
        ids = done.gone[begin : begin + _BATCH]
        chosen = both(_columns.rollout_id == rollout_id, _columns.request_id.in_(ids))
        connection.execute(delete(rollout_late_calls).where(chosen))


def forget(connection: Connection, rollout_id: str) -> None:
    """All of a rollout that has ended."""
    connection.execute(delete(rollout_late_calls).where(_columns.rollout_id == rollout_id))


def _known(connection: Connection, request_ids: Sequence[str]) -> list[str]:
    found: list[str] = []
    for begin in range(0, len(request_ids), _BATCH):
        query = select(_columns.request_id).where(_columns.request_id.in_(request_ids[begin : begin + _BATCH]))
        found += connection.execute(query).scalars()
    return found


def _late(row: Any) -> Late:
    arm, probability = row["arm"], row["probability"]
    call = CallSeen(
        request_id=row["request_id"],
        started_ms=row["started_at_ms"],
        tenant=row["tenant"],
        arm=arm,
        share=round(probability if arm == CANDIDATE else 1 - probability, 9),
        status=_FAILED,
        error_type=UNFINISHED,
        cost_nanousd=row["cost_nanousd"],
        **{name: row[name] for name in ("key_id", "user", "session", "trace_id")},
    )
    return Late(
        call=call, is_counted=row["is_counted"], has_ended=row["ended"] is not None, is_lost=bool(row["recovered"])
    )
