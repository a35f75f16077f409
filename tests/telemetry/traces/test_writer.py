"""From the spool to the database, on both engines: each span once, whatever it holds and however often it comes."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select, text

from llmops.errors import StoreUnavailable
from llmops.store.database import Database
from llmops.store.tables import span_days, span_spools, span_texts, spans, traces
from llmops.telemetry.traces.repository.spans import SpanRepository
from llmops.telemetry.traces.repository.texts import TextIndex
from llmops.telemetry.traces.rest import unpack
from llmops.telemetry.traces.spool import Spool
from llmops.telemetry.traces.writer import Writer
from tests.telemetry.traces.exports import NOW_NS, NOW_S, NOW_US, export, many, wire_span

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 10,
    "gen_ai.usage.output_tokens": 5,
    "session.id": "s1",
    "user.id": "u1",
}


class House:
    """A spool, a database and a writer between them."""

    def __init__(self, folder: Path, database: Database, **options: Any) -> None:
        self.folder = folder / "spool"
        self.database = database
        self.spool = Spool(self.folder, limit_bytes=10**9)
        self.repository = SpanRepository(database)
        self.writer = Writer(self.folder, self.repository, **options)

    def take(self, body: bytes, tenant: str = "acme", count: int = 1, received_us: int = NOW_US) -> None:
        self.spool.append(tenant, "protobuf", body, spans=count, received_us=received_us)

    def write(self) -> tuple[int, int, int]:
        """Store all; stored, known and damaged since this was asked before."""
        before = self._counts()
        while self.writer.step(1_000_000, NOW_S):
            pass
        self.writer.changed()
        self.writer.tidy(NOW_S)
        after = self._counts()
        return after[0] - before[0], after[1] - before[1], after[2] - before[2]

    def _counts(self) -> tuple[int, int, int]:
        counts = list(self.writer._counts.values())
        return (
            sum(each.stored for each in counts),
            sum(each.known for each in counts),
            sum(each.damaged for each in counts),
        )

    def all(self, query: Any) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(query).all())

    def close(self) -> None:
        self.writer.close()
        self.spool.close()


@pytest.fixture
def house(tmp_path: Path, database: Database) -> Iterator[House]:
    made = House(tmp_path, database)
    yield made
    made.close()


def test_a_span_becomes_a_row_and_a_trace(house: House) -> None:
    root = wire_span(1, name="answer", end_time_unix_nano=NOW_NS + 3_000_000_000)
    chat = wire_span(2, parent=1, kind=3, attributes=CHAT, start_time_unix_nano=NOW_NS + 1_000)
    chat.status.code = 2
    house.take(export(root, chat), count=2)
    assert house.write() == (2, 0, 0)
    [row] = house.all(select(spans).where(spans.c.span_id == f"{2:016x}"))
    assert (row.tenant, row.trace_id, row.parent_id, row.kind) == ("acme", f"{1:032x}", f"{1:016x}", "client")
    assert (row.step, row.status, row.model, row.provider) == ("llm", "error", "gpt-4o", "openai")
    assert (row.input_tokens, row.output_tokens, row.session, row.user) == (10, 5, "s1", "u1")
    assert (row.started_us, row.duration_us, row.service) == (NOW_US + 1, 999, "shop")
    assert row.day.isoformat() == "2026-11-21"
    assert unpack(row.rest).attributes == CHAT
    [trace] = house.all(select(traces))
    assert (trace.name, trace.service, trace.session, trace.user) == ("answer", "shop", "s1", "u1")
    assert (trace.started_us, trace.ended_us) == (NOW_US, NOW_US + 3_000_000)
    assert (trace.spans, trace.errors, trace.input_tokens, trace.output_tokens) == (2, 1, 10, 5)
    [day] = house.all(select(span_days))
    assert (day.spans, day.masked) == (2, False)


def test_spans_of_a_trace_may_come_in_any_order_and_apart(house: House) -> None:
    house.take(export(wire_span(3, parent=2, attributes=CHAT, start_time_unix_nano=NOW_NS + 9)))
    house.write()
    [trace] = house.all(select(traces))
    assert (trace.name, trace.session) == (None, "s1")
    house.take(export(wire_span(2, parent=1), wire_span(1, name="root", start_time_unix_nano=NOW_NS - 10**9)), count=2)
    house.write()
    [trace] = house.all(select(traces))
    assert (trace.name, trace.session, trace.spans, trace.started_us) == ("root", "s1", 3, NOW_US - 10**6)


def test_a_span_that_comes_again_is_stored_once(house: House) -> None:
    body = export(wire_span(1, attributes=CHAT), wire_span(2), wire_span(2, name="its double"))
    house.take(body, count=3)
    assert house.write() == (2, 1, 0)
    house.take(body, count=3)
    house.take(export(wire_span(2), wire_span(3)), count=2)
    assert house.write() == (1, 4, 0)
    assert [row.name for row in house.all(select(spans).order_by(spans.c.span_id))] == ["span 1", "span 2", "span 3"]
    [trace] = house.all(select(traces))
    assert (trace.spans, trace.input_tokens) == (3, 10)
    assert [row.spans for row in house.all(select(span_days))] == [3]


def test_two_tenants_may_have_the_same_ids(house: House) -> None:
    """Nobody can keep another's spans out by sending theirs first, nor see or change them."""
    house.take(export(wire_span(1, name="theirs")), "evil")
    house.take(export(wire_span(1, name="ours")), "acme")
    assert house.write() == (2, 0, 0)
    found = house.all(select(spans.c.tenant, spans.c.name).order_by(spans.c.tenant))
    assert [tuple(row) for row in found] == [("acme", "ours"), ("evil", "theirs")]
    assert [row.spans for row in house.all(select(traces))] == [1, 1]


