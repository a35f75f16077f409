"""One HTTP/1.1 connection to an upstream, and the exchange (one request, one response) that it carries at a time.

An asyncio protocol over llhttp (``httptools``) on the gateway's own event loop: no thread to cross, and whatever
arrived together is handed up together, which is what keeps hundreds of slow streams cheap. Measured against the
alternatives in ``docs/decisions/002-own-upstream-transport.md``.

Invariants: an exchange ends exactly once, complete or with an `UpstreamError`; a connection goes back to its pool
only after a complete response that allows it; no more than ``_HIGH_WATER`` bytes of a body wait for a slow reader.
Not covered: HTTP/2, request bodies that are streams, trailers.
"""

import asyncio
import zlib
from collections.abc import Callable
from typing import Any

import httptools

from ..errors import UpstreamBroken, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from ..ticker import Ticker
from ..types import Timeouts

_HIGH_WATER = 256 * 1024
_MAX_HEADER_BYTES = 64 * 1024


class StaleConnection(UpstreamUnreachable):
    """A kept-alive connection turned out to be closed before a single byte of the answer: safe to try a fresh one."""


class Exchange:
    """One request and its response: ``headers`` first, then ``chunk`` until it returns ``b""``, or ``body``."""

    def __init__(self, connection: "Connection", timeouts: Timeouts) -> None:
        self._connection = connection
        self._timeouts = timeouts
        self._loop = connection.loop
        self.status = 0
        self.response_headers: dict[bytes, bytes] = {}
        self._header_bytes = 0
        self._chunks: list[bytes] = []
        self._buffered = 0
        self._paused = False
        self._headers_done = False
        self._complete = False
        self._error: UpstreamError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._inflate: Any = None
        self._got_body = False
        now = self._loop.time()
        self._last_activity = now
        self._deadline = now + timeouts.total_s
        self._step_s = timeouts.first_byte_s
        connection.ticker.add(self)

    # --- the reader's side ---

    async def headers(self) -> None:
        """Wait for the status line and headers; closes the exchange when they do not come."""
        try:
            while not self._headers_done:
                if self._error is not None:
                    raise self._error.again()
                await self._news()
        except BaseException:
            self.close()
            raise

    async def chunk(self) -> bytes:
        """The body bytes that have arrived since the last call, at least one; ``b""`` at the end."""
        while True:
            if self._chunks:
                data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
                self._chunks.clear()
                self._buffered = 0
                if self._paused:
                    self._paused = False
                    self._last_activity = self._loop.time()
                    self._connection.resume()
                return data
            if self._error is not None:
                raise self._error.again()
            if self._complete:
                return b""
            await self._news()

    async def body(self, limit_bytes: int) -> bytes:
        """The whole body; `UpstreamBroken` past ``limit_bytes``."""
        if self._complete and len(self._chunks) == 1 and self._buffered <= limit_bytes:  # a small answer, all there
            return self._chunks.pop()
        parts: list[bytes] = []
        size = 0
        while data := await self.chunk():
            parts.append(data)
            size += len(data)
            if size > limit_bytes:
                raise UpstreamBroken(f"the upstream's answer is larger than {limit_bytes} bytes")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def tighten(self, idle_s: float) -> None:
        """From now on wait at most ``idle_s`` between chunks."""
        self._step_s = min(self._step_s, idle_s)

    def distrust(self) -> None:
        """The answer was no answer, so what follows on its connection may be the rest of it: do not use it again.

        A call that has taken the connection meanwhile keeps it, and finds out for itself.
        """
        self._connection.abandon()

    def close(self) -> None:
        """Give the exchange up. Before its end this closes the connection, which cancels the upstream's work."""
        if not self._complete:
            self._complete = True
            self._connection.ticker.remove(self)
            self._connection.abort()

    def _news(self) -> "asyncio.Future[None]":
        """What the connection resolves when something has happened; at most one reader waits at a time."""
        self._waiter = waiter = self._loop.create_future()
        return waiter

    def wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # --- the connection's side ---

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > _MAX_HEADER_BYTES:
            raise UpstreamBroken(f"the upstream's headers are larger than {_MAX_HEADER_BYTES} bytes")
        self.response_headers[name.lower()] = value

    def on_headers(self, status: int) -> None:
        self.status = status
        self._headers_done = True
        self._last_activity = self._loop.time()
        self._step_s = self._timeouts.idle_s
        encoding = self.response_headers.get(b"content-encoding", b"identity").strip().lower()
        if encoding in (b"gzip", b"deflate"):
            self._inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        elif encoding != b"identity":
            raise UpstreamBroken(f"the upstream sent content-encoding {encoding!r} though identity was asked for")

    def on_body(self, data: bytes) -> None:
        if self._inflate is not None:
            data = self._inflated(data)
            if not data:
                return
        self._chunks.append(data)
        self._buffered += len(data)
        if self._buffered > _HIGH_WATER and not self._paused:
            self._paused = True
            self._connection.pause()

    def check_whole(self) -> None:
        """At the body's end: `UpstreamBroken` when its compression promises more."""
        if self._inflate is not None and self._got_body and not self._inflate.eof:
            raise UpstreamBroken("the upstream's compressed answer is cut short")

    def _inflated(self, data: bytes) -> bytes:
        self._got_body = True
        limit = 64 * _HIGH_WATER
        try:
            plain: bytes = self._inflate.decompress(data, limit)
        except zlib.error as exc:
            raise UpstreamBroken(f"the upstream's compressed answer is damaged: {exc}") from exc
        if self._inflate.unconsumed_tail:
            raise UpstreamBroken("the upstream's compressed answer expands beyond reason")
        return plain

    def on_complete(self) -> None:
        if not self._complete:
            self._complete = True
            self._connection.ticker.remove(self)
            if self._paused:  # the connection goes back to its pool reading
                self._paused = False
                self._connection.resume()

    def on_data(self) -> None:
        if self._headers_done:  # a head that trickles in has one limit for all of it
            self._last_activity = self._loop.time()

    def fail(self, error: UpstreamError) -> None:
        """End with ``error``, unless complete already; what has arrived before stays readable."""
        if not self._complete and self._error is None:
            self._error = error.again()
            self._connection.ticker.remove(self)
        self.wake()

    def tick(self, now_s: float) -> None:
        """End with `UpstreamTimeout` when one of the limits is over."""
        if now_s >= self._deadline:
            self.fail(UpstreamTimeout(f"the upstream did not finish within {self._timeouts.total_s:g} s"))
        elif self._paused:  # the reader is slow, not the upstream
            self._last_activity = now_s
        elif now_s >= self._last_activity + self._step_s:
            what = "sent nothing more" if self._headers_done else "did not begin to answer"
            self.fail(UpstreamTimeout(f"the upstream {what} within {self._step_s:g} s"))


