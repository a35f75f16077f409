"""Sessions: conversations of many calls and traces, the one with the latest activity first.

A session stands where its latest call or trace does; those before are passed over by looking whether there is a
later one. What a session comes to is then summed up for those on the page only.
"""

from typing import Any

import msgspec
from sqlalchemy import Connection, exists, func, not_, select

from ....store.database import Database
from ....store.tables import calls, traces
from ..query import Found, Position, TraceItem, merged, read_cursor, write_cursor
from .call_rows import of_tenant
from .days import call_days


class Session(msgspec.Struct, kw_only=True):
    """``traces`` counts those of which spans came in, ``calls`` those through this gateway. Tokens and cost are the
    calls'; where there are none, the traces'."""

    session: str
    tenant: str | None
    first_us: int
    last_us: int
    calls: int = 0
    traces: int = 0
    errors: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nanousd: int = 0
    user: str | None = None


class SessionPage(msgspec.Struct):
    items: list[Session]
    cursor: str | None = None


class SessionRepository:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sessions(self, tenant: str | None, limit: int = 50, cursor: str | None = None) -> SessionPage:
        """A page of sessions; ``tenant`` None: of all tenants. `InvalidRequest` for a cursor that is none."""
        after = read_cursor("sessions", cursor) if cursor is not None else None
        if not self._database.exists:
            return SessionPage([])
        with self._database.read() as connection:
            days = call_days(connection)
            chosen, further = merged(
                [_of_calls(connection, days, tenant, after, limit), _of_traces(connection, tenant, after, limit)], limit
            )
            items: list[Session] = []
            for position, item in chosen:
                session = _summed(connection, days, item.session or "", item.tenant)
                if session.last_us <= position.key and not any(_same(session, each) for each in items):
                    items.append(session)  # otherwise it has its place further up
        return SessionPage(items, write_cursor("sessions", further) if further is not None else None)


def _same(one: Session, other: Session) -> bool:
    return (one.tenant, one.session) == (other.tenant, other.session)


def _of_calls(connection: Connection, days: Any, tenant: str | None, after: Position | None, limit: int) -> Found:
    later = calls.alias("later")
    query = select(calls.c.session, calls.c.tenant, calls.c.started_at_ms).where(
        calls.c.session.is_not(None),
        not_(
            exists().where(
                later.c.day.in_(days),
                later.c.session == calls.c.session,
                func.coalesce(later.c.tenant, "") == func.coalesce(calls.c.tenant, ""),
                later.c.started_at_ms > calls.c.started_at_ms,
            )
        ),
    )
    if tenant is not None:
        query = query.where(calls.c.tenant == tenant)
    if after is not None:
        at = after.key / 1000
        query = query.where(calls.c.started_at_ms <= at, (calls.c.started_at_ms < at) | (calls.c.session < after.id))
    rows = connection.execute(
        query.order_by(calls.c.started_at_ms.desc(), calls.c.session.desc()).limit(limit + 1)
    ).all()
    return _found([(row[2] * 1000, row[0], row[1]) for row in rows], limit)


def _of_traces(connection: Connection, tenant: str | None, after: Position | None, limit: int) -> Found:
    later = traces.alias("later")
    query = select(traces.c.session, traces.c.tenant, traces.c.started_us).where(
        traces.c.session.is_not(None),
        not_(
            exists().where(
                later.c.tenant == traces.c.tenant,
                later.c.session == traces.c.session,
                later.c.started_us > traces.c.started_us,
            )
        ),
    )
    if tenant is not None:
        query = query.where(traces.c.tenant == tenant)
    if after is not None:
        at = after.key
        query = query.where(traces.c.started_us <= at, (traces.c.started_us < at) | (traces.c.session < after.id))
    rows = connection.execute(
        query.order_by(traces.c.started_us.desc(), traces.c.session.desc()).limit(limit + 1)
    ).all()
    return _found([(row[2], row[0], row[1]) for row in rows], limit)


def _found(rows: list[tuple[int, str, str | None]], limit: int) -> Found:
    items = [
        (
            Position(float(at_us), session),
            TraceItem(
                source="call", trace_id="", tenant=tenant, started_us=at_us, duration_us=0, name=None, session=session
            ),
        )
        for at_us, session, tenant in rows
    ]
    return Found(items, items[-1][0] if len(items) > limit else None)


def _summed(connection: Connection, days: Any, session: str, tenant: str | None) -> Session:
    own = [calls.c.day.in_(days), calls.c.session == session, of_tenant(calls.c, tenant)]
    row = connection.execute(
        select(
            func.count(),
            func.coalesce(func.min(calls.c.started_at_ms), 0),
            func.coalesce(func.max(calls.c.started_at_ms), 0),
            func.count(calls.c.error_type),
            *(func.coalesce(func.sum(calls.c[name]), 0) for name in ("prompt_tokens", "completion_tokens")),
            func.coalesce(func.sum(calls.c.cost_nanousd), 0),
            func.max(calls.c.user),
        ).where(*own)
    ).one()
    outside = connection.execute(
        select(
            func.count(),
            func.coalesce(func.min(traces.c.started_us), 0),
            func.coalesce(func.max(traces.c.started_us), 0),
            *(func.coalesce(func.sum(traces.c[name]), 0) for name in ("errors", "input_tokens", "output_tokens")),
            func.coalesce(func.sum(traces.c.cost_nanousd), 0),
            func.max(traces.c.user),
        ).where(traces.c.session == session, traces.c.tenant == tenant)
    ).one()
    used = row[3:7] if row[0] else outside[3:7]
    firsts = [
        each for each in (row[1] * 1000 if row[0] else None, outside[1] if outside[0] else None) if each is not None
    ]
    return Session(
        session=session,
        tenant=tenant,
        first_us=min(firsts, default=0),
        last_us=max(row[2] * 1000, outside[2]),
        calls=int(row[0]),
        traces=int(outside[0]),
        errors=max(int(row[3]), int(outside[3])),
        input_tokens=int(used[1]),
        output_tokens=int(used[2]),
        cost_nanousd=int(used[3]),
        user=row[7] or outside[7],
    )
