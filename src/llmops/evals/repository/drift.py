"""Windows of calls for drift, sampled by their span's random id, and the latest report of each watch."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, func, insert, or_, select, update

from ...store.counted import COUNTED
from ...store.database import Database
from ...store.tables import calls, drift_reports, span_texts
from ...telemetry.traces.said import messages_of
from ..drift.exchange import DriftReport, Exchange

_SUBJECT = "drift"
_COLUMNS = {"tenant": calls.c.tenant, "model": calls.c.model, "release": calls.c.release_id}
_COLUMNS["operation"] = calls.c.operation
_WORDLESS = ("embeddings", "count_tokens")
_OWN_TAGS = ('%"online_eval":%', '%"eval":%')
_AT_ONCE = 500
_SPREAD = 1.2
_decode = msgspec.json.Decoder(DriftReport).decode
_reports = drift_reports.c


class DriftRepository:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def exists(self) -> bool:
        return self._database.exists

    def sample(
        self, where: Mapping[str, str], since_s: float, until_s: float, limit: int
    ) -> tuple[int, list[Exchange]]:
        """How many calls were answered in a window, and at most ``limit`` of them: the same ones each time."""
        if not self._database.exists:
            return 0, []
        chosen = [
            calls.c.started_at_ms >= int(since_s * 1000),
            calls.c.started_at_ms < int(until_s * 1000),
            calls.c.error_type.is_(None),
            COUNTED,
            calls.c.operation.not_in(_WORDLESS),
            *[calls.c.tags.not_like(pattern) for pattern in _OWN_TAGS],
            *[_COLUMNS[name] == value for name, value in where.items()],
        ]
        with self._database.read() as connection:
            count = connection.execute(select(func.count()).where(*chosen)).scalar_one()
            return count, self._exchanges(connection, chosen, count, limit)

    def _exchanges(
        self, connection: Connection, chosen: list[ColumnElement[bool]], count: int, limit: int
    ) -> list[Exchange]:
        columns = calls.c
        query = select(
            columns.tenant,
            columns.trace_id,
            columns.span_id,
            columns.prompt_tokens,
            columns.completion_tokens,
            columns.finish_reason,
        ).where(*chosen)
        if count > limit * _SPREAD:  # span ids are random: those below a bound are a sample
            bound = int(limit * _SPREAD / count * 2**64)
            query = query.where(columns.span_id < f"{bound:016x}")
        rows = connection.execute(query.order_by(columns.span_id).limit(limit)).all()
        texts = _texts(connection, [(row.trace_id, row.span_id) for row in rows if row.trace_id and row.span_id])
        return [
            _exchange(row, texts.get((row.tenant, row.trace_id, row.span_id)) if row.span_id else None) for row in rows
        ]

    def claim(self, watch: str, tenant: str | None, now_s: float, before_s: float) -> bool:
        """Whether the report of this watch is due and it is this process that makes it."""
        due = or_(_reports.at_s <= before_s, _reports.at_s > now_s)
        with self._database.read() as connection:
            known = connection.execute(select(_reports.at_s).where(_reports.watch == watch)).scalar()
        if known is not None and before_s < known <= now_s:
            return False
        with self._database.write(_SUBJECT) as connection:
            mine = update(drift_reports).where(_reports.watch == watch, due).values(at_s=now_s, tenant=tenant)
            if connection.execute(mine).rowcount:
                return True
            if connection.execute(select(_reports.watch).where(_reports.watch == watch)).first() is not None:
                return False
            connection.execute(
                insert(drift_reports).values(watch=watch, tenant=tenant, at_s=now_s, report="")  # none is made yet
            )
            return True

    def store(self, report: DriftReport) -> None:
        values = {"report": msgspec.json.encode(report).decode(), "tenant": report.where.get("tenant")}
        with self._database.write(_SUBJECT) as connection:
            connection.execute(update(drift_reports).where(_reports.watch == report.watch).values(**values))

    def latest(self, tenant: str | None = None) -> list[DriftReport]:
        """The last report of each watch; of a tenant those that are about its own calls alone."""
        if not self._database.exists:
            return []
        query = select(_reports.report).where(_reports.report != "").order_by(_reports.watch)
        if tenant is not None:
            query = query.where(_reports.tenant == tenant)
        with self._database.read() as connection:
            return [_decode(report) for report in connection.execute(query).scalars()]


def _texts(connection: Connection, spans: list[tuple[str, str]]) -> dict[tuple[str, str, str], str]:
    found: dict[tuple[str, str, str], str] = {}
    wanted = set(spans)
    trace_ids = sorted({trace_id for trace_id, _ in spans})
    columns = span_texts.c
    for begin in range(0, len(trace_ids), _AT_ONCE):
        query = select(columns.tenant, columns.trace_id, columns.span_id, columns.text)
        for row in connection.execute(query.where(columns.trace_id.in_(trace_ids[begin : begin + _AT_ONCE]))):
            if (row.trace_id, row.span_id) in wanted:
                found[row.tenant, row.trace_id, row.span_id] = row.text
    return found


def _exchange(row: Any, text: str | None) -> Exchange:
    said = messages_of(text) if text is not None else []
    return Exchange(
        tokens_in=row.prompt_tokens,
        tokens_out=row.completion_tokens,
        finish_reason=row.finish_reason,
        asked=next((str(each["text"]) for each in reversed(said) if each["role"] == "user"), None),
        answered=str(said[-1]["text"]) if said and said[-1]["role"] == "assistant" else None,
    )