def test_the_tenant_is_the_keys_whatever_the_span_says(house: House) -> None:
    house.take(export(wire_span(1, attributes={"tenant": "other", "llmops.tenant": "other"}), resource={"tenant": "x"}))
    house.write()
    assert [row.tenant for row in house.all(select(spans))] == ["acme"]


def test_a_writer_that_dies_after_storing_stores_nothing_twice(tmp_path: Path, database: Database) -> None:
    house = House(tmp_path, database)
    house.take(many(10), count=10)
    assert house.write() == (10, 0, 0)
    house.writer.close()
    again = Writer(house.folder, house.repository)
    house.take(many(5, begin=11), count=5)
    while again.step(1_000_000, NOW_S):
        pass
    [(stored, known)] = house.all(select(span_spools.c.stored, span_spools.c.known))
    assert (stored, known) == (15, 0), "its position is in the transaction with the rows"
    assert sum(each.stored for each in again.changed().values()) == 15
    again.close()
    house.close()


def test_only_one_process_writes(house: House) -> None:
    house.take(many(1))
    other = Writer(house.folder, house.repository)
    assert house.writer.owner and not other.owner
    assert not other.step(1_000_000, NOW_S)
    house.writer.close()
    assert other.step(1_000_000, NOW_S)
    other.close()


def test_a_finished_spool_leaves_nothing_behind(house: House) -> None:
    house.take(many(3), count=3)
    house.spool.close()
    house.write()
    assert list(house.folder.glob("*.spool")) == []
    assert house.all(select(span_spools)) == []


def test_a_file_stays_until_what_became_of_it_is_told(house: House) -> None:
    """A process that dies before its report leaves the next one the numbers to tell."""
    house.take(many(3), count=3)
    house.spool.close()
    while house.writer.step(1_000_000, NOW_S):
        pass
    house.writer.tidy(NOW_S)
    assert len(list(house.folder.glob("*.spool"))) == 1
    house.writer.close()
    house.writer = Writer(house.folder, house.repository)
    house.writer.step(1_000_000, NOW_S)
    [counts] = house.writer.changed().values()
    assert counts.stored == 3
    house.writer.tidy(NOW_S)
    assert list(house.folder.glob("*.spool")) == []


