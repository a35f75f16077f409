"""Means of scores in a window, by tenant, model and release.

A score is of its trace's first call, or of the call that is its span; one of a session is of no model. Labels and
comments without a value do not count.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ScalarSelect, func, or_, select

from ....alert_settings import Dimension
from ....store.database import Database
from ....store.tables import assessments, calls
from ..sources import Key, MeanScore

_scores = assessments.c


class ScoreMeans:
    """`sources.Scores` over the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def window(self, name: str, since_s: float, until_s: float, by: Sequence[Dimension]) -> Mapping[Key, MeanScore]:
        each = (
            select(*(_of_call(dimension).label(dimension) for dimension in by), _scores.value)
            .where(
                _scores.name == name,
                _scores.value.is_not(None),
                _scores.created_at_ms >= int(since_s * 1000),
                _scores.created_at_ms < int(until_s * 1000),
            )
            .subquery()
        )
        groups = [each.c[dimension] for dimension in by]
        query = select(*groups, func.count(), func.sum(each.c.value)).group_by(*groups)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return {tuple(row[: len(by)]): MeanScore(int(row[-2]), float(row[-1])) for row in rows if row[-2]}


def _of_call(dimension: Dimension) -> Any:
    if dimension == "tenant":
        return _scores.tenant
    column = calls.c.model if dimension == "model" else calls.c.release_id
    found: ScalarSelect[Any] = (
        select(column)
        .where(
            calls.c.trace_id == _scores.trace_id,
            calls.c.tenant == _scores.tenant,
            or_(_scores.span_id.is_(None), calls.c.span_id == _scores.span_id),
        )
        .order_by(calls.c.started_at_ms)
        .limit(1)
        .correlate(assessments)
        .scalar_subquery()
    )
    return found
