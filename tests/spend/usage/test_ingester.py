"""The gateway's ingester: follows the log, catches up, outlives its database, shares the work, stops in order."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from llmops.errors import StoreUnavailable
from llmops.spend.usage.ingester import Ingester
from llmops.spend.usage.repository.calls import CallRepository
from llmops.store.database import Database
from tests.spend.usage.logs import LogFolder, line, lines, stored, summed
from tests.store.postgres import binaries, postgres_server
from tests.store.required import missing


@pytest.fixture
def log(tmp_path: Path) -> LogFolder:
    return LogFolder(tmp_path / "logs")


@asynccontextmanager
async def following(log: LogFolder, database: Database) -> AsyncIterator[Ingester]:
    ingester = Ingester(log.path, CallRepository(database), poll_s=0.01)
    await ingester.start()
    try:
        yield ingester
    finally:
        await ingester.aclose()


async def until_ingested(ingester: Ingester, calls: int) -> None:
    async with asyncio.timeout(20):
        while ingester.ingested < calls:
            await asyncio.sleep(0.01)


async def test_what_is_logged_is_in_the_database_soon(log: LogFolder, database: Database) -> None:
    async with following(log, database) as ingester:
        for number in range(5):
            log.append(line(number))
            await until_ingested(ingester, number + 1)
            if number == 2:
                log.rotate()
        assert ingester.problems() == [] and ingester.status()["behind_bytes"] == 0
    assert stored(database) == list(range(5))


async def test_catching_up_returns_when_all_is_there(log: LogFolder, database: Database) -> None:
    log.append(lines(*range(30)))
    log.rotate()
    log.append(lines(*range(30, 40)))
    ingester = Ingester(log.path, CallRepository(database))
    await ingester.catch_up()
    assert len(stored(database)) == 40
    await ingester.catch_up()
    await ingester.aclose()


async def test_without_a_log_there_is_nothing_to_wait_for(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/llmops.db")
    ingester = Ingester(tmp_path / "nowhere/gateway.jsonl", CallRepository(database))
    await ingester.start()
    await ingester.catch_up()
    await ingester.aclose()
    assert os.listdir(tmp_path) == [], "looking makes neither a folder nor a database"
    database.close()


async def test_closing_stores_what_was_logged_last(log: LogFolder, database: Database) -> None:
    ingester = Ingester(log.path, CallRepository(database), poll_s=60)
    await ingester.start()
    await asyncio.sleep(0.05)
    log.append(lines(1, 2))
    await ingester.aclose()
    assert stored(database) == [1, 2]


async def test_of_two_one_works_and_both_know_when_it_is_done(log: LogFolder, database: Database) -> None:
    log.append(lines(1, 2, 3))
    async with following(log, database) as first:
        await until_ingested(first, 3)
        async with following(log, database) as second:
            log.append(lines(4, 5))
            await second.catch_up()
            assert stored(database) == [1, 2, 3, 4, 5] and not second.status()["owner"] and second.ingested == 0
    assert summed(database)[0] == 5


async def test_the_second_takes_over(log: LogFolder, database: Database) -> None:
    first = Ingester(log.path, CallRepository(database), poll_s=0.01)
    await first.start()
    log.append(line(1))
    await until_ingested(first, 1)
    async with following(log, database) as second:
        await first.aclose()
        log.append(line(2))
        await until_ingested(second, 1)
    assert stored(database) == [1, 2]


async def test_a_database_killed_and_back_gets_everything(log: LogFolder) -> None:
    programs = binaries()
    if programs is None:
        missing("PostgreSQL", "postgresql")
    with postgres_server(programs) as server:
        database = Database(server.fresh())
        async with following(log, database) as ingester:
            log.append(lines(*range(10)))
            await until_ingested(ingester, 10)
            server.kill()
            for number in range(10, 60):
                log.append(line(number))
                if number % 20 == 0:
                    log.rotate()
            with pytest.raises(StoreUnavailable):
                await ingester.catch_up()
            async with asyncio.timeout(20):
                while not ingester.failing:
                    await asyncio.sleep(0.01)
            assert "calls cannot be stored, the request log keeps them meanwhile" in ingester.problems()[0]
            assert ingester.behind_bytes > 0
            server.start()
            await until_ingested(ingester, 60)
            assert ingester.problems() == [] and ingester.behind_bytes == 0
        assert stored(database) == list(range(60)) and summed(database) == (60, 600, 60_000)
        database.close()


async def test_the_event_loop_is_not_held_up(log: LogFolder, database: Database) -> None:
    """Calls go on while 20,000 records are worked off beside them, which takes a share of a core and not all of it."""
    for begin in range(0, 20_000, 1000):
        log.append(lines(*range(begin, begin + 1000)))
    gaps: list[float] = []
    async with following(log, database) as ingester:
        while ingester.ingested < 5000:
            begun_s = time.perf_counter()
            await asyncio.sleep(0.001)
            gaps.append(time.perf_counter() - begun_s)
        gaps.sort()
        assert gaps[int(0.9 * len(gaps))] < 0.02, "the machine is shared: the worst are not ours"
        await ingester.catch_up()
    assert summed(database)[0] == 20_000
