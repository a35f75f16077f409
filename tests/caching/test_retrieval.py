"""What a search found is kept by tenant, knowledge base with its version, query and settings."""

import asyncio
from typing import Any

import pytest

from llmops.caching.fingerprint import Fingerprints
from llmops.caching.retrieval import RetrievalCache
from llmops.clock import ManualClock
from llmops.store.answers.labels import Selector
from llmops.store.answers.local import LocalAnswers


class Search:
    """A search that counts how often it was made."""

    def __init__(self, results: Any = None) -> None:
        self.made = 0
        self.results = results if results is not None else [{"id": 1, "score": 0.5}]

    async def __call__(self) -> Any:
        self.made += 1
        await asyncio.sleep(0)
        if isinstance(self.results, Exception):
            raise self.results
        return self.results


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def answers(clock: ManualClock) -> LocalAnswers:
    return LocalAnswers(100, 1_000_000, clock.now_s)


@pytest.fixture
def cache(clock: ManualClock, answers: LocalAnswers) -> RetrievalCache:
    return RetrievalCache(answers, Fingerprints(b"k" * 32), clock, ttl_s=60)


def asked(**changes: Any) -> dict[str, Any]:
    return {"tenant": "a", "knowledge": "handbook@1", "query": "holidays", "settings": {"k": 8}} | changes


async def test_the_same_search_is_made_once(cache: RetrievalCache) -> None:
    search = Search()
    first = await cache.get_or_retrieve(**asked(), retrieve=search)
    first.append("changed by its owner")
    assert await cache.get_or_retrieve(**asked(), retrieve=search) == [{"id": 1, "score": 0.5}]
    assert (search.made, cache.hits, cache.misses) == (1, 1, 1)


@pytest.mark.parametrize(
    "other",
    [{"tenant": "b"}, {"knowledge": "handbook@2"}, {"query": "holiday"}, {"settings": {"k": 9}}, {"settings": None}],
)
async def test_another_tenant_version_query_or_setting_is_another_search(
    cache: RetrievalCache, other: dict[str, Any]
) -> None:
    search = Search()
    await cache.get_or_retrieve(**asked(), retrieve=search)
    await cache.get_or_retrieve(**asked(**other), retrieve=search)
    assert search.made == 2


async def test_what_has_expired_or_was_let_go_is_searched_again(
    cache: RetrievalCache, clock: ManualClock, answers: LocalAnswers
) -> None:
    search = Search()
    await cache.get_or_retrieve(**asked(), retrieve=search)
    clock.advance(60)
    await cache.get_or_retrieve(**asked(), retrieve=search)
    assert search.made == 2
    clock.advance(1)
    assert await answers.invalidate(Selector(knowledge="handbook")) == 1
    await cache.get_or_retrieve(**asked(), retrieve=search)
    assert search.made == 3


async def test_identical_searches_at_the_same_time_are_one_and_who_leaves_takes_nothing_along(
    cache: RetrievalCache,
) -> None:
    search = Search()
    tasks = [asyncio.ensure_future(cache.get_or_retrieve(**asked(), retrieve=search)) for _ in range(20)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    assert await asyncio.gather(*tasks[1:]) == [[{"id": 1, "score": 0.5}]] * 19
    assert search.made == 1


async def test_a_failure_reaches_everybody_and_is_not_kept(cache: RetrievalCache) -> None:
    search = Search(ConnectionError("the index is away"))
    both = await asyncio.gather(
        *(cache.get_or_retrieve(**asked(), retrieve=search) for _ in range(2)), return_exceptions=True
    )
    assert [type(each) for each in both] == [ConnectionError, ConnectionError]
    search.results = []
    assert await cache.get_or_retrieve(**asked(), retrieve=search) == []


async def test_knowledge_without_a_version_is_refused(cache: RetrievalCache) -> None:
    with pytest.raises(ValueError, match="names no version"):
        await cache.get_or_retrieve(**asked(knowledge="handbook"), retrieve=Search())


async def test_a_search_that_began_before_the_word_is_not_shared_after_it(cache: RetrievalCache) -> None:
    search = Search()
    early = asyncio.ensure_future(cache.get_or_retrieve(**asked(), retrieve=search))
    await asyncio.sleep(0)
    cache.let_off([Selector(knowledge="handbook")])
    await cache.get_or_retrieve(**asked(), retrieve=search)
    await early
    assert search.made == 2
