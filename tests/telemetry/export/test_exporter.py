"""An export follows log, spool and scores: everything produced is delivered, refused, dropped, skipped or waiting."""

import msgspec
import pytest
from sqlalchemy import text

from llmops.errors import StoreUnavailable
from llmops.store.database import Database
from llmops.telemetry.export.exporter import TOO_MUCH, TOO_OLD, UNREADABLE
from llmops.telemetry.traces.spool_reader import SpoolReader
from tests.telemetry.export.collector import Collector, listening, to
from tests.telemetry.export.lab import Lab, drain


def test_calls_and_spans_are_delivered_once_each(lab: Lab) -> None:
    with listening(Collector()) as collector:
        exporter = lab.exporter(to(collector, spans_per_request=7))
        lab.call(20)
        lab.log.rotate()
        lab.call(10)
        lab.span(25)
        lab.span(5, tenant="other")
        status = drain(exporter)
        assert status.spans.delivered == lab.produced == 60 and status.spans.produced == 60
        assert set(collector.kept.values()) == {1} and len(collector.kept) == 60
        assert (status.waiting.calls, status.waiting.spans, status.waiting.bytes) == (0, 0, 0)
        assert all(len(headers) > 0 and path == "/v1/traces" for path, headers in collector.requests)
        again = lab.exporter(to(collector))
        assert drain(again).spans.delivered == 60 and len(collector.spans) == 60, "it goes on where it stood"


def test_a_new_export_begins_with_what_comes_from_then_on(lab: Lab) -> None:
    lab.call(5)
    lab.span(5)
    with listening(Collector()) as collector:
        exporter = lab.exporter(to(collector))
        lab.call(1)
        lab.span(1)
        assert drain(exporter).spans.delivered == 2 == len(collector.spans)


def test_a_dead_collector_costs_nothing_but_time(lab: Lab) -> None:
    with listening(Collector()) as collector:
        port, where = collector.port, to(collector)
    exporter = lab.exporter(where)
    lab.call(10)
    rest_s = [exporter.turn() for _ in range(6)]
    assert min(rest_s) >= 0.5 and rest_s[5] > rest_s[0], "it is asked ever less often"
    assert exporter.status.failing is not None and "cannot be reached" in exporter.status.failing
    lab.span(10)
    exporter.measure()
    waiting = exporter.status.waiting
    assert exporter.status.spans.produced + waiting.calls + waiting.spans == lab.produced == 20
    with listening(Collector(), port) as collector:
        status = drain(exporter)
    assert status.failing is None and status.spans.delivered == 20 and set(collector.kept.values()) == {1}


@pytest.mark.parametrize("status", [401, 404, 429, 502, 503, 504, 307])
def test_what_passes_is_waited_for(lab: Lab, status: int) -> None:
    with listening(Collector()) as collector:
        collector.answers.extend([(status, {"retry-after": "3"})] * 4)
        exporter = lab.exporter(to(collector))
        lab.call(10)
        assert exporter.turn() >= 3, "as long as the tool asks, at least"
        done = drain(exporter)
    assert done.spans.delivered == 10 == len(collector.spans) and not done.spans.refused


def test_a_span_that_the_tool_cannot_stand_is_refused_alone_and_the_reason_kept(lab: Lab) -> None:
    with listening(Collector()) as collector:
        collector.refused, collector.rejected = {"span 1000003"}, {"span 1000005"}
        exporter = lab.exporter(to(collector))
        lab.span(20)
        status = drain(exporter)
    assert status.spans.delivered == 18 == len(collector.spans)
    assert status.spans.refused == {"HTTP 400: a span is not to be had": 1, "unloved": 1}


def test_what_fails_inside_the_tool_does_not_stop_everything_for_ever(lab: Lab) -> None:
    with listening(Collector()) as collector:
        collector.answers.extend([500] * 5)
        exporter = lab.exporter(to(collector))
        lab.call(3)
        drain(exporter)
        lab.call(4)
        status = drain(exporter)
    assert status.spans.refused == {"HTTP 500: not now": 3} and status.spans.delivered == 4


def test_what_waits_too_long_is_dropped_and_counted(lab: Lab) -> None:
    with listening(Collector()) as collector:
        where = to(collector, max_age_s=60.0)
    exporter = lab.exporter(where)
    lab.call(10)
    exporter.turn()
    lab.span(10)
    lab.clock.advance(61)
    lab.call(1)
    for _ in range(8):
        exporter.turn()
    exporter.measure()
    assert exporter.status.spans.dropped == {TOO_OLD: 20} and exporter.status.waiting.calls == 1


