"""What pages about runs ask the database: a page of runs, which metrics there are, the cells of a run as plain rows.

A place in the list is a run's start and id together, so that runs which began in the same millisecond are all shown.
Cells are read as they are stored, without an object each: a run of 100,000 is sorted and cut in the caller.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from sqlalchemy import and_, func, or_, select

from ...errors import InvalidRequest
from ...store.database import Database
from ...store.tables import eval_metrics, eval_results, eval_runs
from ..run import RunState
from .runs import StoredRun, stored_run

_decode = msgspec.json.Decoder(dict[str, tuple[float | None, bool | None, str | None]]).decode
_AT_ONCE = 5_000


class Place(NamedTuple):
    """Of a run in the list; as text ``1735689600000.a-run``."""

    started_at_ms: int
    run_id: str

    @classmethod
    def of(cls, text: str) -> "Place":
        """`InvalidRequest` for what is none."""
        began, point, run_id = text.partition(".")
        if not (point and began.isdecimal() and len(began) < 19):
            raise InvalidRequest(f"after {text[:60]!r}: `next` of the page before would be right", param="after")
        return cls(int(began), run_id)

    def __str__(self) -> str:
        return f"{self.started_at_ms}.{self.run_id}"


class Measured(NamedTuple):
    """A metric that runs with a dataset have."""

    tenant: str
    dataset: str
    metric: str
    runs: int
    last_ms: int


class Row(NamedTuple):
    """One cell. ``scores`` by name: value, passed, the error's code."""

    case_id: str
    repeat: int
    error: str | None
    scores: dict[str, tuple[float | None, bool | None, str | None]]
    latency_ms: float | None
    tokens_out: int | None
    cost_nanousd: int | None
    cached: bool
    trace_id: str | None

    def value(self, metric: str) -> float | None:
        found = self.scores.get(metric)
        return found[0] if found is not None else None


class RunReader:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self,
        *,
        tenant: str | None = None,
        dataset: str | None = None,
        state: RunState | None = None,
        after: Place | None = None,
        limit: int = 50,
    ) -> list[StoredRun]:
        """The newest first, behind ``after``."""
        if not self._database.exists:
            return []
        runs = eval_runs.c
        query = select(runs.spec, runs.ending, runs.summary)
        for name, value in (("tenant", tenant), ("dataset", dataset), ("state", state)):
            if value is not None:
                query = query.where(runs[name] == value)
        if after is not None:
            same = and_(runs.started_at_ms == after.started_at_ms, runs.run_id < after.run_id)
            query = query.where(or_(runs.started_at_ms < after.started_at_ms, same))
        query = query.order_by(runs.started_at_ms.desc(), runs.run_id.desc()).limit(limit)
        with self._database.read() as connection:
            return [stored_run(*row) for row in connection.execute(query)]

    def metrics(self, tenant: str | None = None) -> list[Measured]:
        """Which there are, those of the dataset that was run last first."""
        if not self._database.exists:
            return []
        columns = eval_metrics.c
        last = func.max(columns.started_at_ms)
        query = select(columns.tenant, columns.dataset, columns.name, func.count(), last)
        if tenant is not None:
            query = query.where(columns.tenant == tenant)
        query = query.group_by(columns.tenant, columns.dataset, columns.name)
        with self._database.read() as connection:
            found = [Measured(*row) for row in connection.execute(query)]
        newest: dict[tuple[str, str], int] = {}
        for each in found:
            whose = (each.tenant, each.dataset)
            newest[whose] = max(each.last_ms, newest.get(whose, 0))
        return sorted(found, key=lambda each: (-newest[each.tenant, each.dataset], *each[:3]))

    def rows(self, run_id: str, case_id: str | None = None) -> Iterator[Row]:
        """The cells of a run, or of one of its cases, by case and repeat."""
        columns = eval_results.c
        query = select(*[columns[name] for name in Row._fields]).where(columns.run_id == run_id)
        if case_id is not None:
            query = query.where(columns.case_id == case_id)
        with self._database.read() as connection:
            for row in connection.execute(query.order_by(columns.case_id, columns.repeat)).yield_per(_AT_ONCE):
                case, repeat, error, scores, *rest = row
                yield Row(case, repeat, error, _decode(scores), *rest)
