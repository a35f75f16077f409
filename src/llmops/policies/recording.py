"""Recording: every call that enters the pipeline leaves exactly one `FinishedCall`, however it ends.

The outermost policy, so that refusals by the policies inside are recorded too. A stream is recorded when it ends, is
cut, fails, or is given up by its reader.
"""

import asyncio
from typing import Protocol, Self

from ..clock import Clock
from ..errors import ClientDisconnected, LLMOpsError, internal_error
from ..telemetry.record import FinishedCall
from ..types import Call, Handler, Policy, Reply, ReplyStream


class Sink(Protocol):
    """Where finished calls go."""

    def append(self, ended: FinishedCall, /) -> None: ...


def recording(sink: Sink, clock: Clock) -> Policy:
    """Record every call into ``sink``. Unexpected exceptions become `InternalError` here: the pipeline's border."""

    def policy(handle: Handler) -> Handler:
        async def recorded(call: Call) -> Reply:
            call.entered_s = clock.monotonic_s()
            try:
                reply = await handle(call)
            except LLMOpsError as exc:
                sink.append(FinishedCall(call=call, error=exc, ended_s=clock.monotonic_s()))
                raise
            except BaseException as exc:
                error = as_error(exc)
                sink.append(FinishedCall(call=call, error=error, ended_s=clock.monotonic_s()))
                if not isinstance(exc, Exception):  # cancellation, the end of the process
                    raise
                raise error from exc
            if reply.stream is None:
                sink.append(FinishedCall(call=call, reply=reply, ended_s=clock.monotonic_s()))
            else:
                reply.stream = _RecordedStream(reply.stream, call, reply, sink, clock)
            return reply

        return recorded

    return policy


def as_error(exc: BaseException) -> LLMOpsError:
    """The error that stands for ``exc`` in the records: itself, a departed client, or a defect of ours."""
    if isinstance(exc, LLMOpsError):
        return exc
    if isinstance(exc, asyncio.CancelledError):
        return ClientDisconnected("the client left before the answer was complete")
    return internal_error()


class _RecordedStream:
    def __init__(self, stream: ReplyStream, call: Call, reply: Reply, sink: Sink, clock: Clock) -> None:
        self._stream = stream
        self._call = call
        self._reply: Reply | None = reply
        """None once it is recorded."""
        self._sink = sink
        self._clock = clock

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._stream.__anext__()
        except StopAsyncIteration:
            self._record(None)
            raise
        except LLMOpsError as exc:
            self._record(exc)
            raise
        except BaseException as exc:
            error = as_error(exc)
            self._record(error)
            if not isinstance(exc, Exception):  # cancellation, the end of the process
                raise
            raise error from exc

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()  # first: only then it is known whether somebody else carries on, and pays
        finally:
            self._record(ClientDisconnected("the client left before the stream was complete"))

    def _record(self, error: LLMOpsError | None) -> None:
        reply, self._reply = self._reply, None  # which holds this stream: else both would wait for the collector
        if reply is not None:
            self._sink.append(
                FinishedCall(call=self._call, reply=reply, error=error, ended_s=self._clock.monotonic_s())
            )
