"""The board in Redis: notes of others, once each; they vanish; garbage harms nobody; a lost Redis is said at once."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from llmops.errors import StoreUnavailable
from llmops.redis_settings import RedisSettings
from llmops.store.breaker_board import BreakerBoard
from tests.store.redis_server import RedisServer

_names = itertools.count()
PROMPT_S = 1.0


class Place:
    """A namespace of this test's own, and the boards opened in it."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.namespace = f"board{next(_names)}"
        self.key = f"{{{self.namespace}}}:breakers:1"
        self.boards: list[BreakerBoard] = []

    def board(self, keep_s: float = 60.0) -> BreakerBoard:
        settings = RedisSettings(url=self.server.url, namespace=self.namespace)
        self.boards.append(BreakerBoard(settings, keep_s))
        return self.boards[-1]

    async def aclose(self) -> None:
        for board in self.boards:
            await board.aclose()

    def command(self, name: str, *words: Any) -> Any:
        return self.server.command(name, self.key, *words)


@pytest.fixture
async def place(redis_always: RedisServer) -> AsyncIterator[Place]:
    place = Place(redis_always)
    yield place
    await place.aclose()


@pytest.fixture
async def alone(redis_alone: RedisServer) -> AsyncIterator[Place]:
    place = Place(redis_alone)
    yield place
    await place.aclose()


async def heard(board: BreakerBoard, **notes: bytes) -> dict[str, bytes]:
    return dict((await board.exchange(notes)).posted)


async def test_each_hears_what_others_have_posted_and_once(place: Place) -> None:
    one, other = place.board(), place.board()
    assert (await one.exchange({"a|1": b"open", "b|c|2": b"closed"})).renewed
    first = await other.exchange({"a|1": b"dead"})
    assert first.renewed and dict(first.posted) == {"a|1": b"open", "b|c|2": b"closed"} and not first.spoilt
    again = await other.exchange({})
    assert not again.renewed and not again.posted
    assert await heard(one) == {"a|1": b"dead"} and await heard(one) == {}
    await one.exchange({"a|1": b"better"})
    assert await heard(other) == {"a|1": b"better"}
    other.reread()
    assert await heard(other) == {"a|1": b"better", "b|c|2": b"closed"}
    assert abs((await one.exchange({})).now_s - time.time()) < 60


async def test_to_post_and_to_read_is_one_command(alone: Place) -> None:
    one, other = alone.board(), alone.board()
    await one.exchange({})
    before = alone.server.command("INFO", "commandstats")["cmdstat_evalsha"]["calls"]
    await other.exchange({"a|1": b"x", "b|1": b"y"})
    assert await heard(one, **{"c|1": b"z"}) == {"a|1": b"x", "b|1": b"y"}
    assert alone.server.command("INFO", "commandstats")["cmdstat_evalsha"]["calls"] == before + 2


async def test_notes_of_the_dead_vanish(place: Place) -> None:
    dead, living = place.board(keep_s=0.5), place.board(keep_s=0.5)
    await dead.exchange({"a|1": b"last words"})
    await asyncio.sleep(0.3)
    await living.exchange({"b|1": b"x"})
    await asyncio.sleep(0.3)
    await living.exchange({"b|1": b"y"})
    late = place.board(keep_s=0.5)
    assert await heard(late) == {"b|1": b"y"}
    assert place.command("HLEN") == 2  # that, and the board's head
    await asyncio.sleep(0.6)
    assert place.command("EXISTS") == 0
    assert (await living.exchange({})).renewed


async def test_a_board_that_is_gone_is_noticed_even_when_somebody_has_posted_since(place: Place) -> None:
    one, other = place.board(), place.board()
    await one.exchange({"a|1": b"x"})
    await other.exchange({})
    place.command("DEL")
    await one.exchange({"a|1": b"again"})
    news = await other.exchange({})
    assert news.renewed and dict(news.posted) == {"a|1": b"again"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("a|1|x", "no stamp"),
        ("a|1|x", ""),
        ("a|1|x", "99999999999999999999 {}"),
        ("no process", "1 {}"),
        ("a|1|x", "1700000000000000 " + "x" * 5000),
        ("a|1|x", b"\xff\x00\xfe"),
    ],
)
async def test_what_is_no_note_is_removed_and_counted(field: str, value: Any, place: Place) -> None:
    one, other = place.board(), place.board()
    await one.exchange({"good|1": b"x"})
    place.command("HSET", field, value)
    news = await other.exchange({})
    assert news.spoilt == 1 and dict(news.posted) == {"good|1": b"x"}
    assert place.command("HEXISTS", field) in (0, False)
    assert (await other.exchange({})).spoilt == 0


@pytest.mark.parametrize("head", ["", "nonsense", "1 2 3", "5 99999999999999999999", b"\xff"])
async def test_a_board_with_a_spoilt_head_is_put_up_anew(head: Any, place: Place) -> None:
    one, other = place.board(), place.board()
    await one.exchange({"a|1": b"x"})
    await other.exchange({})
    place.command("HSET", "", head)
    news = await one.exchange({"a|1": b"x"})
    assert news.renewed and news.spoilt == 1
    assert await heard(other) == {"a|1": b"x"}


async def test_a_key_of_another_kind_is_put_out_of_the_way(place: Place) -> None:
    place.command("SET", "whose is this?")
    board = place.board()
    assert (await board.exchange({"a|1": b"x"})).spoilt == 1
    assert await heard(place.board()) == {"a|1": b"x"}


async def test_a_board_that_overflows_begins_anew(place: Place) -> None:
    one = place.board()
    await one.exchange({"a|1": b"x"})
    place.command("HSET", *itertools.chain.from_iterable((f"f{number}|1|x", "1 {}") for number in range(20_001)))
    news = await one.exchange({"a|1": b"y"})
    assert news.renewed and place.command("HLEN") == 2


async def test_names_of_any_kind_come_back_as_they_were(place: Place) -> None:
    names = ["ünï|1", "with space\n|1", "%d+ $1|1", "|", "a||b"]
    await place.board().exchange({name: b"{}" for name in names})
    assert set(await heard(place.board())) == set(names)


async def test_a_lost_redis_is_said_in_time_and_found_again(alone: Place) -> None:
    board, other = alone.board(), alone.board()
    await board.exchange({"a|1": b"x"})
    alone.server.freeze()
    begun_s = time.perf_counter()
    with pytest.raises(StoreUnavailable, match="no answer within"):
        await board.exchange({"a|1": b"y"})
    alone.server.kill()
    with pytest.raises(StoreUnavailable):
        await board.exchange({"a|1": b"y"})
    assert time.perf_counter() - begun_s < PROMPT_S
    alone.server.start()
    assert not (await board.exchange({"a|1": b"z"})).renewed, "it is durable"
    assert await heard(other) == {"a|1": b"z"}


async def test_a_redis_that_takes_nothing_is_as_good_as_gone(alone: Place) -> None:
    board = alone.board()
    await board.exchange({})
    alone.server.command("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(StoreUnavailable, match="maxmemory"):
        await board.exchange({"a|1": b"x"})
    alone.server.command("CONFIG", "SET", "maxmemory", "0")
    await board.exchange({"a|1": b"x"})
