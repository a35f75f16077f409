"""Every call is recorded exactly once, however it ends, and ends for the caller as it did inside."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.clock import ManualClock
from llmops.errors import ClientDisconnected, InternalError, InvalidRequest, UpstreamBroken, UpstreamTimeout
from llmops.policies.recording import recording
from llmops.telemetry.record import FinishedCall
from llmops.types import Call, Outcome, Reply

from .handlers import Events, a_call, some

ENDS: list[BaseException | None] = [
    None,
    InvalidRequest("no"),
    UpstreamBroken("cut"),
    UpstreamTimeout("late"),
    ValueError("a defect"),
    asyncio.CancelledError(),
]
CODES = {
    InvalidRequest: "invalid_request",
    UpstreamBroken: "upstream_broken",
    UpstreamTimeout: "upstream_timeout",
    ValueError: "internal_error",
    asyncio.CancelledError: "client_disconnected",
    type(None): None,
}


class Sink(list[FinishedCall]):
    """Where records go in these tests: a list."""


def codes(sink: Sink) -> list[str | None]:
    return [ended.error.code if ended.error else None for ended in sink]


async def outcome_of(awaitable: Any) -> BaseException | None:
    try:
        await awaitable
    except BaseException as exc:  # noqa: BLE001 - also cancellation is looked at
        return exc
    return None


@pytest.mark.parametrize("end", ENDS, ids=repr)
async def test_a_complete_call(end: BaseException | None) -> None:
    async def handle(call: Call) -> Reply:
        clock.advance(2)
        if end is not None:
            raise end
        return Reply(body=b"{}", outcome=Outcome())

    sink, clock, call = Sink(), ManualClock(), a_call()
    ended = await outcome_of(recording(sink, clock)(handle)(call))
    assert codes(sink) == [CODES[type(end)]]
    assert (sink[0].call, sink[0].ended_s, sink[0].reply is None) == (call, 2.0, end is not None)
    if isinstance(end, ValueError):
        assert isinstance(ended, InternalError) and ended.__cause__ is end and "a defect" not in ended.message
    else:
        assert ended is end


@given(events=st.integers(0, 4), end=st.sampled_from(ENDS), read=st.integers(0, 7), closes=st.integers(0, 3))
async def test_a_stream(events: int, end: BaseException | None, read: int, closes: int) -> None:
    """Read to some point, perhaps past its end, perhaps given up, closed any number of times: one record."""
    inner = Events(some(*[b"x"] * events, *([end] if end is not None else [])))
    sink = Sink()

    async def handle(call: Call) -> Reply:
        return Reply(stream=inner, outcome=Outcome())

    reply = await recording(sink, ManualClock())(handle)(a_call())
    assert reply.stream is not None and sink == []
    seen = [await outcome_of(reply.stream.__anext__()) for _ in range(read)]
    for _ in range(closes):
        await reply.stream.aclose()
    assert inner.closed == closes
    came_to_its_end = read > events
    if came_to_its_end:
        assert codes(sink) == [CODES[type(end)]]
        wanted = StopAsyncIteration if end is None else InternalError if isinstance(end, ValueError) else type(end)
        assert [type(each) for each in seen[:events]] == [type(None)] * events and type(seen[events]) is wanted
    else:
        assert codes(sink) == (["client_disconnected"] if closes else [])


async def test_a_reader_that_is_cancelled_while_it_waits() -> None:
    async def never(call: Call) -> Reply:
        async def wait() -> Any:
            await asyncio.sleep(30)
            yield b""

        return Reply(stream=Events(wait()), outcome=Outcome())

    sink = Sink()
    reply = await recording(sink, ManualClock())(never)(a_call())
    assert reply.stream is not None
    reading = asyncio.ensure_future(reply.stream.__anext__())
    await asyncio.sleep(0.01)
    reading.cancel()
    assert isinstance(await outcome_of(reading), asyncio.CancelledError)
    await reply.stream.aclose()
    assert codes(sink) == ["client_disconnected"] and isinstance(sink[0].error, ClientDisconnected)


@pytest.mark.parametrize("fatal", [KeyboardInterrupt(), SystemExit()])
async def test_even_the_end_of_the_process_is_recorded(fatal: BaseException) -> None:
    async def handle(call: Call) -> Reply:
        raise fatal

    sink = Sink()
    ended = await outcome_of(recording(sink, ManualClock())(handle)(a_call()))
    assert codes(sink) == ["internal_error"] and ended is fatal
