"""Counters are kept at least at what the database knows, and one that was out of reach is asked again soon."""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from llmops.errors import StoreUnavailable
from llmops.rule_settings import BudgetSettings
from llmops.spend.rule import rules_of
from llmops.spend.usage.repository.sums import EVERYTHING, UsageFilter, UsageRepository, Used
from llmops.spend.usage.seeder import Seeder
from llmops.store.counters.local import LocalCounters
from llmops.store.counters.meter import Quota
from llmops.store.database import Database
from tests.fakes.upstream import eventually

NOW_S = 1_795_260_000.0


class Away(LocalCounters):
    """Counters that can be out of reach."""

    away = True

    def raise_to(self, used: Mapping[str, int], meters: Sequence[Quota]) -> None:
        if self.away:
            raise StoreUnavailable("nobody answers")
        super().raise_to(used, meters)


class Held(UsageRepository):
    """Sums that can be held back, and how often they were wanted."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.asked = 0
        self.go = threading.Event()
        self.go.set()

    def sums(self, by: Sequence[str], wanted: UsageFilter = EVERYTHING) -> dict[tuple[str | None, ...], Used]:
        self.asked += 1
        self.go.wait(10)
        return super().sums(by, wanted)


@asynccontextmanager
async def seeding(tmp_path: Path, dear_s: float) -> AsyncIterator[tuple[Seeder, Held]]:
    database = Database(f"sqlite:///{tmp_path}/llmops.db")
    database.ensure()
    sums, rule = Held(database), rules_of([], [BudgetSettings.model_validate({"usd": 1})])[0]
    counters = LocalCounters(lambda: NOW_S, lambda: 0.0)
    seeder = Seeder(lambda: [rule], sums, counters, lambda: NOW_S, period_s=60, dear_s=dear_s)
    await seeder.start()
    yield seeder, sums
    await seeder.aclose()
    database.close()


async def test_who_looks_has_cheap_sums_made(tmp_path: Path) -> None:
    async with seeding(tmp_path, 60.0) as (seeder, sums):
        await asyncio.to_thread(seeder.state)
        assert sums.asked == 2, "at the start and now"


async def test_nobody_waits_for_sums_that_are_dear(tmp_path: Path) -> None:
    async with seeding(tmp_path, 0.0) as (seeder, sums):
        sums.go.clear()
        await asyncio.wait_for(asyncio.to_thread(seeder.state), 5)
        assert await eventually(lambda: sums.asked == 2), "they are made behind the reader's back"
        sums.go.set()


async def test_after_a_failure_it_does_not_wait_for_its_next_turn(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/llmops.db")
    counters = Away(lambda: NOW_S, lambda: 0.0)
    seeder = Seeder(list, UsageRepository(database), counters, lambda: NOW_S, period_s=60, again_s=0.01)
    await seeder.start()
    seeder.soon()
    assert await eventually(lambda: seeder.problems() != [])
    counters.away = False
    assert await eventually(lambda: seeder.problems() == [])
    await seeder.aclose()
    database.close()
