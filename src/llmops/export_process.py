"""``python -m llmops.export_process``: exports in a process of their own, beside the gateway, so that no call waits.

The composition root of exports: it joins the request log's follower, which belongs to usage, with what sends. The
gateway writes `Orders` to its input and leaves that open: when it ends, so does this. `Report` goes the other way; the
first one says that all positions are known, so that nothing that comes from then on is missed.
"""

import logging
import os
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from .errors import LLMOpsError
from .spend.usage.call_line import LineReader
from .spend.usage.log_follower import LogFollower
from .spend.usage.records import CallRow
from .store.database import Database
from .telemetry import operator_log
from .telemetry.assessments.repository.assessments import AssessmentRepository
from .telemetry.export.call_source import CallSource, Lines
from .telemetry.export.captured import Captured, with_texts
from .telemetry.export.crew import Crew, place_of, taken
from .telemetry.export.destination import Destination
from .telemetry.export.exporter import Exporter
from .telemetry.export.orders import NOT_MINE, Orders, Report
from .telemetry.export.repository.exports import ExportRepository
from .telemetry.export.source import Produced, Source
from .telemetry.export.span_source import SpanSource
from .telemetry.export.tools import tool_for
from .telemetry.spans.call_spans import StoredCall, spans_of_call
from .telemetry.spans.genai_write import Semconv

_log = logging.getLogger(__name__)
_REPORT_S = 0.5
_RETRY_S = 1.0
_LAST_S = 3.0
_NICE = 5
_FIELDS = StoredCall.__struct_fields__


def reader(semconv: Semconv, *, content: bool) -> Callable[[Lines], list[Produced]]:
    """What makes spans of the log's lines; with ``content`` they carry the texts that were captured."""
    lines = LineReader()

    def read(chunk: Lines) -> list[Produced]:
        rows, _ = lines.read(chunk.lines, chunk.part.id)
        texts = Captured(chunk.lines) if content else None
        return [_produced(row, semconv, texts) for row in rows if row.trace_id and row.span_id]

    return read


def _produced(row: CallRow, semconv: Semconv, texts: Captured | None) -> Produced:
    call = StoredCall(**{name: getattr(row, name) for name in _FIELDS})
    spans = spans_of_call(call, semconv)
    if texts is not None:
        spans[0] = with_texts(spans[0], texts.of(row.request_id))
    return Produced(row.tenant, row.started_at_ms / 1000, spans)


def build(orders: Orders, database: Database) -> Crew:
    """The exports of these orders, which nothing has been read for yet."""
    log, spool = Path(orders.log), Path(orders.spool)
    repository, assessments = ExportRepository(database), AssessmentRepository(database)
    place = place_of(log.parent)

    def exporter(destination: Destination) -> Exporter:
        calls = CallSource(LogFollower(log), reader(destination.semconv, content=destination.content))
        sources: list[Source] = [calls, SpanSource(spool)]
        return Exporter(destination, tool_for(destination), sources, repository, assessments, place, time.time)

    return Crew([exporter(each) for each in orders.destinations], spool)


def main() -> int:
    """Exit status: 0 when the gateway has ended, `NOT_MINE` where another process does the work."""
    operator_log.configure()
    os.nice(_NICE)  # calls first
    orders = msgspec.json.decode(sys.stdin.buffer.readline(), type=Orders)
    lock = taken(Path(orders.log).parent)
    if lock is None:
        return NOT_MINE
    database = Database(orders.database_url)
    try:
        crew = build(orders, database)
        if not _begun(crew):
            return 0
        crew.start()
        last = b""
        while not _ended(_REPORT_S):
            crew.tidy()
            last = _tell(Report(exports=crew.statuses()), last)
        crew.stop(_LAST_S)
        crew.tidy()
        _tell(Report(exports=crew.statuses()), b"")
    except (BrokenPipeError, KeyboardInterrupt):
        pass
    finally:
        database.close()
        os.close(lock)
    return 0


def _begun(crew: Crew) -> bool:
    """Whether all positions are known; False when the gateway has ended meanwhile."""
    while True:
        try:
            crew.begin()
        except (LLMOpsError, OSError) as exc:
            _log.error("exports cannot begin: %s", exc)
            _tell(Report(failing=str(exc)), b"")
            if _ended(_RETRY_S):
                return False
        else:
            _tell(Report(exports=crew.statuses()), b"")
            return True


def _tell(report: Report, last: bytes) -> bytes:
    line = msgspec.json.encode(report)
    if line != last:
        os.write(sys.stdout.fileno(), line + b"\n")
    return line


def _ended(pause_s: float) -> bool:
    """Whether the gateway has, after waiting so long for it."""
    readable, _, _ = select.select([sys.stdin], [], [], pause_s)
    return bool(readable) and not os.read(sys.stdin.fileno(), 4096)


if __name__ == "__main__":
    raise SystemExit(main())
