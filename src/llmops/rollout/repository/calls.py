"""The calls of a rollout and the scores that they have got, from the tables where everybody's are. Reads only."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import and_, case, func, select

from ...errors import BudgetExceeded
from ...store.database import Database
from ...store.tables import assessments, calls
from ...types import SHADOW, UNMIRRORED
from ..assignment import CANDIDATE
from ..outcome import CallSeen

_FIELDS = [
    *(calls.c[name] for name in ("request_id", "started_at_ms", "tenant", "arm", "probability", "status")),
    *(calls.c[name] for name in ("error_type", "latency_ms", "json_valid", "finish_reason", "cost_nanousd")),
    *(calls.c[name] for name in ("key_id", "user", "session", "trace_id")),
]


class Mirrored(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the calls that a shadow is to mirror. ``skipped``: for want of a place; ``refused`` by a
    budget."""

    copies: int = 0
    refused: int = 0
    skipped: int = 0
    spent_nanousd: int = 0


class RolloutCalls:
    """Methods block: call them from a thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, rollout_id: str, since_ms: int, until_ms: int, limit: int) -> tuple[list[CallSeen], int]:
        """Calls that began in [since, until), and up to when these are all: with more than ``limit``, earlier."""
        query = (
            select(*_FIELDS)
            .where(calls.c.rollout_id == rollout_id, calls.c.probability.is_not(None))
            .where(calls.c.started_at_ms >= since_ms, calls.c.started_at_ms < until_ms)
            .order_by(calls.c.started_at_ms)
            .limit(limit + 1)
        )
        with self._database.read() as connection:
            found = [_call(row) for row in connection.execute(query).mappings()]
        if len(found) <= limit:
            return found, until_ms
        last_ms = found[-1].started_ms
        whole = [call for call in found if call.started_ms < last_ms]
        return (whole, last_ms) if whole else (found, last_ms + 1)  # more in one millisecond: the rest is let go

    def mirrored(self, rollout_id: str) -> Mirrored:
        """Of a shadow, as far as the calls are in the database and still kept."""
        columns = calls.c
        copy, is_refused = columns.arm == SHADOW, columns.error_type == BudgetExceeded.code
        query = select(
            func.count(case((and_(copy, columns.error_type.is_distinct_from(BudgetExceeded.code)), 1))),
            func.count(case((and_(copy, is_refused), 1))),
            func.count(case((columns.arm == UNMIRRORED, 1))),
            func.coalesce(func.sum(case((copy, columns.cost_nanousd))), 0),
        ).where(columns.rollout_id == rollout_id)
        with self._database.read() as connection:
            copies, refused, skipped, spent = map(int, connection.execute(query).one())
        return Mirrored(copies=copies, refused=refused, skipped=skipped, spent_nanousd=spent)

    def scores(self, wanted: Sequence[CallSeen], names: Sequence[str]) -> list[tuple[CallSeen, Mapping[str, float]]]:
        """With each call the mean of every named score that its trace has."""
        traces = sorted({call.trace_id for call in wanted if call.trace_id is not None})
        columns, found = assessments.c, dict[tuple[str, str], dict[str, float]]()
        with self._database.read() as connection:
            for begin in range(0, len(traces), 500):
                query = (
                    select(columns.tenant, columns.trace_id, columns.name, func.avg(columns.value))
                    .where(columns.trace_id.in_(traces[begin : begin + 500]), columns.name.in_(names))
                    .where(columns.value.is_not(None))
                    .group_by(columns.tenant, columns.trace_id, columns.name)
                )
                for tenant, trace_id, name, mean in connection.execute(query):
                    found.setdefault((tenant, trace_id), {})[name] = float(mean)
        return [(call, found.get((call.tenant, call.trace_id or ""), {})) for call in wanted]


def _call(row: Any) -> CallSeen:
    arm, probability = row["arm"], row["probability"]
    return CallSeen(
        request_id=row["request_id"],
        started_ms=row["started_at_ms"],
        tenant=row["tenant"] or "",
        arm=arm,
        share=round(probability if arm == CANDIDATE else 1 - probability, 9),
        **{
            name: row[name]
            for name in (
                *("status", "error_type", "latency_ms", "json_valid", "finish_reason", "cost_nanousd"),
                *("key_id", "user", "session", "trace_id"),
            )
        },
    )
