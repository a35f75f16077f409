"""An upstream's event stream: opened up to its commit point, then read to its regular end or an explicit failure.

Before the first content-bearing event a failure is raised by ``open``, and the call may be tried elsewhere. After it,
everything that arrived before the failure is still handed on, then the failure is raised. Leaving the stream early
closes the upstream's connection.
"""

from collections.abc import Callable
from typing import Self

from ..dialects.dialect import StreamTap
from ..dialects.sse import EventParser
from ..errors import UpstreamBroken, UpstreamError, UpstreamTimeout
from .http1 import Exchange

_AFTER_THE_END_S = 2.0


class UpstreamStream:
    """A `ReplyStream` over an exchange; ``tap`` sees every event and says what is forwarded.

    ``mask`` hides the gateway's credentials in what an upstream says of an error: it may quote what it was sent.
    """

    def __init__(self, exchange: Exchange, tap: StreamTap, mask: Callable[[str], str]) -> None:
        self._exchange = exchange
        self._mask = mask
        self._tap = tap
        self._parser = EventParser()
        self._ready: list[bytes] = []
        self._failure: UpstreamError | None = None
        self._ended = False

    async def open(self) -> Self:
        """Read up to the first content-bearing event, or to a regular end without any."""
        try:
            kind = self._exchange.response_headers.get(b"content-type", b"").split(b";")[0].strip().lower()
            if kind != b"text/event-stream":
                raise UpstreamBroken(f"a stream was asked for and the upstream sent {kind.decode('latin-1')!r}")
            while not (self._tap.has_content or self._tap.finished):
                if self._failure is not None:
                    raise self._failure.again()
                chunk = await self._exchange.chunk()
                if not chunk:
                    raise UpstreamBroken("the upstream's stream ended before its first content")
                self._take(chunk)
        except BaseException:
            self._exchange.close()
            raise
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while True:
            if self._ready:
                ready = self._ready[0] if len(self._ready) == 1 else b"".join(self._ready)
                self._ready.clear()
                if ready:
                    return ready
            if self._failure is not None:
                self._exchange.close()
                raise self._failure.again()
            if self._ended:
                raise StopAsyncIteration
            chunk = await self._next_chunk()
            if chunk:
                self._take(chunk)
            else:
                self._end()

    async def aclose(self) -> None:
        self._ended = True
        self._ready.clear()
        self._exchange.close()

    def _take(self, chunk: bytes) -> None:
        """Feed the events one by one, so that what came before a failure is not lost with it."""
        try:
            for event in self._parser.feed(chunk):
                self._ready.append(self._tap.feed([event]))
        except UpstreamError as error:
            if self._tap.finished:  # nonsense behind the end takes nothing away from what is whole
                self._end()
                return
            error.message = self._mask(error.message)
            error.args = (error.message,)
            self._failure = error.again()

    async def _next_chunk(self) -> bytes:
        if not self._tap.finished:
            return await self._exchange.chunk()
        # Only a terminator may follow: an upstream that keeps the line open or breaks it now has done its work.
        self._exchange.tighten(_AFTER_THE_END_S)
        try:
            return await self._exchange.chunk()
        except (UpstreamTimeout, UpstreamBroken):
            return b""

    def _end(self) -> None:
        self._ended = True
        self._exchange.close()
        if self._tap.finished:
            self._ready.append(self._tap.end())
        else:
            self._failure = UpstreamBroken("the upstream's stream was cut before its end")
