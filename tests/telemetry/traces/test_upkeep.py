"""What is too old or too much goes, oldest first, and captured text goes before; on both engines."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, inspect, select

from llmops.store.database import Database
from llmops.store.tables import span_days, span_texts, spans, traces
from llmops.telemetry.traces.repository.texts import TextIndex
from llmops.telemetry.traces.repository.upkeep import Upkeep, UpkeepRules, is_kept
from llmops.telemetry.traces.rest import unpack
from tests.telemetry.traces.exports import NOW_NS, NOW_S, NOW_US, export, wire_span
from tests.telemetry.traces.test_writer import CHAT, House

DAY_S = 86_400
SECRET = "how do I treat my illness"


@pytest.fixture
def house(tmp_path: Path, database: Database) -> Iterator[House]:
    """With ten spans, each with its text, on each of five days."""
    made = House(tmp_path, database)
    for day in range(5):
        later_ns = day * DAY_S * 10**9
        batch = [
            wire_span(
                10 * day + number + 1,
                trace=day + 1,
                start_time_unix_nano=NOW_NS + later_ns,
                end_time_unix_nano=NOW_NS + later_ns + 1,
                attributes={**CHAT, "gen_ai.input.messages": SECRET},
            )
            for number in range(10)
        ]
        made.take(export(*batch), count=10, received_us=NOW_US + later_ns // 1000)
    assert made.write() == (50, 0, 0)
    while TextIndex(database).index_some(7):
        pass
    yield made
    made.close()


def rules(**given: Any) -> UpkeepRules:
    return UpkeepRules(**{"retention_days": 1000, "max_bytes": 10**12, **given})


def done(house: House, upkeep: Upkeep, now_s: float) -> list[str]:
    """All that is due; the days that are left."""
    for _ in range(100):
        if not upkeep.step(now_s):
            break
    return [day.isoformat()[-2:] for (day,) in house.all(select(span_days.c.day).order_by(span_days.c.day))]


def count(house: House, table: Any) -> int:
    return int(house.all(select(func.count()).select_from(table))[0][0])


def searchable(house: House) -> int:
    return len(TextIndex(house.database).search("illness", tenant="acme", limit=100))


def test_nothing_is_due(house: House) -> None:
    assert done(house, Upkeep(house.database, rules(mask_after_days=10)), NOW_S + 4 * DAY_S) == [
        "21",
        "22",
        "23",
        "24",
        "25",
    ]
    assert (count(house, spans), count(house, traces), searchable(house)) == (50, 5, 50)


def test_days_go_when_all_of_them_is_too_old(house: House) -> None:
    upkeep = Upkeep(house.database, rules(retention_days=2))
    assert done(house, upkeep, NOW_S + 4 * DAY_S) == ["23", "24", "25"]
    assert (count(house, spans), count(house, traces), count(house, span_texts)) == (30, 3, 30)
    assert (searchable(house), upkeep.removed) == (30, 20)


def test_the_oldest_go_when_there_is_too_much(house: House) -> None:
    total = house.all(select(func.sum(span_days.c.bytes)))[0][0]
    assert done(house, Upkeep(house.database, rules(max_bytes=int(total) * 3 // 5 + 500)), NOW_S) == ["23", "24", "25"]
    assert (count(house, spans), searchable(house)) == (30, 30)


def test_even_of_a_single_day(house: House) -> None:
    assert done(house, Upkeep(house.database, rules(max_bytes=1)), NOW_S) == []
    assert (count(house, spans), count(house, traces), searchable(house)) == (0, 0, 0)
    assert not is_kept(house.database)


def test_a_partition_goes_with_its_day(house: House) -> None:
    if house.database.folder is not None:
        return
    done(house, Upkeep(house.database, rules(retention_days=2)), NOW_S + 4 * DAY_S)
    with house.database.read() as connection:
        names = {name for name in inspect(connection).get_table_names() if name.startswith("spans_2")}
    assert names == {"spans_20261123", "spans_20261124", "spans_20261125"}


def test_a_day_that_went_may_come_again(house: House) -> None:
    """Its partition was dropped by somebody else, who is not this writer."""
    done(house, Upkeep(house.database, rules(max_bytes=1)), NOW_S)
    house.take(export(wire_span(99)))
    assert house.write() == (1, 0, 0)


def test_texts_are_masked_and_all_else_stays(house: House) -> None:
    upkeep = Upkeep(house.database, rules(mask_after_days=2))
    assert len(done(house, upkeep, NOW_S + 4 * DAY_S)) == 5
    rows = house.all(select(spans.c.day, spans.c.rest, spans.c.model, spans.c.input_tokens).order_by(spans.c.day))
    texts = [unpack(row.rest).attributes["gen_ai.input.messages"] for row in rows]
    assert texts == [f"[masked: {len(SECRET)} characters]"] * 20 + [SECRET] * 30
    assert {(row.model, row.input_tokens) for row in rows} == {("gpt-4o", 10)}
    assert (count(house, span_texts), searchable(house)) == (30, 30)
    assert [masked for (masked,) in house.all(select(span_days.c.masked).order_by(span_days.c.day))] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert not upkeep.step(NOW_S + 4 * DAY_S)


def marked(house: House) -> list[bool]:
    return [masked for (masked,) in house.all(select(span_days.c.masked).order_by(span_days.c.day))]


def test_with_no_time_at_all_todays_texts_go_as_well(house: House) -> None:
    upkeep = Upkeep(house.database, rules(mask_after_days=0))
    done(house, upkeep, NOW_S + 4 * DAY_S)
    assert (count(house, spans), count(house, span_texts), searchable(house)) == (50, 0, 0)
    assert marked(house) == [True] * 5
    [row] = house.all(select(spans.c.rest).where(spans.c.span_id == f"{41:016x}"))
    assert SECRET not in str(unpack(row.rest).attributes)


def test_other_rules_hold_at_the_next_step(house: House) -> None:
    """Also for days that counted as masked under those before."""
    now_s = NOW_S + 4 * DAY_S
    upkeep = Upkeep(house.database, rules(mask_after_days=0))
    done(house, upkeep, now_s)
    upkeep.rules = rules(mask_after_days=2)
    assert len(done(house, upkeep, now_s)) == 5
    assert marked(house) == [True, True, False, False, False]
    upkeep.rules = rules(retention_days=2)
    assert done(house, upkeep, now_s) == ["23", "24", "25"]
    upkeep.rules = rules(max_bytes=1)
    assert done(house, upkeep, now_s) == []


def test_a_day_that_goes_while_it_is_masked_leaves_the_next_one_whole(house: House) -> None:
    """How far one day is masked says nothing of another."""
    upkeep = Upkeep(house.database, rules(mask_after_days=1))
    assert upkeep.step(NOW_S + 4 * DAY_S)
    upkeep.rules = rules(mask_after_days=1, retention_days=4)
    assert done(house, upkeep, NOW_S + 5 * DAY_S) == ["22", "23", "24", "25"]
    texts = [unpack(rest).attributes["gen_ai.input.messages"] for (rest,) in house.all(select(spans.c.rest))]
    assert texts.count(SECRET) == 10


def test_nothing_to_do_without_a_database(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/none.db")
    assert not Upkeep(database, rules()).step(NOW_S)
    assert not is_kept(database)
    assert TextIndex(database).search("a", tenant="b", limit=1) == []
    assert not (tmp_path / "none.db").exists()
    database.close()
