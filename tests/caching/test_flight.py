"""Many ask the same at once: one call upstream, the same bytes for everybody who stays, one who pays, nothing left."""

import asyncio
import gc
import tempfile
import weakref
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.errors import ClientDisconnected, LLMOpsError, UpstreamBroken, UpstreamUnavailable
from llmops.types import Reply

from .questions import QUESTION
from .stand import PROMPT_TOKENS, Script, Stand, Upstream, answer, read, turns

STREAMED = {**QUESTION, "stream": True}


class Rider(msgspec.Struct, frozen=True, kw_only=True):
    joins: int
    leaves: int | None
    """Turns after it has joined; None: it stays to the end."""
    slow: int
    """Turns between two chunks that it reads."""


RIDERS = st.builds(
    Rider, joins=st.integers(0, 25), leaves=st.none() | st.integers(1, 30), slow=st.sampled_from([0, 0, 1, 5])
)
SCRIPTS = st.integers(0, 6).flatmap(
    lambda chunks: st.builds(
        Script,
        before=st.integers(0, 8),
        between=st.integers(0, 4),
        chunks=st.just(chunks + 1),
        breaks_before=st.none() | st.none() | st.integers(0, chunks + 1),
    )
)


class Seen:
    """What one rider got."""

    def __init__(self) -> None:
        self.got = b""
        self.reply: Reply | None = None
        self.error: BaseException | None = None
        self.whole = False


async def ride(stand: Stand, plan: Rider, number: int, streamed: bool) -> Seen:
    seen = Seen()

    async def go() -> None:
        try:
            seen.reply = reply = await stand.ask(STREAMED if streamed else QUESTION, number=number)
            if reply.stream is None:
                seen.got = reply.body
            else:
                try:
                    async for chunk in reply.stream:
                        seen.got += chunk
                        await turns(plan.slow)
                finally:
                    await reply.stream.aclose()
            seen.whole = True
        except LLMOpsError as error:
            seen.error = error

    await turns(plan.joins)
    task = asyncio.create_task(go())
    if plan.leaves is not None:
        await turns(plan.leaves)
        task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        seen.error = ClientDisconnected("left")
    return seen


async def simulate(folder: Path, scripts: list[Script], riders: list[Rider], streamed: bool) -> None:
    upstream = Upstream(scripts)
    stand = Stand(folder, upstream)
    before = asyncio.all_tasks()
    seen = await asyncio.gather(*(ride(stand, plan, number + 1, streamed) for number, plan in enumerate(riders)))
    await turns(20)

    assert stand.known.flights == {}, "nobody rides, and a flight is left"
    assert asyncio.all_tasks() == before, "a task is left"
    assert upstream.under_way == 0, "an upstream call is left"
    assert stand.till.ledger.open == 0, "a reservation is left"
    assert upstream.most <= 1 + (upstream.cancelled > 0), "one call at a time, beside one that is being cancelled"

    assert len(stand.ended) == len(riders)
    payers = [each for each in stand.ended if each.call.attempts]
    assert len(payers) == upstream.begun, "each call upstream has exactly one who pays"
    charges = {each.call.request_id: each.charge for each in stand.ended if each.charge is not None}
    for each in stand.ended:
        charge = charges[each.call.request_id]
        if each.call.attempts == 0:
            assert charge.usage.total == 0 and not charge.cost_nanousd
            assert each.reply is None or each.reply.cached
        else:
            assert each.reply is None or not each.reply.cached
    paid = [charges[each.call.request_id].usage for each in payers if each.reply is not None]
    complete = [usage for usage in paid if usage.source == "provider"]
    unheard = [each for each in payers if each.reply is None and isinstance(each.error, ClientDisconnected)]
    assert len(upstream.used) - len(unheard) <= len(complete) <= len(upstream.used), "what came whole is paid for"
    assert all(usage in upstream.used for usage in complete)

    played = [scripts[min(index, len(scripts) - 1)] for index in range(upstream.begun)]
    answers = [b"".join(answer(script, index)) for index, script in enumerate(played)]
    for plan, one in zip(riders, seen, strict=True):
        if one.whole:
            assert one.got in answers, "not one whole answer of the upstream"
        else:
            assert any(each.startswith(one.got) for each in answers) or not one.got
        if plan.leaves is None:
            broke = isinstance(one.error, UpstreamBroken | UpstreamUnavailable)
            assert one.whole or (broke and any(script.breaks_before is not None for script in played))


