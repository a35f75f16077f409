"""Runs and the figures of their metrics in the database.

Figures are rows of their own, so that a trend is one short query. Texts (answers, explanations, evidence) stay in the
journal: of what was said nothing is here.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from ...store.database import Database
from ...store.tables import eval_metrics, eval_results, eval_runs
from ..journal import Ending
from ..run import RunSpec
from ..summary import Figure, Summary

SUBJECT = "evals"
_encode = msgspec.json.Encoder(order="deterministic").encode
_FIGURE = ("n", "mean", "low", "high", "units", "errors", "unmeasured")


class StoredRun(msgspec.Struct, frozen=True, kw_only=True):
    spec: RunSpec
    ending: Ending
    summary: Summary | None
    """None before the first results are stored."""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One run in the trend of a metric."""

    run_id: str
    started_at_ms: int
    dataset_version: str
    subject: dict[str, str]
    code_revision: str | None
    figure: Figure


class RunRepository:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = postgresql.insert if database.folder is None else sqlite.insert

    def store(self, spec: RunSpec, ending: Ending, summary: Summary | None) -> None:
        """Store a run as it stands; what was stored of it before is replaced."""
        row = {
            "tenant": spec.tenant,
            "dataset": spec.dataset,
            "dataset_version": spec.dataset_version,
            "state": ending.state,
            "started_at_ms": spec.started_at_ms,
            "ended_at_ms": ending.ended_at_ms,
            "code_revision": spec.code_revision,
            "spec": _encode(spec).decode(),
            "ending": _encode(ending).decode(),
            "summary": None if summary is None else _encode(summary).decode(),
        }
        with self._database.write(SUBJECT) as connection:
            adding = self._insert(eval_runs).values(run_id=spec.run_id, **row)
            connection.execute(adding.on_conflict_do_update(index_elements=["run_id"], set_=row))
            connection.execute(delete(eval_metrics).where(eval_metrics.c.run_id == spec.run_id))
            if summary is not None and summary.metrics:
                connection.execute(
                    self._insert(eval_metrics),
                    [
                        {
                            "run_id": spec.run_id,
                            "name": each.name,
                            "tenant": spec.tenant,
                            "dataset": spec.dataset,
                            "started_at_ms": spec.started_at_ms,
                            **{name: getattr(each, name) for name in _FIGURE},
                        }
                        for each in summary.metrics
                    ],
                )

    def get(self, run_id: str, tenant: str | None = None) -> StoredRun | None:
        found = self.find(run_id=run_id, tenant=tenant, limit=1)
        return found[0] if found else None

    def find(
        self,
        *,
        tenant: str | None = None,
        dataset: str | None = None,
        run_id: str | None = None,
        limit: int = 100,
        before_ms: int | None = None,
    ) -> list[StoredRun]:
        """The newest first."""
        if not self._database.exists:
            return []
        columns = eval_runs.c
        query = select(columns.spec, columns.ending, columns.summary)
        for name, value in (("tenant", tenant), ("dataset", dataset), ("run_id", run_id)):
            if value is not None:
                query = query.where(columns[name] == value)
        if before_ms is not None:
            query = query.where(columns.started_at_ms < before_ms)
        query = query.order_by(columns.started_at_ms.desc(), columns.run_id.desc()).limit(limit)
        with self._database.read() as connection:
            return [stored_run(*row) for row in connection.execute(query)]

    def trend(self, name: str, dataset: str, *, tenant: str | None = None, limit: int = 100) -> Sequence[Point]:
        """A metric over the runs with a dataset, the oldest of the newest ``limit`` first."""
        if not self._database.exists:
            return []
        figures, runs = eval_metrics.c, eval_runs.c
        query = (
            select(runs.spec, *[figures[column] for column in _FIGURE])
            .join_from(eval_metrics, eval_runs, figures.run_id == runs.run_id)
            .where(figures.dataset == dataset, figures.name == name)
        )
        if tenant is not None:
            query = query.where(figures.tenant == tenant)
        query = query.order_by(figures.started_at_ms.desc(), figures.run_id.desc()).limit(limit)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [_point(name, spec, values) for spec, *values in reversed(rows)]

    def remove(self, run_id: str, tenant: str | None = None) -> bool:
        """Forget a run and its results; False where there is none."""
        if not self._database.exists or self.get(run_id, tenant) is None:
            return False
        with self._database.write(SUBJECT) as connection:
            for table in (eval_results, eval_metrics, eval_runs):
                connection.execute(delete(table).where(table.c.run_id == run_id))
        return True


def stored_run(spec: str, ending: str, summary: str | None) -> StoredRun:
    """From its columns."""
    return StoredRun(
        spec=msgspec.json.decode(spec, type=RunSpec),
        ending=msgspec.json.decode(ending, type=Ending),
        summary=None if summary is None else msgspec.json.decode(summary, type=Summary),
    )


def _point(name: str, spec: str, values: list[Any]) -> Point:
    run = msgspec.json.decode(spec, type=RunSpec)
    metric = next((each for each in run.metrics if each.name == name), None)
    figure = Figure(name=name, **dict(zip(_FIGURE, values, strict=True)))
    if metric is not None:
        figure = msgspec.structs.replace(figure, direction=metric.direction, scale=metric.scale)
    return Point(
        run_id=run.run_id,
        started_at_ms=run.started_at_ms,
        dataset_version=run.dataset_version,
        subject=run.subject,
        code_revision=run.code_revision,
        figure=figure,
    )
