"""What a call's row says of its trace, and texts that the log captured: stored once, with the calls they belong to."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from llmops.spend.usage.call_line import LineReader
from llmops.spend.usage.captured import captured
from llmops.spend.usage.ingestion import Ingestion
from llmops.spend.usage.reconciliation import reconcile
from llmops.spend.usage.repository.calls import CallRepository
from llmops.spend.usage.repository.comparison import ComparisonRepository
from llmops.store.database import Database
from llmops.store.tables import calls, span_days, span_texts
from llmops.telemetry.record import MaskedMessage
from llmops.telemetry.spans.call_timings import timings_of
from tests.spend.usage.logs import LogFolder, ingest, line, run, stored

SAID = [MaskedMessage("system", "0" * 32, 2, "be kind"), MaskedMessage("user", "0" * 32, 2, '[{"text":"a zebra"}]')]
FAILED = {"deployment": "d", "error_type": "e", "status": 503, "latency_ms": 1.5, "began_ms": 0.25}


def changed(**fields: Any) -> bytes:
    raw = json.loads(line(1))
    raw.update(fields)
    return json.dumps(raw).encode() + b"\n"


def test_a_row_says_what_its_spans_are_made_of() -> None:
    given = {"timings_ms": {"auth": 0.5, "upstream": 9.25}, "failed_attempts": [FAILED], "session": "s", "attempts": 2}
    (row,), _ = LineReader().read(changed(parent_span_id="c" * 16, upstream_id="x", degraded="stale", **given), 7)
    assert (row.trace_id, row.span_id, row.parent_span_id) == ("a" * 32, "b" * 16, "c" * 16)
    assert (row.session, row.attempts, row.upstream_id, row.degraded) == ("s", 2, "x", "stale")
    timings = timings_of(row.timings)
    assert (timings.auth, timings.upstream, timings.limits) == (0.5, 9.25, None)
    assert [(each.deployment, each.began_ms) for each in timings.failed] == [("d", 0.25)]


@pytest.mark.parametrize(
    "fields",
    [
        {"trace_id": "a" * 33},
        {"span_id": 5},
        {"parent_span_id": "\0"},
        {"attempts": -1},
        {"timings_ms": {"auth": "long"}},
        {"timings_ms": []},
        {"failed_attempts": [{}]},
        {"failed_attempts": "none"},
    ],
)
def test_a_trace_that_cannot_be_is_no_reason_to_lose_the_call(fields: dict[str, Any]) -> None:
    rows, unreadable = LineReader().read(changed(**fields), 7)
    assert len(rows) == 1 and unreadable == [] and rows[0].cost_nanousd == 1000


def test_texts_are_found_in_lines_that_have_them() -> None:
    lines = line(1) + line(2, messages_masked=SAID, output="It is.") + b"torn\n" + line(3, output="Alone.")
    assert captured(lines) == {
        f"req_{2:032x}": "\x1e#be kind\n\x1e>a zebra\n\x1e<It is.",
        f"req_{3:032x}": "\x1e<Alone.",
    }
    assert captured(line(1, user='"content":"no"')) == {}


def test_texts_are_stored_once_with_their_calls(tmp_path: Path, database: Database) -> None:
    log = LogFolder(tmp_path / "logs")
    log.append(line(1) + line(2, messages_masked=SAID, span_id="2" * 16))
    log.append(line(2, messages_masked=SAID) + line(3, output="x", tenant="other", requested_model=None))
    ingest(log, database, limit_bytes=10)
    log.append(line(2, output="again"))
    ingest(log, database)
    with database.read() as connection:
        texts = connection.execute(select(span_texts.c.tenant, span_texts.c.span_id, span_texts.c.text)).all()
        days = connection.execute(select(span_days.c.spans, span_days.c.bytes)).all()
    assert [tuple(row) for row in texts] == [("acme", "2" * 16, "\x1e#be kind\n\x1e>a zebra")], "nobody's are not kept"
    assert [row.spans for row in days] == [0] and days[0].bytes > 0
    assert stored(database) == [1, 2, 3]


def test_where_texts_are_never_kept_the_database_gets_none(tmp_path: Path, database: Database) -> None:
    log, keeps = LogFolder(tmp_path / "logs"), [False, True]
    ingestion = Ingestion(log.path, CallRepository(database, lambda: keeps[0]))
    for number in (1, 2):
        log.append(line(number, messages_masked=SAID, span_id=str(number) * 16))
        run(ingestion)
        keeps.pop(0)
        keeps.append(True)
    ingestion.close()
    with database.read() as connection:
        assert connection.execute(select(span_texts.c.span_id)).scalars().all() == ["2" * 16]
    assert stored(database) == [1, 2]


def test_rows_of_an_earlier_version_are_no_difference(tmp_path: Path, database: Database) -> None:
    log = LogFolder(tmp_path / "logs")
    log.append(line(1) + line(2))
    ingest(log, database)
    with database.write("usage") as connection:
        connection.execute(update(calls).values(trace_id=None, span_id=None, attempts=None))
    repository = ComparisonRepository(database)
    assert reconcile(log.path, repository).equal
    with database.write("usage") as connection:
        connection.execute(update(calls).values(attempts=5))
    found = reconcile(log.path, repository, mend=CallRepository(database).replace)
    assert found.different_calls == 2 and "trace_id" in found.call_differences[0].what
    assert reconcile(log.path, repository).equal, "mended"
