"""The policy of resilience over deployments that fail as they are told: what is tried, said and given back."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from llmops.errors import (
    DeadlineExceeded,
    LLMOpsError,
    UpstreamBroken,
    UpstreamCredential,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from llmops.types import Call, Outcome, Reply

from .house import CLOCK, House, Place, broken


async def test_what_works_is_asked_once() -> None:
    house = House(Place("ok"), Place("ok"))
    call, reply = await house.call()
    assert isinstance(reply, Reply) and house.asked == [1, 0] and call.attempts == 1 and call.timeouts is None


async def test_another_deployment_takes_over() -> None:
    house = House(Place(broken()), Place("ok"))
    call, reply = await house.call()
    assert isinstance(reply, Reply) and house.asked == [1, 1]
    assert (call.attempts, call.deployment and call.deployment.name) == (2, "d1")


async def test_a_lone_deployment_is_asked_again() -> None:
    house = House(Place(broken(), UpstreamUnavailable("later", upstream_status=503), "ok"))
    _, reply = await house.call()
    assert isinstance(reply, Reply) and house.asked == [3]


async def test_attempts_are_bounded_and_all_are_named() -> None:
    house = House(Place(broken()), Place(UpstreamTimeout("silence")), max_attempts=3)
    call, error = await house.call()
    assert isinstance(error, LLMOpsError) and sum(house.asked) == call.attempts == 3
    assert "'d0' failed: garbage" in error.message and "'d1' failed: silence" in error.message


async def test_one_attempt_where_no_retries_are_wanted() -> None:
    house = House(Place(broken()), Place("ok"), max_attempts=1)
    _, error = await house.call()
    assert isinstance(error, UpstreamBroken) and error.message == "garbage" and house.asked == [1, 0]


@pytest.mark.parametrize(
    "final", [UpstreamRejected("no such parameter", upstream_status=400), UpstreamRejected("x", upstream_status=404)]
)
async def test_what_the_caller_got_wrong_is_not_repeated(final: UpstreamRejected) -> None:
    house = House(Place(final), Place("ok"))
    _, error = await house.call()
    assert error is final and house.asked == [1, 0]


async def test_a_refused_credential_is_left_alone_and_told() -> None:
    house = House(Place(UpstreamCredential("refused", upstream_status=401)), Place("ok"))
    for _ in range(3):
        assert isinstance((await house.call())[1], Reply)
    assert house.asked == [1, 3]
    assert "'d0'" in house.fleet.problems(CLOCK.monotonic_s())[0]


async def test_a_sick_deployment_is_left_alone() -> None:
    house = House(Place(broken()), Place("ok"))
    for _ in range(20):
        assert isinstance((await house.call())[1], Reply)
    assert house.asked[0] == 5 and house.asked[1] == 20


async def test_the_last_one_standing_is_asked_all_the_same() -> None:
    house = House(Place(broken()), max_attempts=1)
    for _ in range(8):
        await house.call()
    assert house.asked == [8]


async def test_asked_to_slow_down_the_other_takes_the_call_and_the_next() -> None:
    house = House(Place(UpstreamRateLimited("slow", retry_after_s=30, upstream_status=429)), Place("ok"))
    assert isinstance((await house.call())[1], Reply) and isinstance((await house.call())[1], Reply)
    assert house.asked == [1, 2]


async def test_where_everything_cools_down_the_caller_is_told_when_to_come_back() -> None:
    house = House(Place(UpstreamRateLimited("slow", retry_after_s=30, upstream_status=429)))
    _, first = await house.call()
    _, second = await house.call()
    assert isinstance(first, UpstreamRateLimited) and first.retry_after_s == 30
    assert isinstance(second, UpstreamUnavailable) and second.retry_after_s is not None
    assert 25 < second.retry_after_s <= 30 and house.asked == [1]


# --- time -------------------------------------------------------------------------------------------------------


async def test_the_callers_time_bounds_each_attempt_and_is_told_upstream() -> None:
    house = House(Place(broken()), Place("ok"))
    await house.call(timeout_s=5.0)
    first, second = house.places[0].limits[0], house.places[1].limits[0]
    assert first is not None and second is not None and 4.9 < second <= first <= 5.0


async def test_a_stage_has_a_limit_of_its_own() -> None:
    house = House(Place("ok"))
    await house.call(timeout_s=5.0, stage="grading", stage_timeout_s=1.0)
    limit = house.places[0].limits[0]
    assert limit is not None and limit <= 1.0


async def test_no_attempt_without_time() -> None:
    house = House(Place("ok"))
    _, error = await house.call(timeout_s=0.01)
    assert isinstance(error, DeadlineExceeded) and error.status == 504 and house.asked == [0]


async def test_there_is_no_retry_beyond_the_deadline() -> None:
    async def slow() -> None:
        await asyncio.sleep(0.1)
        raise broken()

    house = House(Place(slow), max_attempts=5)
    _, error = await house.call(timeout_s=0.12)
    assert isinstance(error, UpstreamBroken) and house.asked == [1]


# --- nothing leaks ----------------------------------------------------------------------------------------------


class Events:
    """A stream of events, which may end with an error."""

    def __init__(self, *events: Any) -> None:
        self.events = list(events)
        self.closed = False

    def __aiter__(self) -> "Events":
        return self

    async def __anext__(self) -> bytes:
        if not self.events:
            raise StopAsyncIteration
        event = self.events.pop(0)
        if isinstance(event, BaseException):
            raise event
        assert isinstance(event, bytes)
        return event

    async def aclose(self) -> None:
        self.closed = True


async def stream_of(house: House, events: Sequence[Any]) -> tuple[Events, Reply]:
    source = Events(*events)

    async def send(call: Call) -> Reply:
        house.places[0].asked += 1
        return Reply(stream=source, outcome=Outcome(first_content_s=CLOCK.monotonic_s()))

    house.places[0].send = send  # type: ignore[method-assign]
    reply = (await house.call())[1]
    assert isinstance(reply, Reply) and reply.stream is not None and house.under_way == 1
    return source, reply


async def test_a_stream_holds_its_place_until_its_end() -> None:
    house = House(Place("ok"))
    _, reply = await stream_of(house, [b"a", b"b"])
    assert reply.stream is not None and [event async for event in reply.stream] == [b"a", b"b"]
    assert house.under_way == 0
    await reply.stream.aclose()
    assert house.under_way == 0


async def test_a_stream_that_is_left_gives_its_place_back() -> None:
    house = House(Place("ok"))
    source, reply = await stream_of(house, [b"a", b"b"])
    assert reply.stream is not None
    await anext(aiter(reply.stream))
    await reply.stream.aclose()
    assert source.closed and house.under_way == 0


async def test_a_stream_that_breaks_is_never_repeated_and_counts_against_its_deployment() -> None:
    house = House(Place("ok"), Place("ok"))
    for _ in range(20):  # each began well, so it is their share that tells
        _, reply = await stream_of(house, [b"a", broken()])
        assert reply.stream is not None
        with pytest.raises(UpstreamBroken):
            _ = [event async for event in reply.stream]
    assert house.under_way == 0 and house.asked == [20, 0]
    await house.call()
    assert house.asked == [20, 1], "it is left alone now"


async def test_a_caller_that_leaves_gives_its_place_back() -> None:
    started = asyncio.Event()

    async def forever() -> None:
        started.set()
        await asyncio.Event().wait()

    house = House(Place(forever))
    task = asyncio.create_task(house.call())
    await started.wait()
    assert house.under_way == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert house.under_way == 0


async def test_health_outlives_a_reload() -> None:
    house = House(Place(broken()), Place("ok"))
    for _ in range(6):
        await house.call()
    house.fleet.set_out(house.table.models, house.fleet.rules, CLOCK.monotonic_s())
    await house.call()
    assert house.asked[0] == 5
