"""Counters are kept at least at what the database knows, and one that was out of reach is asked again soon."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from llmops.errors import StoreUnavailable
from llmops.spend.usage.repository.sums import UsageRepository
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
