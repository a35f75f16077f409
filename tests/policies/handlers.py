"""The innermost handlers of policy tests: replies, streams that end in every way, and calls to give them."""

from collections.abc import AsyncIterator
from typing import Any, Self

from llmops.types import Call, Handler, MessageView, Outcome, OutputContract, Reply, RequestView, Usage


def a_call(*, output: OutputContract | None = None, model: str = "m", **fields: Any) -> Call:
    view = RequestView(model=model, output=output, messages=[MessageView("user", b"Hi", 2)])
    return Call(
        operation="chat",
        body=b"{}",
        view=view,
        request_id="req_1",
        trace_id="1" * 32,
        span_id="2" * 16,
        started_at_s=0.0,
        started_s=0.0,
        **fields,
    )


class Events:
    """A stream over an async iterator, which counts how often it was closed."""

    def __init__(self, events: AsyncIterator[bytes]) -> None:
        self._events = events
        self.closed = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        return await self._events.__anext__()

    async def aclose(self) -> None:
        self.closed += 1


async def some(*events: bytes | BaseException) -> AsyncIterator[bytes]:
    for event in events:
        if isinstance(event, BaseException):
            raise event
        yield event


def answering(*texts: str | None) -> Handler:
    """Gives these texts, one a call, the last one for ever; each uses 3 and 2 tokens."""
    waiting = list(texts)

    async def handle(call: Call) -> Reply:
        text = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return Reply(body=b"{}", outcome=Outcome(text=text, usage=Usage(prompt=3, completion=2)))

    return handle
