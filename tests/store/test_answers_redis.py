"""Answers in Redis when it dies, freezes, forgets, fills up or holds what is not ours; and several processes over it.

Calls get misses and never errors, at once; nothing is given out that has expired or was invalidated.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from llmops.errors import StoreUnavailable
from llmops.store.answers.envelope import seal
from llmops.store.answers.labels import Labels, Selector
from llmops.store.answers.redis import RedisAnswers
from tests.contract.answering import labels, redis_answers, redis_settings, settled
from tests.serving import ROOT, environment
from tests.store.redis_server import RedisServer
from tests.store.test_redis_lost import QUICK, until

HANGING_S = 5.0
"""Far beyond the time-outs, far below what a lost connection takes by itself."""
KEPT = "{lost}:answers:1:"
NEWEST, WORDS, LONGEST = (f"{{lost}}:answers:{name}" for name in ("newest", "words", "longest"))


@asynccontextmanager
async def opened(server: RedisServer, **fields: Any) -> AsyncIterator[RedisAnswers]:
    answers = redis_answers(redis_settings(server, "lost", **{**QUICK, **fields}))
    await answers.start()
    try:
        yield answers
    finally:
        await answers.aclose()


async def get(answers: RedisAnswers, key: bytes) -> bytes | None:
    found = answers.get(key)
    return None if found is None else await found


async def put(
    answers: RedisAnswers,
    key: bytes,
    data: bytes = b"answer",
    of: Labels | None = None,
    *,
    keep_s: float = 1000.0,
    began_s: float | None = None,
) -> None:
    now_s = time.time()
    answers.put(key, data, of or labels(), began_s=now_s if began_s is None else began_s, expires_s=now_s + keep_s)
    await settled(answers)


# --- Redis is away ----------------------------------------------------------------------------------------------


async def test_killed_and_started_again_amid_load_it_gives_misses_and_nothing_that_has_expired(
    redis_alone: RedisServer,
) -> None:
    """Each answer says until when it may be given out."""
    async with opened(redis_alone) as first, opened(redis_alone) as second:
        done, longest_s, hits, misses = asyncio.Event(), 0.0, 0, 0

        async def work(number: int) -> None:
            nonlocal longest_s, hits, misses
            answers = (first, second)[number % 2]
            while not done.is_set():
                key, begun_s = b"k%d" % (number // 2), time.time()
                found = await get(answers, key)
                longest_s = max(longest_s, time.time() - begun_s)
                if found is None:
                    misses += 1
                    until_s = time.time() + 0.15
                    answers.put(key, b"%r" % until_s, labels(), began_s=begun_s, expires_s=until_s)
                else:
                    hits += 1
                    assert begun_s < float(found), "it had expired before anybody asked"
                await asyncio.sleep(0.002)

        working = [asyncio.ensure_future(work(number)) for number in range(20)]
        for _ in range(2):
            await asyncio.sleep(0.4)
            redis_alone.kill()
            await until(lambda: first.lost is not None and second.lost is not None)
            assert first.problems() and "Redis is out of reach" in first.problems()[0]
            assert (first.view().kind, first.view().lost) == ("redis", first.lost)
            await asyncio.sleep(0.3)
            await asyncio.to_thread(redis_alone.start)
            await until(lambda: first.lost is None and second.lost is None)
        hits = 0
        await asyncio.sleep(0.3)
        done.set()
        await asyncio.gather(*working)
        assert hits and misses and longest_s < HANGING_S
        assert (first.lost_times, second.lost_times, first.problems()) == (2, 2, [])


async def test_what_was_kept_is_there_after_a_restart(redis_alone: RedisServer) -> None:
    async with opened(redis_alone) as answers:
        await put(answers, b"long")
        await put(answers, b"short", keep_s=0.3)
        redis_alone.kill()
        await until(lambda: answers.lost is not None)
        await asyncio.to_thread(redis_alone.start)
        await until(lambda: answers.lost is None)
        await asyncio.sleep(0.3)
        assert (await get(answers, b"long"), await get(answers, b"short")) == (b"answer", None)


async def test_nobody_waits_for_a_frozen_redis(redis_alone: RedisServer) -> None:
    async with opened(redis_alone) as answers:
        await put(answers, b"k")
        redis_alone.freeze()
        begun_s = time.perf_counter()
        assert await asyncio.gather(*(get(answers, b"k") for _ in range(50))) == [None] * 50
        assert time.perf_counter() - begun_s < HANGING_S
        assert answers.lost is not None and "no answer within" in answers.lost
        assert answers.get(b"k") is None, "once lost, no look-up goes there"
        before = answers.puts_dropped
        await put(answers, b"other")
        assert answers.puts_dropped == before + 1
        with pytest.raises(StoreUnavailable, match="nothing is certain to be let go of"):
            await answers.invalidate(Selector())
        redis_alone.thaw()
        await until(lambda: answers.lost is None)
        assert await get(answers, b"k") == b"answer"


async def test_a_word_that_redis_did_not_confirm_is_an_error(redis_alone: RedisServer) -> None:
    async with opened(redis_alone) as answers:
        redis_alone.freeze()
        with pytest.raises(StoreUnavailable, match="no answer within"):
            await answers.invalidate(Selector())
        redis_alone.thaw()


async def test_without_redis_from_the_beginning_it_is_found_when_it_comes(redis_alone: RedisServer) -> None:
    redis_alone.kill()
    async with opened(redis_alone) as answers:
        began_s = time.time()
        assert answers.get(b"k") is None and answers.problems()
        await asyncio.to_thread(redis_alone.start)
        await until(lambda: answers.lost is None)
        await put(answers, b"k", began_s=began_s)
        assert await get(answers, b"k") is None, "words that came after its call began were not heard here"
        await put(answers, b"k")
        assert await get(answers, b"k") == b"answer"


@pytest.mark.parametrize(
    ("spoil", "mend"),
    [(("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")), (("CLIENT", "PAUSE", "1500", "ALL"), ("PING",))],
)
async def test_a_replica_or_a_pause_is_as_good_as_gone(
    spoil: tuple[str, ...], mend: tuple[str, ...], redis_alone: RedisServer
) -> None:
    """A replica may not have heard the newest word yet."""
    async with opened(redis_alone) as answers:
        await put(answers, b"k")
        redis_alone.command(*spoil)
        assert await get(answers, b"k") is None
        assert answers.lost is not None
        redis_alone.command(*mend)
        await until(lambda: answers.lost is None)
        assert await get(answers, b"k") == b"answer"


# --- Redis forgets ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("meanwhile", [True, False])
async def test_a_redis_that_lost_its_last_words_is_told_them_again(meanwhile: bool, redis_alone: RedisServer) -> None:
    """As a crash does to one that writes its file once a second; meanwhile there may be newer ones."""
    async with opened(redis_alone) as answers:
        await put(answers, b"struck", of=labels(tags=("doc=1",)))
        await put(answers, b"other")
        await answers.invalidate(Selector(tag="doc"))
        redis_alone.command("DEL", NEWEST, WORDS)
        if meanwhile:
            async with opened(redis_alone) as other:
                await other.invalidate(Selector(tag="another=1"))
        assert await get(answers, b"struck") is None
        await until(lambda: answers.lost is None)
        async with opened(redis_alone) as new:
            assert (await get(new, b"struck"), await get(new, b"other")) == (None, b"answer")
        await put(answers, b"struck", b"new", labels(tags=("doc=1",)))
        assert await get(answers, b"struck") == b"new"


async def test_an_emptied_redis_is_filled_again(redis_alone: RedisServer) -> None:
    async with opened(redis_alone) as answers:
        await put(answers, b"k")
        await answers.invalidate(Selector(model="m"))
        redis_alone.command("FLUSHALL")
        assert await get(answers, b"k") is None
        await until(lambda: answers.lost is None)
        await put(answers, b"k", b"new")
        assert await get(answers, b"k") == b"new"


# --- what lies there is not ours --------------------------------------------------------------------------------


async def test_foreign_and_spoilt_values_are_misses(redis_alone: RedisServer) -> None:
    async with opened(redis_alone) as answers:
        await put(answers, b"good")
        redis_alone.command("LPUSH", KEPT + "list", "x")
        redis_alone.command("SET", KEPT + "text", "not ours")
        redis_alone.command("SET", KEPT + "cut", seal(0, 2e9, labels(), b"")[:-5])
        redis_alone.command("SETRANGE", KEPT + "huge", 20_000_000, "x")
        keys = [b"list", b"text", b"cut", b"huge", b"good"]
        assert await asyncio.gather(*(get(answers, key) for key in keys)) == [None, None, None, None, b"answer"]
        assert (answers.unreadable, answers.lost_times) == (2, 0)
        await put(answers, b"list", b"ours now")
        assert await get(answers, b"list") == b"ours now"


@pytest.mark.parametrize("name", [NEWEST, WORDS, LONGEST])
@pytest.mark.parametrize("spoil", ["LPUSH", "SET", None])
async def test_spoilt_words_strike_rather_too_much(spoil: str | None, name: str, redis_alone: RedisServer) -> None:
    async with opened(redis_alone) as answers:
        await put(answers, b"struck", of=labels("acme"))
        await answers.invalidate(Selector(tenant="acme"))
        redis_alone.command("DEL", name)
        if spoil is not None:
            redis_alone.command(spoil, name, "x")
        async with opened(redis_alone) as new:
            for each in (answers, new):
                assert await get(each, b"struck") is None
                await put(each, b"k", b"new")
                assert await get(each, b"k") == b"new"
            await new.invalidate(Selector())
            assert await get(answers, b"k") is None


async def test_answers_leave_memory_to_the_counters(redis_alone: RedisServer) -> None:
    async with opened(redis_alone) as answers:
        await put(answers, b"k")
        used = int(redis_alone.command("INFO", "memory")["used_memory"])
        redis_alone.command("CONFIG", "SET", "maxmemory", used + 100_000)
        await asyncio.sleep(1.1)  # it is looked at once a second
        await put(answers, b"more")
        assert (await get(answers, b"more"), await get(answers, b"k")) == (None, b"answer")
        assert answers.problems() == ["Redis has too little memory: no more answers are kept"]
        redis_alone.command("CONFIG", "SET", "maxmemory", 0)
        await asyncio.sleep(1.1)
        await put(answers, b"more")
        assert (await get(answers, b"more"), answers.problems()) == (b"answer", [])


async def test_too_large_an_answer_is_not_kept(redis_alone: RedisServer) -> None:
    async with opened(redis_alone) as answers:
        await put(answers, b"k", bytes(9_000_000))
        assert (await get(answers, b"k"), answers.puts_dropped) == (None, 1)


# --- several processes ------------------------------------------------------------------------------------------


async def test_a_word_holds_for_every_process_once_it_is_said(redis_alone: RedisServer) -> None:
    """One invalidates; others look up and put all the time, also what they were asked for before."""
    async with opened(redis_alone) as speaker, opened(redis_alone) as first, opened(redis_alone) as second:
        said, done, given = 0, asyncio.Event(), 0

        async def work(answers: RedisAnswers) -> None:
            nonlocal given
            while not done.is_set():
                wanted, began_s, age = said, time.time(), said
                found = await get(answers, b"k")
                if found is not None:
                    given += 1
                    assert int(found) >= wanted, f"of before word {wanted}: {found!r}"
                else:
                    await asyncio.sleep(0.003)  # the upstream
                    answers.put(b"k", b"%d" % age, labels(), began_s=began_s, expires_s=began_s + 60)
                await asyncio.sleep(0)

        working = [asyncio.ensure_future(work(answers)) for answers in (first, second) for _ in range(5)]
        for number in range(60):
            await speaker.invalidate(Selector(tenant="acme"))
            said = number + 1
            await asyncio.sleep(0.02)
        done.set()
        await asyncio.gather(*working)
        assert given > 60


async def test_who_asks_after_a_word_knows_of_it(redis_alone: RedisServer) -> None:
    """So that it does not wait for a call of its own process that began before."""
    async with opened(redis_alone) as speaker, opened(redis_alone) as answers:
        told: list[Selector] = []
        answers.on_words = told.extend
        for number in range(3):
            word = Selector(tag=f"doc={number}")
            await speaker.invalidate(word)
            assert await get(answers, b"k") is None
            assert told == [word]
            told.clear()


PROCESS = """
import asyncio, sys
from llmops.store.answers.labels import Selector
from tests.contract.answering import redis_answers, redis_settings
from tests.store.redis_server import RedisServer

