"""How much a prompt's versions are used: calls, errors, latency and cost of a window, from an index over the calls."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import case, func, select

from ...store.database import Database
from ...store.tables import calls


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """Of one version within a window. ``cost_nanousd`` None: of none of its calls the price is known."""

    number: int
    calls: int
    errors: int
    mean_latency_ms: float | None
    cost_nanousd: int | None
    first_at_ms: int | None
    last_at_ms: int | None


def usage_of(
    database: Database, tenant: str | None, name: str, numbers: Sequence[int], since_ms: int, until_ms: int
) -> list[Use]:
    """The use of these versions by a tenant (None: by all). Blocks; reads nothing but the index."""
    if not database.exists or not numbers:
        return []
    columns = calls.c
    stamps = {f"{name}@{number}": number for number in numbers}
    query = select(
        columns.prompt_version,
        func.count(),
        func.sum(case((columns.status >= 400, 1), else_=0)),
        func.avg(columns.latency_ms),
        func.sum(columns.cost_nanousd),
        func.min(columns.started_at_ms),
        func.max(columns.started_at_ms),
    ).where(
        columns.prompt_version.is_not(None),
        columns.prompt_version.in_(list(stamps)),
        columns.started_at_ms >= since_ms,
        columns.started_at_ms < until_ms,
    )
    if tenant is not None:
        query = query.where(columns.tenant == tenant)
    with database.read() as connection:
        rows = {row[0]: row[1:] for row in connection.execute(query.group_by(columns.prompt_version))}
    return [_use(number, rows.get(stamp)) for stamp, number in stamps.items()]


def _use(number: int, row: Sequence[object] | None) -> Use:
    if row is None:
        row = (0, 0, None, None, None, None)
    count, errors, latency, cost, first, last = row
    return Use(
        number=number,
        calls=_int(count) or 0,
        errors=_int(errors) or 0,
        mean_latency_ms=None if latency is None else float(latency),  # type: ignore[arg-type]
        cost_nanousd=_int(cost),
        first_at_ms=_int(first),
        last_at_ms=_int(last),
    )


def _int(value: object) -> int | None:
    return None if value is None else int(value)  # type: ignore[call-overload]
