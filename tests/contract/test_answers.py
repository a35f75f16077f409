"""The contract of answers: kept in-process or in Redis they come back byte for byte, and never once they should not."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from llmops.store.answers.labels import Selector

from .answering import Answering, in_process, in_redis, labels

KEY, OTHER = b"\x00\xff\r\n{k}:1" * 3, b"k" * 32

FULL = labels(release="r1", knowledge="handbook@2024", tags=("feature=search", "doc=7"))
SELECTORS = [
    ({}, True),
    ({"tenant": "acme"}, True),
    ({"tenant": "acm"}, False),
    ({"model": "m"}, True),
    ({"model": "other"}, False),
    ({"release": "r1"}, True),
    ({"release": "r"}, False),
    ({"knowledge": "handbook@2024"}, True),
    ({"knowledge": "handbook"}, True),
    ({"knowledge": "hand"}, False),
    ({"knowledge": "handbook@2025"}, False),
    ({"tag": "feature=search"}, True),
    ({"tag": "doc"}, True),
    ({"tag": "doc=8"}, False),
    ({"tag": "do"}, False),
    ({"tenant": "acme", "model": "m", "release": "r1", "knowledge": "handbook", "tag": "doc=7"}, True),
    ({"tenant": "acme", "tag": "doc=8"}, False),
    ({"tenant": "other", "tag": "doc=7"}, False),
]


@pytest.fixture(params=["in-process", "redis"])
async def answering(request: pytest.FixtureRequest) -> AsyncIterator[Answering]:
    if request.param == "in-process":
        yield in_process()
        return
    async with in_redis(request.getfixturevalue("redis_always")) as found:
        yield found


@pytest.mark.parametrize("size", [0, 1, 70_000, 5_000_000])
async def test_what_was_put_comes_back_byte_for_byte(size: int, answering: Answering) -> None:
    data = random.Random(1).randbytes(size)
    assert await answering.get(KEY) is None
    await answering.put(KEY, data)
    assert await answering.get(KEY) == data
    assert await answering.get(OTHER) is None


async def test_the_later_answer_counts(answering: Answering) -> None:
    await answering.put(KEY, b"first", keep_s=10)
    await answering.put(KEY, b"second", keep_s=100)
    answering.clock.advance(50)
    assert await answering.get(KEY) == b"second"


async def test_an_answer_expires_to_the_moment(answering: Answering) -> None:
    now_s = answering.clock.now_s()
    await answering.put(KEY, keep_s=60)
    answering.clock.advance(59.99)
    assert await answering.get(KEY) is not None
    answering.clock.advance(now_s + 60 - answering.clock.now_s())
    assert await answering.get(KEY) is None
    assert answering.answers.view().expired == 1


async def test_what_has_expired_already_is_not_kept(answering: Answering) -> None:
    for keep_s in (0.0, -5.0):
        await answering.put(KEY, keep_s=keep_s)
        assert await answering.get(KEY) is None


@pytest.mark.parametrize(("fields", "meant"), SELECTORS)
async def test_a_word_strikes_what_agrees_in_all_that_it_names(
    fields: dict[str, str], meant: bool, answering: Answering
) -> None:
    await answering.put(KEY, of=FULL)
    answering.clock.advance(1)
    await answering.invalidate(**fields)
    assert (await answering.get(KEY) is None) == meant
    assert answering.answers.view().invalidated == meant
    await answering.put(KEY, b"new", FULL)
    assert await answering.get(KEY) == b"new"


async def test_one_tenants_word_leaves_another_tenants_answers(answering: Answering) -> None:
    for tenant in ("acme", "other"):
        await answering.put(tenant.encode(), tenant.encode(), labels(tenant))
    await answering.invalidate(tenant="acme")
    assert [await answering.get(tenant) for tenant in (b"acme", b"other")] == [None, b"other"]


async def test_an_answer_that_was_under_way_is_struck_as_well(answering: Answering) -> None:
    """It comes after the word, but its call began before."""
    before_s = answering.clock.now_s()
    answering.clock.advance(5)
    await answering.invalidate(model="m")
    answering.clock.advance(5)
    await answering.put(KEY, began_s=before_s)
    await answering.put(OTHER, b"of another model", labels(model="n"), began_s=before_s)
    assert (await answering.get(KEY), await answering.get(OTHER)) == (None, b"of another model")


async def test_many_look_ups_at_once_each_get_their_own(answering: Answering) -> None:
    keys = [b"%032d" % number for number in range(600)]
    for number, key in enumerate(keys):
        if number % 3:
            answering.answers.put(
                key, b"%d" % number * 5000, labels(), began_s=answering.clock.now_s(), expires_s=2e9 + number
            )
    await answering.put(KEY)
    found = await asyncio.gather(*(answering.get(key) for key in keys), answering.get(keys[1]))
    assert found.pop() == b"1" * 5000
    assert found == [b"%d" % number * 5000 if number % 3 else None for number in range(600)]


async def test_ten_thousand_words_and_a_few_more(answering: Answering) -> None:
    """More than are remembered one by one: never is a struck answer given out, and new ones are kept."""
    await answering.put(KEY, of=labels(tags=("doc=0",)))
    await answering.put(OTHER, of=labels(tags=("doc=x",)))
    answering.clock.advance(1)
    for start in range(0, 10_500, 500):
        words = (answering.answers.invalidate(Selector(tag=f"doc={start + each}")) for each in range(500))
        await asyncio.gather(*words)
    answering.clock.advance(1)
    assert await answering.get(KEY) is None
    await answering.put(KEY, b"new", labels(tags=("doc=0",)))
    assert await answering.get(KEY) == b"new"