def test_a_backlog_is_bounded_and_the_oldest_goes_first(lab: Lab) -> None:
    with listening(Collector()) as collector:
        where = to(collector, max_backlog_bytes=1_000_000)
    exporter = lab.exporter(where)
    for _ in range(40):
        lab.call(100)
        exporter.turn()
    status = drain(exporter, turns=60)
    assert set(status.spans.dropped) == {TOO_MUCH} and status.waiting.bytes <= 1_000_000
    assert status.spans.produced + status.waiting.calls == lab.produced == 4000
    with listening(Collector(), collector.port) as collector:
        status = drain(exporter)
    assert status.spans.produced == 4000 and status.waiting.bytes == 0
    assert max(int(each, 16) for each in collector.kept) == 4000, "the newest are delivered"


def test_a_slow_collector_is_a_failure_after_its_time(lab: Lab) -> None:
    with listening(Collector()) as collector:
        collector.slow_s = 0.5
        exporter = lab.exporter(to(collector, timeout_s=0.1))
        lab.call(1)
        assert exporter.turn() > 0 and exporter.status.failing == "it does not answer in time"
        collector.slow_s = 0.0
        assert drain(exporter).spans.delivered == 1


def test_a_database_that_is_away_sends_nothing_twice(lab: Lab, database: Database) -> None:
    with listening(Collector()) as collector:
        exporter = lab.exporter(to(collector))
        lab.call(5)
        with database.write("exports") as connection:
            connection.execute(text("ALTER TABLE exports RENAME TO away"))
        with pytest.raises(StoreUnavailable):
            drain(exporter)
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                exporter.turn()
        with database.write("exports") as connection:
            connection.execute(text("ALTER TABLE away RENAME TO exports"))
        assert drain(exporter).spans.delivered == 5 and set(collector.kept.values()) == {1}
        assert lab.repository.find("there", "here") is not None


def test_a_process_that_dies_between_sending_and_remembering_sends_again_and_loses_nothing(lab: Lab) -> None:
    with listening(Collector()) as collector:
        lab.exporter(to(collector))
        lab.call(30)
        died = lab.exporter(to(collector, spans_per_request=10))
        died.turn()
        assert len(collector.spans) == 10, "a third of a batch"
        status = drain(lab.exporter(to(collector)))
    assert len(collector.kept) == 30 and status.spans.delivered == 30


def test_only_what_was_chosen_is_sent(lab: Lab) -> None:
    with listening(Collector()) as collector:
        exporter = lab.exporter(to(collector, tenants=["acme"], sample=0.5))
        lab.call(200)
        lab.call(5, tenant="other")
        lab.span(10, tenant="other")
        status = drain(exporter)
    assert status.spans.delivered + status.spans.skipped == 215 and status.spans.produced == lab.produced
    assert 60 < status.spans.delivered < 140
    assert {span.resource["llmops.tenant"] for span in collector.spans} == {"acme"}


def test_texts_are_masked_unless_they_are_asked_for(lab: Lab) -> None:
    asked = [{"role": "user", "content_hash": "x", "content_length": 6, "content": "Secret"}]
    with listening(Collector()) as collector, listening(Collector()) as open_one:
        closed, opened = lab.exporter(to(collector)), lab.exporter(to(open_one, name="open", content=True))
        lab.call(1, messages_masked=asked, output="Hush")
        lab.span(1, attributes={"gen_ai.input.messages": "Secret", "gen_ai.request.model": "m"})
        drain(closed), drain(opened)
    assert b"Secret" not in msgspec.json.encode([span.attributes for span in collector.spans])
    said = msgspec.json.encode([span.attributes for span in open_one.spans])
    assert said.count(b"Secret") == 2 and b"Hush" in said and b"[masked: 6 characters]" not in said


def test_files_of_spans_stay_until_every_export_has_read_them(lab: Lab) -> None:
    with listening(Collector()) as collector:
        first, second = lab.exporter(to(collector)), lab.exporter(to(collector, name="second"))
        for _ in range(4):
            lab.span(100)  # more than a file holds
        drain(first)
        lab.spool.close()
        writer = SpoolReader(lab.folder)
        while (chunk := writer.next_chunk(10**6, writer.names())) is not None:
            writer.advance(chunk)
        writer.remove(writer.finished(writer.names()))
        assert len(lab.tidy(first, second)) > 1 and not writer.names(), "the writer has stored them"
        assert drain(second).spans.delivered == 400 == drain(first).spans.delivered
        assert lab.tidy(first, second) == []


def test_a_damaged_frame_is_counted(lab: Lab) -> None:
    with listening(Collector()) as collector:
        exporter = lab.exporter(to(collector))
        lab.span(3)
        lab.span(4)
        (path,) = lab.folder.glob("*.spool")
        whole = bytearray(path.read_bytes())
        whole[60] ^= 0xFF
        path.write_bytes(whole)
        status = drain(exporter)
    assert status.spans.dropped == {UNREADABLE: 3} and status.spans.delivered == 4 and status.notices
