"""Where the time goes, over many traces: each kind of step with how often it came, how long in all, and at most.

Of calls the steps are those in their timings; of what came in, spans by service and name. It looks at the newest of
them, a bounded number of each.
"""

import msgspec
from sqlalchemy import Connection, Float, func, select
from sqlalchemy import cast as sql_cast

from ....store.database import Database
from ....store.tables import calls, spans
from ...spans.call_spans import SERVICE
from ...spans.call_timings import timings_of

CALLS_AT_ONCE = 20_000
SPANS_AT_ONCE = 20_000
_STEPS = ("read", "auth", "limits", "cache", "upstream")


class StepSum(msgspec.Struct, kw_only=True):
    """``count`` steps of that name. ``total_us`` is the sum of their durations, children included."""

    service: str | None
    name: str
    step: str
    count: int
    total_us: int
    mean_us: int
    max_us: int


class StepRepository:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def steps(
        self, tenant: str | None = None, since_us: int | None = None, until_us: int | None = None, limit: int = 50
    ) -> list[StepSum]:
        """What took the longest in all, first. ``tenant`` None: of all tenants."""
        if not self._database.exists:
            return []
        with self._database.read() as connection:
            found = _of_calls(connection, tenant, since_us, until_us) + _of_spans(
                connection, tenant, since_us, until_us
            )
        return sorted(found, key=lambda each: (-each.total_us, each.name))[:limit]


def _of_calls(connection: Connection, tenant: str | None, since_us: int | None, until_us: int | None) -> list[StepSum]:
    newest = select(calls.c.timings).where(calls.c.timings.is_not(None)).order_by(calls.c.started_at_ms.desc())
    if tenant is not None:
        newest = newest.where(calls.c.tenant == tenant)
    if since_us is not None:
        newest = newest.where(calls.c.started_at_ms >= -(-since_us // 1000))
    if until_us is not None:
        newest = newest.where(calls.c.started_at_ms < -(-until_us // 1000))
    took_ms: dict[str, list[float]] = {step: [] for step in _STEPS}
    for (text,) in connection.execute(newest.limit(CALLS_AT_ONCE)):
        timings = timings_of(text)
        for step, found in took_ms.items():
            if (value := getattr(timings, step)) is not None:
                found.append(value)
    return [
        _sum(SERVICE, step, "gateway", len(found), sum(found) * 1000, max(found) * 1000)
        for step, found in took_ms.items()
        if found
    ]


def _of_spans(connection: Connection, tenant: str | None, since_us: int | None, until_us: int | None) -> list[StepSum]:
    newest = select(spans.c.service, spans.c.name, spans.c.step, spans.c.duration_us)
    newest = newest.order_by(spans.c.started_us.desc()) if tenant is not None else newest
    if tenant is not None:
        newest = newest.where(spans.c.tenant == tenant)
    if since_us is not None:
        newest = newest.where(spans.c.started_us >= since_us)
    if until_us is not None:
        newest = newest.where(spans.c.started_us < until_us)
    inner = newest.limit(SPANS_AT_ONCE).subquery()
    group = (inner.c.service, inner.c.name, inner.c.step)
    query = select(*group, func.count(), func.sum(sql_cast(inner.c.duration_us, Float)), func.max(inner.c.duration_us))
    return [_sum(*row) for row in connection.execute(query.group_by(*group))]


def _sum(service: str | None, name: str, step: str, count: int, total_us: float, max_us: float) -> StepSum:
    return StepSum(
        service=service,
        name=name,
        step=step,
        count=count,
        total_us=round(total_us),
        mean_us=round(total_us / count),
        max_us=round(max_us),
    )