def test_where_a_power_cut_must_be_survived_a_file_goes_only_when_the_database_is_on_the_disk(house: House) -> None:
    """Somebody who reads keeps SQLite's log from going to the disk whole; a server needs no help."""
    house.writer.is_durable = True
    house.take(many(3), count=3)
    house.spool.close()
    with house.database.read() as reader:
        reader.execute(select(spans.c.span_id)).all()
        embedded = house.database.folder is not None
        if not embedded:
            reader.rollback()  # or a partition could not be made
        else:
            reader.exec_driver_sql("PRAGMA busy_timeout=0")
            house.database.engine.dispose()  # connections that wait five seconds for others
            event.listen(house.database.engine, "connect", _impatient)
        assert house.write() == (3, 0, 0)
        assert bool(list(house.folder.glob("*.spool"))) == embedded
    house.write()
    assert list(house.folder.glob("*.spool")) == []


def _impatient(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA busy_timeout=0")


def test_a_dead_database_loses_nothing(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/there/x.db")
    house = House(tmp_path, database)
    house.take(many(3), count=3)
    (tmp_path / "there").write_text("not a folder")
    with pytest.raises(StoreUnavailable):
        house.write()
    assert house.writer.waiting() == 3
    (tmp_path / "there").unlink()
    assert house.write() == (3, 0, 0)
    house.close()
    database.close()


HOSTILE: dict[str, dict[str, Any]] = {
    "a megabyte": {"attributes": {"big": "x" * 1_000_000, "session.id": "y" * 1_000_000}},
    "paths and markup": {
        "name": "../../x",
        "attributes": {"../../etc/passwd": 1, "<img src=x onerror=alert(1)>": "<b>"},
    },
    "NUL": {"name": "a\0b", "attributes": {"session.id": "s\0", "gen_ai.request.model": "\0", "k\0": "\0"}},
    "its own parent": {"parent_span_id": (1).to_bytes(8, "big")},
    "ends before it begins": {"end_time_unix_nano": 5},
    "the year 1970": {"start_time_unix_nano": 0, "end_time_unix_nano": 0},
    "the end of time": {"start_time_unix_nano": 2**64 - 1, "end_time_unix_nano": 2**64 - 1},
    "tomorrow": {"start_time_unix_nano": NOW_NS + 10**15},
    "no name": {"name": ""},
    "quotes": {"name": "'; DROP TABLE spans; --", "attributes": {"session.id": '"; {}[]\\'}},
    "numbers beyond all": {
        "attributes": {**CHAT, "gen_ai.usage.input_tokens": 2**63 - 1, "gen_ai.usage.output_tokens": -(2**63)}
    },
    "no numbers": {"attributes": {**CHAT, "gen_ai.usage.input_tokens": "many", "llm.cost.total": math.nan}},
    "infinite cost": {"attributes": {**CHAT, "llm.cost.total": math.inf, "llm.token_count.prompt": 1e300}},
    "wrong types": {"attributes": {"session.id": ["a"], "gen_ai.request.model": {"a": 1}, "user.id": b"\xff"}},
    "an odd kind": {"kind": 77},
    "unicode": {"name": "\U0001f600\ufffe\u202e", "attributes": {"user.id": "\U0001f600" * 300}},
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_spans_are_stored_as_data(house: House, kind: str) -> None:
    fields = dict(HOSTILE[kind])
    house.take(export(wire_span(1, **fields), wire_span(2)), count=2)
    assert house.write() == (2, 0, 0)
    [row] = house.all(select(spans).where(spans.c.span_id == f"{1:016x}"))
    read = unpack(row.rest)
    assert set(read.attributes) == set(fields.get("attributes", {}))
    assert read.name == fields.get("name", "span 1")
    assert row.duration_us >= 0
    assert row.day.isoformat() in ("2026-11-21", "2026-11-22")
    assert house.writer.notices == []


def test_a_cycle_of_parents_is_stored(house: House) -> None:
    house.take(export(wire_span(1, parent=2), wire_span(2, parent=1)), count=2)
    assert house.write() == (2, 0, 0)
    assert [(row.name, row.spans) for row in house.all(select(traces))] == [(None, 2)]


def test_nobody_can_make_a_thousand_days(house: House) -> None:
    house.take(
        export(*[wire_span(number + 1, start_time_unix_nano=number * 86_400 * 10**9) for number in range(200)]),
        count=200,
    )
    assert house.write() == (200, 0, 0)
    assert [row.day.isoformat() for row in house.all(select(span_days))] == ["2026-11-21"]


def test_what_the_database_refuses_is_told_and_holds_up_nothing(tmp_path: Path, database: Database) -> None:
    """No span is known that either database refuses; rules of the test's own stand for one."""
    house = House(tmp_path, database)
    house.take(many(1))
    house.write()
    refusal = (
        "CREATE TRIGGER refuse BEFORE INSERT ON spans WHEN NEW.name = 'span 7' "
        "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
        if database.folder is not None
        else "ALTER TABLE spans ADD CONSTRAINT small CHECK (1 / length(replace(name, 'span 7', '')) > -1)"
    )
    with database.engine.begin() as connection:
        connection.execute(text(refusal))
    house.take(many(20, trace=2), count=20)
    assert house.write() == (19, 0, 1)
    assert [notice for notice in house.writer.notices if f"{7:016x}" in notice]
    house.take(many(1, trace=3))
    assert house.write() == (1, 0, 0)
    house.close()


def test_captured_text_is_found_by_its_tenant_alone(house: House) -> None:
    def asks(number: int, words: str) -> Any:
        return wire_span(number, attributes={**CHAT, "gen_ai.input.messages": words})

    house.take(export(asks(1, "How large is a blue whale?"), asks(2, "And a RED whale's heart?")), "acme", 2)
    house.take(export(asks(3, "a blue whale")), "acme-2")
    house.write()
    index = TextIndex(house.database)
    while index.index_some(1):
        pass
    assert index.unindexed == 0

    def found(words: str, tenant: str | None) -> list[int]:
        return [int(each.span_id, 16) for each in index.search(words, tenant=tenant, limit=10)]

    assert found("whale", "acme") == [2, 1]
    assert found("blue whale", "acme") == [1]
    assert found("BLUE", "acme-2") == [3]
    assert found("whale", None) == [3, 2, 1]
    assert found("whale", "nobody") == []
    assert found('whale" OR tenant:"acme', "acme-2") == []
    assert found("", "acme") == found("***", "acme") == []
    newest = index.search("whale", tenant="acme", limit=1)
    assert [
        int(each.span_id, 16) for each in index.search("whale", tenant="acme", limit=5, before_id=newest[0].id)
    ] == [1]


def test_masked_at_once_where_nothing_is_to_be_kept(tmp_path: Path, database: Database) -> None:
    house = House(tmp_path, database, mask_after_s=0)
    secret = "a secret that must not be written"
    house.take(export(wire_span(1, attributes={**CHAT, "gen_ai.input.messages": secret, "input.value": secret})))
    assert house.write() == (1, 0, 0)
    [row] = house.all(select(spans))
    kept = unpack(row.rest)
    assert secret not in repr(kept) and kept.attributes["gen_ai.request.model"] == "gpt-4o"
    assert house.all(select(func.count()).select_from(span_texts)) == [(0,)]
    house.close()


_values = st.recursive(
    st.text(max_size=20) | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.booleans() | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_keys = st.sampled_from(
    [*CHAT, "llm.cost.total", "openinference.span.kind", "traceloop.span.kind", "input.value"]
) | st.text(max_size=10)


@given(st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_comes_is_stored(house: House, data: st.DataObject) -> None:
    attributes = data.draw(st.dictionaries(_keys, _values, max_size=6))
    number = data.draw(st.integers(1, 2**63))
    span = wire_span(
        number,
        trace=data.draw(st.integers(1, 2**127)),
        name=data.draw(st.text(max_size=300)),
        start_time_unix_nano=data.draw(st.integers(0, 2**64 - 1)),
        end_time_unix_nano=data.draw(st.integers(0, 2**64 - 1)),
        attributes=attributes,
    )
    house.take(export(span))
    stored, known, damaged = house.write()
    assert (stored + known, damaged) == (1, 0)