@settings(max_examples=250, deadline=None)
@given(st.lists(SCRIPTS, min_size=1, max_size=3), st.lists(RIDERS, min_size=1, max_size=9), st.booleans())
def test_riders_come_and_go(scripts: list[Script], riders: list[Rider], streamed: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(simulate(Path(folder), scripts, riders, streamed))


async def begin(stand: Stand, count: int, body: dict[str, Any]) -> list["asyncio.Task[Reply]"]:
    """So many who ask, each of whom has had its turn."""
    tasks = [asyncio.create_task(stand.ask(body, number=number)) for number in range(1, count + 1)]
    await turns(3)
    return tasks


async def test_a_thousand_ask_and_one_call_is_made(tmp_path: Path) -> None:
    upstream = Upstream([Script(before=10)])
    stand = Stand(tmp_path, upstream)
    replies = [await task for task in await begin(stand, 1000, QUESTION)]
    assert {reply.body for reply in replies} == {b"".join(answer(Script(), 0))} and upstream.begun == 1
    assert sum(not reply.cached for reply in replies) == 1
    costs = [each.charge.cost_nanousd for each in stand.ended if each.charge]
    assert [cost for cost in costs if cost] == [PROMPT_TOKENS * 150 + 3 * 600] and len(costs) == 1000
    saved = sum(each.charge.saved_nanousd for each in stand.ended if each.charge)
    assert saved == 999 * (PROMPT_TOKENS * 150 + 3 * 600)


@pytest.mark.parametrize("body", [QUESTION, STREAMED])
async def test_the_leader_hangs_up_and_a_follower_carries_on(tmp_path: Path, body: dict[str, Any]) -> None:
    upstream = Upstream([Script(before=10, between=2)])
    stand = Stand(tmp_path, upstream)
    leader, *followers = await begin(stand, 3, body)
    leader.cancel()
    replies = await asyncio.gather(*followers)
    assert [await read(reply) for reply in replies] == [b"".join(answer(Script(), 0))] * 2
    assert (upstream.begun, upstream.cancelled) == (1, 0)
    left, *stayed = stand.ended
    assert isinstance(left.error, ClientDisconnected) and left.charge is not None and left.charge.usage.total == 0
    assert [
        (each.call.request_id[-1], each.call.attempts, each.charge.usage.total) for each in stayed if each.charge
    ] == [("2", 1, 13), ("3", 0, 0)]


async def test_a_stream_goes_on_without_a_gap_when_the_leader_leaves_in_the_middle(tmp_path: Path) -> None:
    upstream = Upstream([Script(chunks=9, between=3)])
    stand = Stand(tmp_path, upstream)
    leader, follower = [await task for task in await begin(stand, 2, STREAMED)]
    assert leader.stream is not None and follower.stream is not None
    assert not leader.cached and follower.cached and follower.cache is not None and follower.cache.state == "shared"
    for _ in range(4):
        await leader.stream.__anext__()
    got = await follower.stream.__anext__()
    await leader.stream.aclose()
    assert got + await read(follower) == b"".join(answer(Script(chunks=9), 0))
    assert not follower.cached and leader.cached and upstream.cancelled == 0
    assert [each.charge.usage.total for each in stand.ended if each.charge] == [0, PROMPT_TOKENS + 9]


async def test_the_last_one_out_stops_the_upstream_and_pays_for_what_it_used(tmp_path: Path) -> None:
    upstream = Upstream([Script(chunks=9, between=50)])
    stand = Stand(tmp_path, upstream)
    replies = [await task for task in await begin(stand, 3, STREAMED)]
    for reply in replies:
        assert reply.stream is not None
        await reply.stream.__anext__()
    for reply in replies:
        assert reply.stream is not None
        await reply.stream.aclose()
        await reply.stream.aclose()  # has no effect the second time
    await turns(5)
    assert (upstream.cancelled, upstream.under_way, stand.known.flights) == (1, 0, {})
    assert [(each.charge.usage.source, each.call.attempts) for each in stand.ended if each.charge] == [
        ("none", 0),
        ("none", 0),
        ("estimated", 1),
    ]
    assert await stand.state(STREAMED) == "miss", "a cut stream is not kept"


async def test_a_failure_is_everybodys_and_is_charged_once(tmp_path: Path) -> None:
    stand = Stand(tmp_path, Upstream([Script(before=5, breaks_before=0)]))
    tasks = await begin(stand, 4, QUESTION)
    errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(error) for error in errors} == {UpstreamUnavailable}
    assert [each.call.attempts for each in stand.ended] == [1, 0, 0, 0]


