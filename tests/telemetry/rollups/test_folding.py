"""Upkeep of the rollups: hours folded, made anew from the calls, and taken away in time, on both engines."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from llmops.history_settings import HistorySettings
from llmops.spend.usage.directory import UsageDirectory
from llmops.spend.usage.repository.calls import CallRepository
from llmops.store.database import Database
from llmops.store.tables import calls, rollups, usage_days
from llmops.telemetry.rollups.overview import Overview
from llmops.telemetry.rollups.repository.folding import FoldingRepository
from llmops.telemetry.rollups.repository.writer import RollupWriter
from llmops.telemetry.rollups.rollup import CALL_FIELDS
from llmops.telemetry.rollups.upkeep import Upkeep
from llmops.telemetry.rollups.window import Window
from tests.spend.usage.logs import LogFolder, ingest
from tests.telemetry.rollups.calls import BEGIN_S, Made

QUARTER, HOUR, DAY = 900, 3600, 86_400
EVERYTHING = Window(BEGIN_S, BEGIN_S + 3 * DAY)


def call_at(minutes: int, **changed: Any) -> Made:
    given: dict[str, Any] = {
        "at_ms": (BEGIN_S + 60 * minutes) * 1000,
        "tenant": "acme",
        "model": "large",
        "release_id": None,
        "error": None,
        "cache": None,
        "latency_ms": 10.0,
        "ttft_ms": None,
        "prompt": 10,
        "cost_nanousd": 1000,
        "attempts": 1,
        "json_valid": None,
        "degraded": None,
    }
    return Made(**{**given, **changed})


@pytest.fixture
def log(tmp_path: Path) -> LogFolder:
    return LogFolder(tmp_path / "logs")


@pytest.fixture
def filled(database: Database, log: LogFolder) -> Database:
    """A call every ten minutes for three days."""
    log.append(b"".join(call_at(10 * number).line(number) for number in range(3 * 144)))
    ingest(log, database)
    return database


def fold(database: Database, now_s: float) -> None:
    folding = FoldingRepository(database)
    while folding.fold_hour(now_s):
        pass


def periods(database: Database) -> dict[int, int]:
    """Calls by the length of the periods that they are summed up in, each call once."""
    query = select(rollups.c.period_s, func.sum(rollups.c.calls)).where(rollups.c.view == 0)
    with database.read() as connection:
        return {period: int(number) for period, number in connection.execute(query.group_by(rollups.c.period_s))}


def counted(database: Database, window: Window = EVERYTHING) -> int:
    return int(Overview(database, lambda: 0.0).figures(window)["totals"]["calls"])


def test_an_hour_is_folded_when_it_has_been_over_for_an_hour(filled: Database) -> None:
    assert periods(filled) == {60: 432}
    fold(filled, BEGIN_S + 5.5 * HOUR)
    assert periods(filled) == {60: 432, QUARTER: 4 * 6, HOUR: 4 * 6, DAY: 4 * 6}
    fold(filled, BEGIN_S + 5.5 * HOUR)
    fold(filled, BEGIN_S + 100 * HOUR)
    assert periods(filled) == {60: 432, QUARTER: 432, HOUR: 432, DAY: 432} and counted(filled) == 432


def test_a_call_that_comes_late_counts_in_all_periods(filled: Database, log: LogFolder) -> None:
    fold(filled, BEGIN_S + 5 * HOUR)
    log.append(call_at(7).line(1000) + call_at(6 * 60).line(1001))
    ingest(log, filled)
    assert periods(filled) == {60: 434, QUARTER: 25, HOUR: 25, DAY: 25} and counted(filled) == 434
    fold(filled, BEGIN_S + 100 * HOUR)
    assert periods(filled) == {60: 434, QUARTER: 434, HOUR: 434, DAY: 434}


def test_rollups_are_made_anew_from_the_calls(filled: Database) -> None:
    fold(filled, BEGIN_S + 50 * HOUR)
    before = Overview(filled, lambda: 0.0).figures(EVERYTHING, ["model"])
    with filled.write("usage") as connection:
        connection.execute(delete(rollups).where(rollups.c.starts_at < BEGIN_S + DAY))
    assert counted(filled) < 432
    CallRepository(filled).rebuild_usage()
    assert Overview(filled, lambda: 0.0).figures(EVERYTHING, ["model"]) == before


def test_a_shadows_copies_cost_money_and_count_for_nothing_else(database: Database, log: LogFolder) -> None:
    """Alone in their minute or beside calls, before or after them, and after everything is summed up anew."""
    failed = {"error": (502, "upstream_error"), "cost_nanousd": 70}
    made = [call_at(0, arm="shadow"), call_at(0), call_at(1), call_at(1, arm="shadow", **failed)]
    made += [call_at(2, arm="shadow", cost_nanousd=None), call_at(3, arm="stable", **failed)]
    for number, each in enumerate(made):  # one by one, as they come
        log.append(each.line(number))
        ingest(log, database)
    usage = UsageDirectory(database, log.path)

    def look() -> None:
        found = Overview(database, lambda: 0.0).figures(EVERYTHING, ["error"])
        totals = found["totals"]
        assert (totals["calls"], totals["errors"], totals["errors_by_type"]) == (3, 1, {"upstream_error": 1})
        assert (totals["nanousd"], totals["unpriced_calls"], totals["prompt_tokens"]) == (3140, 1, 60)
        assert (totals["latency_ms"]["mean"], totals["attempts"]) == (10.0, 3)
        assert {each["error"]: each["calls"] for each in found["rows"]} == {None: 2, "upstream_error": 1}
        assert usage.reconcile().equal
        with database.read() as connection:
            sums = [func.sum(usage_days.c[name]) for name in ("calls", "errors", "cost_nanousd")]
            assert tuple(map(int, connection.execute(select(*sums)).one())) == (3, 1, 3140)

    look()
    CallRepository(database).rebuild_usage()
    look()
    fold(database, BEGIN_S + 3 * HOUR)
    look()


def test_rollups_can_be_written_while_calls_are_being_read(filled: Database) -> None:
    """As when many calls are summed up anew: SQLite does not let a function be made again meanwhile."""
    writer = RollupWriter(embedded=filled.folder is not None)
    fields = [calls.c[name] for name in CALL_FIELDS]
    with filled.write("usage") as connection:
        found = connection.execute(select(*fields), execution_options={"yield_per": 50})
        for some in found.partitions():
            writer.add(connection, some)
    assert counted(filled) == 2 * 432


def test_what_is_old_is_taken_away_and_windows_are_cut_where_there_is_something(
    filled: Database, log: LogFolder
) -> None:
    now_s = BEGIN_S + 3 * DAY + 2 * HOUR
    rules = HistorySettings(calls_days=2, minutes_days=1, hours_days=2)
    upkeep = Upkeep(FoldingRepository(filled), lambda: rules, lambda: now_s)
    while upkeep.step():
        pass
    assert periods(filled) == {60: 22 * 6, QUARTER: 22 * 6, HOUR: 2 * 144, DAY: 432}
    assert counted(filled) == 432, "days stay for ever"
    window = Window(BEGIN_S + DAY + 90 * 60, BEGIN_S + 2 * DAY + 5 * HOUR + 65)
    found = Overview(filled, lambda: 0.0).figures(window)
    assert (found["from"], found["to"]) == (BEGIN_S + DAY + HOUR, BEGIN_S + 2 * DAY + 5 * HOUR + 120)
    assert found["totals"]["calls"] == (23 + 5) * 6 + 1
    series = Overview(filled, lambda: 0.0).series(EVERYTHING, 900)
    assert series["step_s"] == DAY and [point["calls"] for point in series["series"][0]["points"]] == [144] * 3
    with filled.read() as connection:
        assert connection.execute(select(func.count()).select_from(calls)).scalar_one() == 2 * 144
        assert connection.execute(select(func.sum(usage_days.c.calls))).scalar_one() == 432
    usage = UsageDirectory(filled, log.path)
    assert usage.reconcile().equal, "a call whose time has come is no difference"
    usage.repair()
    assert usage.reconcile().equal and counted(filled) == 432


def test_the_oldest_days_go_when_there_are_too_many_calls(filled: Database) -> None:
    now_s = BEGIN_S + 3 * DAY + 2 * HOUR
    upkeep = Upkeep(FoldingRepository(filled), lambda: HistorySettings(max_calls=300), lambda: now_s)
    while upkeep.step():
        pass
    with filled.read() as connection:
        assert connection.execute(select(func.count()).select_from(calls)).scalar_one() == 288
    assert counted(filled) == 432


def test_minutes_that_are_not_folded_stay(filled: Database) -> None:
    folding = FoldingRepository(filled)
    folding.drop_minutes(BEGIN_S + 10 * DAY)
    assert periods(filled) == {60: 432}


async def test_the_upkeep_is_done_beside_the_calls(filled: Database) -> None:
    import asyncio

    upkeep = Upkeep(FoldingRepository(filled), HistorySettings, lambda: BEGIN_S + 2.5 * HOUR)
    await upkeep.start()
    async with asyncio.timeout(10):
        while HOUR not in periods(filled):
            await asyncio.sleep(0.01)
    await upkeep.aclose()
    assert upkeep.problems() == []
