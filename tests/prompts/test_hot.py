"""Prompts in memory: followed by the counter, read once when they are asked for, within a bound, and kept when the
database is gone."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.clock import ManualClock
from llmops.errors import NotFound, StoreUnavailable
from llmops.prompts.hot import HotPrompts
from llmops.prompts.prompt import SHARED, Selector
from llmops.store.database import Database
from tests.prompts.contents import Desk

PRODUCTION, LATEST = Selector(label="production"), Selector(label="latest")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    database = Database(f"sqlite:///{tmp_path}/llmops.db")
    yield Desk(database)
    database.close()


def hot_over(desk: Desk, **fields: int) -> HotPrompts:
    return HotPrompts(desk.kept.database, ManualClock(), period_s=60, **fields)


async def test_what_is_labelled_is_in_memory_and_a_move_is_followed(desk: Desk) -> None:
    desk.publish("a", "one", labels=["production"])
    desk.publish("a", "two")
    hot = hot_over(desk)
    await hot.start()
    found = hot.find("acme", "a", PRODUCTION)
    assert found is not None and found.version.shown == "a@1" and found.compiled.render({}).text == "one"
    assert hot.find("acme", "a", LATEST) is None, "not labelled, and not used yet"
    assert (await hot.read("acme", "a", LATEST)).version.number == 2
    assert hot.find("acme", "a", LATEST) is not None
    desk.directory.label("ann", "acme", "a", "production", Selector(2), author="ann")
    await hot.refresh()
    found = hot.find("acme", "a", PRODUCTION)
    assert found is not None and found.version.number == 2
    desk.directory.comment("ann", "acme", "a", 1, "why?", author="ann")
    await hot.refresh()
    desk.publish("b", "new", labels=["production"])
    await hot.refresh()
    assert hot.find("acme", "b", PRODUCTION) is not None
    await hot.aclose()


async def test_a_tenants_own_wins_over_a_shared_one_and_nobody_sees_anothers(desk: Desk) -> None:
    desk.publish("a", "shared", SHARED, labels=["production"])
    desk.publish("a", "own", labels=["production"])
    desk.publish("secret", "own", labels=["production"])
    hot = hot_over(desk)
    await hot.start()
    for tenant, wanted in (("acme", "own"), ("other", "shared")):
        found = hot.find(tenant, "a", PRODUCTION)
        assert found is not None and found.version.content.text == wanted
    for name in ("secret", "none"):
        with pytest.raises(NotFound, match=f"there is no prompt '{name}'"):
            hot.find("other", name, PRODUCTION)
    with pytest.raises(NotFound, match="no version or label 'staging', nor its fallback '9'; it has versions 1 to 1"):
        hot.find("acme", "a", Selector(label="staging"), Selector(9))
    found = hot.find("acme", "a", Selector(9), PRODUCTION)
    assert found is not None and found.fallback_for == "9"
    await hot.aclose()


async def test_many_who_ask_for_one_cause_one_read_and_memory_is_bounded(desk: Desk) -> None:
    for number in range(20):
        desk.publish("a", f"{number}" + "x" * 1000)
    hot = hot_over(desk, max_chars=20_000)
    await hot.start()
    found = await asyncio.gather(*(hot.read("acme", "a", Selector(3)) for _ in range(50)))
    assert len({id(each.compiled) for each in found}) == 1
    for number in range(1, 21):
        await hot.read("acme", "a", Selector(number))
    kept = [number for number in range(1, 21) if hot.find("acme", "a", Selector(number)) is not None]
    assert kept == [17, 18, 19, 20]
    await hot.aclose()


async def test_a_lost_database_leaves_what_is_known_in_force(desk: Desk, tmp_path: Path) -> None:
    desk.publish("a", "one", labels=["production"])
    hot = hot_over(desk)
    await hot.start()
    (tmp_path / "llmops.db").rename(tmp_path / "gone.db")
    with pytest.raises(StoreUnavailable):
        await hot.refresh()
    assert hot.find("acme", "a", PRODUCTION) is not None
    await hot.aclose()


async def test_without_a_follower_it_looks_by_itself_once_a_second(desk: Desk) -> None:
    clock = ManualClock()
    hot = HotPrompts(desk.kept.database, clock)
    with pytest.raises(NotFound):
        await hot.read("acme", "a", LATEST)
    desk.publish("a", "one")
    with pytest.raises(NotFound):
        await hot.read("acme", "a", LATEST)
    clock.advance(1.1)
    assert (await hot.read("acme", "a", LATEST)).version.number == 1