class Connection(asyncio.Protocol):
    """A socket, its parser and the exchange under way. ``on_idle`` gets it back when it may carry another one."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        ticker: Ticker,
        on_idle: Callable[["Connection"], None],
        on_lost: Callable[["Connection"], None],
    ) -> None:
        self.loop = loop
        self.ticker = ticker
        self.idle_since_s = 0.0
        self.used = False
        self.closed = False
        self._on_idle = on_idle
        self._on_lost = on_lost
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        self._exchange: Exchange | None = None
        self._got_bytes = False
        self._delimited = True

    def send(self, request: bytes, timeouts: Timeouts) -> Exchange:
        """Write one whole request and return its exchange."""
        self._exchange = exchange = Exchange(self, timeouts)
        self._got_bytes = False
        self._transport.write(request)
        return exchange

    def pause(self) -> None:
        if not self.closed:
            self._transport.pause_reading()

    def resume(self) -> None:
        if not self.closed:
            self._transport.resume_reading()

    def abort(self) -> None:
        self.closed = True
        self._transport.abort()

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:  # bytes that nobody asked for
            self.abort()
            return
        self._got_bytes = True
        exchange.on_data()
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            self._break(exchange, exc)
        exchange.wake()

    def abandon(self) -> None:
        """Close, unless an exchange is under way."""
        if self._exchange is None:
            self.abort()

    def _break(self, exchange: Exchange, exc: Exception) -> None:
        # Our own callbacks' errors arrive wrapped; what is none of ours is a message that llhttp cannot read.
        cause = exc.__context__
        if isinstance(cause, UpstreamError):
            exchange.fail(cause)
        else:
            exchange.fail(UpstreamBroken(f"the upstream's answer is not HTTP: {exc}"))
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._on_lost(self)
        del self._parser  # it holds our methods, and so us
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        if self._got_bytes and not self._delimited and exc is None:
            self._end_with_connection(exchange)
        elif self._got_bytes:
            exchange.fail(UpstreamBroken("the upstream closed the connection in the middle of its answer"))
        elif self.used:
            exchange.fail(StaleConnection("the upstream closed a kept-alive connection without an answer"))
        else:
            exchange.fail(UpstreamBroken("the upstream closed the connection without an answer"))

    def _end_with_connection(self, exchange: Exchange) -> None:
        """HTTP/1.0: the end of the connection is the end of the body."""
        try:
            exchange.check_whole()
        except UpstreamBroken as exc:
            exchange.fail(exc)
        else:
            exchange.on_complete()
            exchange.wake()

    # --- httptools callbacks ---

    def on_message_begin(self) -> None:
        if self._exchange is None:  # an answer to nothing: what is left of it must not meet the next request
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._exchange is not None:
            self._exchange.on_header(name, value)

    def on_headers_complete(self) -> None:
        exchange = self._exchange
        status = self._parser.get_status_code()
        if exchange is None or status < 200:
            return
        headers = exchange.response_headers
        self._delimited = b"content-length" in headers or b"transfer-encoding" in headers or status in (204, 304)
        exchange.on_headers(status)

    def on_body(self, data: bytes) -> None:
        if self._exchange is not None:
            self._exchange.on_body(data)

    def on_message_complete(self) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        if self._parser.get_status_code() < 200:  # 100 Continue, 103 Early Hints: the answer is still to come
            exchange.response_headers.clear()
            return
        exchange.check_whole()
        self._exchange = None
        exchange.on_complete()
        if self._parser.should_keep_alive() and not self.closed:
            self.used = True
            self._on_idle(self)
        else:
            self.closed = True
            self._transport.close()
