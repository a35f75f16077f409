"""An export in this process: a log, a spool and a database, and turns that are taken by hand."""

import time
from pathlib import Path
from typing import Any

from llmops.clock import ManualClock
from llmops.export_process import reader
from llmops.spend.usage.log_follower import LogFollower
from llmops.store.database import Database
from llmops.telemetry.assessments.assessment import Assessment, assessment_of
from llmops.telemetry.assessments.repository.assessments import AssessmentRepository
from llmops.telemetry.export.call_source import CallSource
from llmops.telemetry.export.counts import Counts, Status
from llmops.telemetry.export.destination import Destination
from llmops.telemetry.export.exporter import Exporter
from llmops.telemetry.export.repository.exports import ExportRepository
from llmops.telemetry.export.source import Source
from llmops.telemetry.export.span_source import SpanSource, remove_read
from llmops.telemetry.export.tools import tool_for
from llmops.telemetry.record import timestamp
from llmops.telemetry.traces.spool import Spool
from llmops.telemetry.traces.spool_reader import KEPT
from tests.spend.usage.logs import LogFolder, line
from tests.telemetry.traces.exports import export, wire_span

PLACE = "here"
SPANS_OF_A_CALL = 1
"""Lines without timings are one span each."""


class Lab:
    """Calls and spans are produced, then ``exporter`` is built; a new one goes on where the one before stood."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.clock = ManualClock(now_s=time.time())
        self.log = LogFolder(folder / "logs")
        self.folder = folder / "logs/spans"
        self.spool = Spool(self.folder, limit_bytes=100_000_000, file_bytes=20_000)
        self.database = database
        self.repository, self.assessments = ExportRepository(database), AssessmentRepository(database)
        self.calls = self.spans = 0
        self._exporters: list[Exporter] = []
        (self.folder / KEPT).mkdir(parents=True)

    def call(self, count: int = 1, **fields: Any) -> None:
        for _ in range(count):
            self.calls += 1
            ids = {"trace_id": f"{self.calls:032x}", "span_id": f"{self.calls:016x}"}
            self.log.append(line(self.calls, **{"timestamp": timestamp(self.clock.now_s()), **ids, **fields}))

    def span(self, count: int = 1, *, tenant: str = "acme", **fields: Any) -> None:
        """One export of so many spans."""
        numbers = range(self.spans + 1, self.spans + count + 1)
        body = export(*[wire_span(10**6 + number, trace=10**6 + number, **fields) for number in numbers])
        self.spool.append(tenant, "protobuf", body, spans=count, received_us=int(self.clock.now_s() * 1e6))
        self.spans += count

    def score(self, **fields: Any) -> Assessment:
        given = {"trace_id": "ab" * 16, "name": "helpful", "value": 1.0, **fields}
        made = assessment_of(given, fields.pop("tenant", "acme"), int(self.clock.now_s() * 1000), "s1")
        self.assessments.store([made])
        return made

    def exporter(self, destination: Destination) -> Exporter:
        calls = CallSource(LogFollower(self.log.path), reader("1.41", content=destination.content))
        sources: list[Source] = [calls, SpanSource(self.folder)]
        found = Exporter(
            destination, tool_for(destination), sources, self.repository, self.assessments, PLACE, self.clock.now_s
        )
        self._exporters.append(found)
        found.begin()
        return found

    def close(self) -> None:
        self.spool.close()
        for each in self._exporters:
            each.close()

    @property
    def produced(self) -> int:
        return self.calls * SPANS_OF_A_CALL + self.spans

    def tidy(self, *exporters: Exporter) -> list[str]:
        """The files that are kept after those that everybody has read are gone."""
        remove_read(self.folder, [each.sources[1].positions for each in exporters])
        return sorted(path.name for path in (self.folder / KEPT).iterdir())


def drain(exporter: Exporter, *, turns: int = 10_000) -> Status:
    """Turn until there is nothing to do. Pauses are not waited for."""
    idle = 0
    for _ in range(turns):
        idle = idle + 1 if exporter.turn() else 0
        if idle > 2 and exporter.status.failing is None:
            break
    exporter.measure()
    return exporter.status


def lost(counts: Counts) -> dict[str, int]:
    return {**counts.refused, **counts.dropped}