async def test_a_cut_stream_is_cut_for_all_and_not_kept(tmp_path: Path) -> None:
    upstream = Upstream([Script(chunks=5, breaks_before=3), Script()])
    stand = Stand(tmp_path, upstream)
    replies = [await task for task in await begin(stand, 3, STREAMED)]
    for reply in replies:
        got = b""
        assert reply.stream is not None
        with pytest.raises(UpstreamBroken):
            async for chunk in reply.stream:
                got += chunk
        assert got == b"".join(answer(Script(chunks=3), 0))
    assert await stand.state(STREAMED) == "miss" and upstream.begun == 2


async def test_a_stream_too_large_to_keep_is_passed_on_within_bounded_memory(tmp_path: Path) -> None:
    script = Script(chunks=3000, chunk_bytes=100)
    upstream = Upstream([script])
    stand = Stand(tmp_path, upstream, max_entry_bytes=10_000)
    first, second = [await task for task in await begin(stand, 2, STREAMED)]
    assert first.stream is not None and second.stream is not None
    got = await first.stream.__anext__()
    await turns(500)
    ahead = stand.till.counters  # the pump has stopped: nobody else could have taken what it read
    assert ahead is not None and upstream.used == []
    assert stand.known.flights == {}, "nobody gets on any more"
    whole, other = await asyncio.gather(read(first), read(second))
    assert got + whole == other == b"".join(answer(script, 0))
    assert upstream.begun == 1 and stand.known.too_large == 1
    assert await stand.state(STREAMED) == "miss" and upstream.begun == 2


async def test_a_reader_that_stops_holds_a_stream_that_is_too_large_and_its_leaving_frees_it(tmp_path: Path) -> None:
    script = Script(chunks=500, chunk_bytes=100)
    stand = Stand(tmp_path, Upstream([script]), max_entry_bytes=1000)
    stopped, quick = [await task for task in await begin(stand, 2, STREAMED)]
    assert stopped.stream is not None
    await stopped.stream.__anext__()
    reading = asyncio.create_task(read(quick))
    await turns(2000)
    assert not reading.done()
    await stopped.stream.aclose()
    assert await reading == b"".join(answer(script, 0))
    assert [each.charge.usage.total for each in stand.ended if each.charge] == [0, PROMPT_TOKENS + 500]


async def test_who_joins_late_gets_the_stream_from_its_beginning(tmp_path: Path) -> None:
    script = Script(chunks=9, between=5)
    upstream = Upstream([script])
    stand = Stand(tmp_path, upstream)
    (first,) = [await task for task in await begin(stand, 1, STREAMED)]
    assert first.stream is not None
    head = b"".join([await first.stream.__anext__() for _ in range(5)])
    late = await stand.ask(STREAMED, number=2)
    both = await asyncio.gather(read(first), read(late))
    assert [head + both[0], both[1]] == [b"".join(answer(script, 0))] * 2 and upstream.begun == 1
    hit = await stand.ask(STREAMED, number=3)
    assert hit.cache is not None and hit.cache.state == "hit" and await read(hit) == both[1]


async def test_nothing_of_a_flight_waits_for_the_garbage_collector(tmp_path: Path) -> None:
    stand = Stand(tmp_path, Upstream([Script(before=5)]))
    gc.collect()
    gc.disable()
    try:
        leader, follower = await begin(stand, 2, QUESTION)
        (flight,) = map(weakref.ref, stand.known.flights.values())
        for task in (leader, follower):
            await read(await task)
        del leader, follower, task
        stand.ended.clear()
        await turns(3)
        assert flight() is None
    finally:
        gc.enable()