server = RedisServer.__new__(RedisServer)
server.url = sys.argv[1]

async def main():
    answers = redis_answers(redis_settings(server, "lost"))
    await answers.start()
    print((await answers.get(b"k")).decode(), flush=True)
    await answers.invalidate(Selector(tenant="acme"))
    print("said", flush=True)
    await answers.aclose()

asyncio.run(main())
"""


async def test_another_process_finds_and_invalidates(redis_alone: RedisServer) -> None:
    async with opened(redis_alone) as answers:
        await put(answers, b"k", b"of the first")
        other = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", PROCESS, redis_alone.url],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert other.stdout.split("\n") == ["of the first", "said", ""], other.stderr
        assert await get(answers, b"k") is None


async def test_namespaces_are_apart(redis_alone: RedisServer) -> None:
    other = redis_answers(redis_settings(redis_alone))
    await other.start()
    async with opened(redis_alone) as answers:
        await put(answers, b"k")
        await other.invalidate(Selector())
        assert (await get(other, b"k"), await get(answers, b"k")) == (None, b"answer")
    await other.aclose()


async def test_look_ups_of_one_turn_share_a_round_trip(redis_alone: RedisServer) -> None:
    async with opened(redis_alone) as answers:
        await put(answers, b"3")
        before = redis_alone.command("INFO", "commandstats")["cmdstat_evalsha"]["calls"]
        found = await asyncio.gather(*(get(answers, b"%d" % (number % 100)) for number in range(200)))
        assert sum(each is not None for each in found) == 2
        assert redis_alone.command("INFO", "commandstats")["cmdstat_evalsha"]["calls"] - before <= 2  # and a beat


async def test_a_caller_that_leaves_disturbs_nobody(redis_alone: RedisServer) -> None:
    async with opened(redis_alone) as answers:
        await put(answers, b"k")
        for turns in range(20):
            leaving, staying = (asyncio.ensure_future(get(answers, b"k")) for _ in range(2))
            for _ in range(turns):
                await asyncio.sleep(0)
            leaving.cancel()
            assert await staying == b"answer"
            await asyncio.gather(leaving, return_exceptions=True)


async def test_what_waits_to_be_kept_is_kept_before_the_end(redis_alone: RedisServer) -> None:
    async with opened(redis_alone) as answers:
        for number in range(200):
            answers.put(b"%d" % number, bytes(20_000), labels(), began_s=time.time(), expires_s=time.time() + 60)
    assert answers.get(b"1") is None
    async with opened(redis_alone) as answers:
        for number in range(200):  # one by one: together they might take longer than Redis may take to answer
            assert await get(answers, b"%d" % number) == bytes(20_000)
