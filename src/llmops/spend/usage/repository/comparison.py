"""What the database holds, in the form in which it is compared with the log and with itself."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Select, and_, case, func, literal, or_, select, union_all

from ....store.counted import COUNTED
from ....store.database import Database
from ....store.tables import calls, rollup_groups, rollups, usage_days
from ....telemetry.rollups.repository.marks import Marks, read_marks
from ....telemetry.rollups.rollup import DAY_S, MINUTE_S, TENANTS
from ..records import CallRow
from .calls import day_of
from .sums import Used

_COLUMNS = [calls.c[name] for name in CallRow.__struct_fields__]
_TOKENS = ("prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
_IDS_AT_ONCE = 500
_ROLLED = ("calls", "errors", "unpriced", "prompt_tokens", "completion_tokens", "cached_tokens", "nanousd")
_ROLLED_COLUMNS = ("unpriced", "prompt_tokens", "completion_tokens", "cached_tokens", "cost_nanousd")
Days = dict[tuple[str, str], Used]
"""By day and tenant."""


class ComparisonRepository:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def calls(self, request_ids: Sequence[str]) -> dict[str, CallRow]:
        """The rows of these calls, where there are any."""
        found: dict[str, CallRow] = {}
        if not self._database.exists:
            return found
        with self._database.read() as connection:
            for begin in range(0, len(request_ids), _IDS_AT_ONCE):
                ids = request_ids[begin : begin + _IDS_AT_ONCE]
                for row in connection.execute(select(*_COLUMNS).where(calls.c.request_id.in_(ids))):
                    values = list(row)
                    values[2] = str(values[2])
                    found[values[0]] = CallRow(*values)
        return found

    def count_in(self, file_ids: Sequence[int]) -> int:
        """How many calls were read from these files."""
        if not self._database.exists:
            return 0
        with self._database.read() as connection:
            query = select(func.count()).select_from(calls).where(calls.c.log_file.in_(file_ids))
            return int(connection.execute(query).scalar_one())

    def ids_in(self, file_ids: Sequence[int], known: set[int]) -> list[str]:
        """Ids of the calls that were read from these files, except those whose hash is ``known``."""
        found: list[str] = []
        with self._database.read() as connection:
            query = select(calls.c.request_id).where(calls.c.log_file.in_(file_ids))
            for rows in connection.execute(query, execution_options={"yield_per": 5000}).scalars().partitions():
                found += [request_id for request_id in rows if hash(request_id) not in known]
        return found

    def calls_kept_from(self) -> date:
        """The first day whose calls are kept."""
        if not self._database.exists:
            return day_of(0)
        with self._database.read() as connection:
            return day_of(read_marks(connection).calls)

    def days(self) -> tuple[Days, Days, Days]:
        """Known tenants' calls by day and tenant, summed up from the calls, from the sums by day and from the rollups,
        at one moment; of days whose calls are kept. Rollups do not tell all kinds of tokens apart (`as_rolled`)."""
        if not self._database.exists:
            return {}, {}, {}
        days = usage_days.c
        query = union_all(
            select(
                literal(0),
                calls.c.day,
                calls.c.tenant,
                func.count(case((COUNTED, 1))),
                func.count(case((COUNTED, calls.c.error_type))),
                func.count() - func.count(calls.c.cost_nanousd),
                *(func.sum(calls.c[name]) for name in _TOKENS),
                func.coalesce(func.sum(calls.c.cost_nanousd), 0),
            )
            .where(calls.c.tenant.is_not(None))
            .group_by(calls.c.day, calls.c.tenant),
            select(
                literal(1),
                days.day,
                days.tenant,
                *(func.sum(days[name]) for name in ("calls", "errors", "unpriced", *_TOKENS, "cost_nanousd")),
            ).group_by(days.day, days.tenant),
        )
        found: tuple[Days, Days, Days] = {}, {}, {}
        with self._database.read() as connection:
            if connection.dialect.name == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            marks = read_marks(connection)
            kept_from = day_of(marks.calls).isoformat()
            for which, day, tenant, *sums in connection.execute(query):
                if str(day) >= kept_from:
                    found[which][str(day), tenant] = Used(*map(int, sums))
            for day_number, tenant, *sums in connection.execute(_rolled_days(marks)):
                used = Used(**dict(zip(_ROLLED, map(int, sums), strict=True)))
                found[2][day_of(day_number * DAY_S).isoformat(), tenant] = used
        return found


def as_rolled(days: Days) -> Days:
    """The same, with no more than rollups tell."""
    return {key: Used(**{name: getattr(used, name) for name in _ROLLED}) for key, used in days.items()}


def _rolled_days(marks: Marks) -> Select[Any]:
    """Days, and the minutes that are not part of them yet."""
    columns, groups = rollups.c, rollup_groups.c
    day = columns.starts_at // DAY_S
    errors = case((groups.error_type.is_(None), 0), else_=columns.calls)
    sums = (columns.calls, errors, *(columns[name] for name in _ROLLED_COLUMNS))
    minutes = and_(columns.period_s == MINUTE_S, columns.starts_at >= marks.folded)
    return (
        select(day, groups.tenant, *(func.sum(each) for each in sums))
        .where(
            columns.view == TENANTS,
            or_(columns.period_s == DAY_S, minutes),
            columns.starts_at >= marks.calls,
            columns.group_id == groups.id,
            groups.tenant.is_not(None),
        )
        .group_by(day, groups.tenant)
    )
