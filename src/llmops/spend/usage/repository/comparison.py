"""What the database holds, in the form in which it is compared with the log and with itself."""

from collections.abc import Sequence

from sqlalchemy import func, literal, select, union_all

from ....store.database import Database
from ....store.tables import calls, usage_days
from ..records import CallRow
from .sums import Used

_COLUMNS = [calls.c[name] for name in CallRow.__struct_fields__]
_TOKENS = ("prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
_IDS_AT_ONCE = 500
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

    def days(self) -> tuple[Days, Days]:
        """Known tenants' calls by day and tenant, summed up from the calls and from the sums by day, at one moment."""
        if not self._database.exists:
            return {}, {}
        days = usage_days.c
        query = union_all(
            select(
                literal(0),
                calls.c.day,
                calls.c.tenant,
                func.count(),
                func.count(calls.c.error_type),
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
        found: tuple[Days, Days] = {}, {}
        with self._database.read() as connection:
            for which, day, tenant, *sums in connection.execute(query):
                found[which][str(day), tenant] = Used(*map(int, sums))
        return found
