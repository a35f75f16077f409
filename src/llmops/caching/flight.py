"""One call upstream for all who ask the same at the same time (single-flight).

The call runs in a task of its own, on a copy of the first rider's `Call`; riders come and go while it does. Exactly one
of them pays: the first, and when it leaves, the next. Its reply is the upstream's (``cached`` False); those of the
others settle at zero. Whoever leaves last takes the call down with it, and pays for what it had used. A stream is read
by the task and handed to every rider from the first event on, however late it got on.

Not covered: what other processes ask at the same time.
"""

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Self

import msgspec

from ..errors import DeadlineExceeded
from ..types import CacheNote, Call, Handler, Outcome, Reply

_log = logging.getLogger(__name__)
_MISS = CacheNote(state="miss")
_WINDOW = 64
"""Chunks that a stream too large to be kept may be ahead of its slowest rider."""


def _nothing() -> None:
    pass


Keep = Callable[[Call, Reply, list[bytes] | None], None]
"""Told once, of an answer that came whole: the flight's call, its reply, and a stream's chunks (None: too large)."""


class Flight:
    """``call`` is the flight's own. ``on_end`` is called when nobody may get on any more."""

    def __init__(self, call: Call, *, max_bytes: int, keep: Keep, on_end: Callable[[], None]) -> None:
        self.call = call
        self._max_bytes = max_bytes
        self._keep = keep
        self._on_end = on_end
        self._arrived: Reply | None = None
        self._riders: dict[_Rider, None] = {}
        """In the order in which they got on."""
        self._payer: _Rider | None = None
        self._chunks: list[bytes] = []
        self._dropped = 0
        """Chunks that every rider has had and that are not kept."""
        self._bytes = 0
        self._is_paid = self._too_large = self._ended = False
        self._failure: BaseException | None = None
        self._trace: TracebackType | None = None
        self._progress: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, handle: Handler) -> None:
        self._task = asyncio.get_running_loop().create_task(self._fly(handle))

    async def ride(self, call: Call, timeout_s: float | None = None) -> Reply:
        """The answer for one rider. Raises what the flight failed with; `DeadlineExceeded` after ``timeout_s``."""
        rider = _Rider(self, call)
        self._riders[rider] = None
        if self._payer is None and not self._is_paid:
            self._payer = rider
        try:
            if self._arrived is None:
                if timeout_s is None:
                    await rider.news()
                else:
                    async with asyncio.timeout(timeout_s):
                        await rider.news()
        except BaseException as exc:
            self.leave(rider)
            if isinstance(exc, TimeoutError):
                raise DeadlineExceeded("an identical call is under way; it took longer than this one may") from exc
            raise
        if self._arrived is not None:
            return rider.board(self._arrived)
        assert self._failure is not None
        if rider is self._payer:
            self.bill(call)
        self.end(rider)
        raise self._failure.with_traceback(self._trace)

    def end(self, rider: "_Rider") -> None:
        """It has had all there was; if it was the payer, it has paid."""
        if rider in self._riders:
            del self._riders[rider]
            if rider is self._payer:
                self._payer, self._is_paid = None, True
            self._tell_progress()

    def leave(self, rider: "_Rider") -> None:
        """It goes before the end: the next one pays. Has no effect the second time."""
        if rider not in self._riders:
            return
        del self._riders[rider]
        rider.has_left = True
        rider.tell()
        if self._riders:
            if rider is self._payer:
                self._payer = next(iter(self._riders))
                rider.is_excused()
                self._payer.pays()
            self._tell_progress()
            return
        if rider is self._payer:
            rider.pays()
        if self._task is not None and not self._task.done():
            self._on_end()
            self._task.cancel()

    def has_failed_with(self, error: BaseException) -> bool:
        """Whether that is what the flight itself came to."""
        return error is self._failure

    def is_payer(self, rider: "_Rider") -> bool:
        return rider is self._payer

    # --- the task ---

    async def _fly(self, handle: Handler) -> None:
        try:
            reply = await handle(self.call)
            reply.cache = reply.cache or _MISS
            self._arrived = reply
            self._tell_news()
            if reply.stream is None:
                self._hand_over(reply, None)
            else:
                await self._pump(reply)
        except asyncio.CancelledError:
            self._fail(asyncio.CancelledError())
            raise
        except Exception as exc:  # noqa: BLE001 - a border: whatever it is, every rider is told
            self._fail(exc)
        finally:
            self._ended = True
            self._on_end()
            self._on_end = _nothing  # it knows the flight: nothing of it shall wait for the garbage collector
            self._tell_news()

    async def _pump(self, reply: Reply) -> None:
        stream = reply.stream
        assert stream is not None
        try:
            async for chunk in stream:
                self._chunks.append(chunk)
                self._bytes += len(chunk)
                self._tell_news()
                if self._bytes > self._max_bytes:
                    await self._pace()
        finally:
            await stream.aclose()
        self._hand_over(reply, None if self._too_large else self._chunks)

    def _hand_over(self, reply: Reply, chunks: list[bytes] | None) -> None:
        try:
            self._keep(self.call, reply, chunks)
        except Exception:  # noqa: BLE001 - a border: the answer is right, whatever hinders keeping it
            _log.exception("the answer to call %s could not be kept", self.call.request_id)

    async def _pace(self) -> None:
        """Too large to be kept: nobody gets on any more, and the slowest rider sets the speed."""
        if not self._too_large:
            self._too_large = True
            self._on_end()
        while True:
            slowest = min((rider.position for rider in self._riders), default=0)
            del self._chunks[: slowest - self._dropped]
            self._dropped = max(self._dropped, slowest)
            if len(self._chunks) < _WINDOW:
                return
            self._progress = asyncio.get_running_loop().create_future()
            await self._progress

    def _fail(self, exc: BaseException) -> None:
        self._failure, self._trace = exc, exc.__traceback__

    # --- riders and the task ---

    async def next_chunk(self, rider: "_Rider") -> bytes:
        """The rider's next chunk. Raises `StopAsyncIteration` at the end, or what the stream failed with."""
        while True:
            at = rider.position - self._dropped
            if at < len(self._chunks):
                rider.position += 1
                if self._progress is not None:
                    self._tell_progress()
                return self._chunks[at]
            if self._failure is not None:
                raise self._failure.with_traceback(self._trace)
            if self._ended or rider.has_left:
                raise StopAsyncIteration
            await rider.news()

    def _tell_news(self) -> None:
        for rider in self._riders:
            rider.tell()

    def _tell_progress(self) -> None:
        progress, self._progress = self._progress, None
        if progress is not None and not progress.done():
            progress.set_result(None)

    def bill(self, call: Call) -> None:
        """Write on a rider's call what the flight's has come to: the ledger and the log go by it."""
        flown = self.call
        call.deployment, call.attempts, call.spent = flown.deployment, flown.attempts, flown.spent
        call.timeouts, call.dropped, call.failed = flown.timeouts, flown.dropped, flown.failed
        call.attempted_s = flown.attempted_s
        call.looked_up_s = max(call.looked_up_s, flown.looked_up_s)  # the flight may have looked further


class _Rider:
    """One caller's seat; of a streamed answer, also its stream."""

    __slots__ = ("_flight", "_flown", "_news", "_reply", "call", "has_left", "position")

    def __init__(self, flight: Flight, call: Call) -> None:
        self._flight = flight
        self._flown: Reply | None = None
        self._reply: Reply | None = None
        self._news: asyncio.Future[None] | None = None
        self.call = call
        self.position = 0
        self.has_left = False

    async def news(self) -> None:
        """Wait until something has come, or the flight has ended."""
        self._news = asyncio.get_running_loop().create_future()
        await self._news

    def tell(self) -> None:
        news, self._news = self._news, None
        if news is not None and not news.done():
            news.set_result(None)

    def board(self, flown: Reply) -> Reply:
        """This rider's own reply to what has arrived."""
        self._flown = flown
        self._reply = reply = Reply(
            status=flown.status,
            body=flown.body,
            headers=list(flown.headers),
            outcome=flown.outcome,
            cached=flown.cached,
            cache=flown.cache,
            json_valid=flown.json_valid,
        )
        if self._flight.is_payer(self):
            self.pays()
        else:
            self.is_excused()
        if flown.stream is None:
            self._flight.end(self)
        else:
            reply.stream = self
        return reply

    def pays(self) -> None:
        """Its reply is the upstream's."""
        reply, flown = self._reply, self._flown
        self._flight.bill(self.call)
        if reply is not None and flown is not None:
            reply.cached, reply.cache, reply.outcome = flown.cached, flown.cache, flown.outcome

    def is_excused(self) -> None:
        """Somebody else pays: its reply is a copy, which settles at zero."""
        call, reply, flown, flight = self.call, self._reply, self._flown, self._flight
        call.attempts, call.deployment, call.spent, call.failed = 0, None, None, ()
        call.attempted_s = 0.0
        if reply is None or flown is None:
            return
        call.dropped = flight.call.dropped
        reply.cached = True
        reply.cache = CacheNote(state="shared", deployment=flight.call.deployment)
        reply.outcome = _seen_by(call, flown.outcome)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._flight.next_chunk(self)
        except asyncio.CancelledError:
            self._flight.leave(self)
            raise
        except BaseException:
            self._end()
            raise

    async def aclose(self) -> None:
        self._flight.leave(self)

    def _end(self) -> None:
        reply, flown = self._reply, self._flown
        if reply is not None and flown is not None:
            reply.json_valid = flown.json_valid
            if reply.outcome is not flown.outcome:
                reply.outcome = _seen_by(self.call, flown.outcome)
        self._flight.end(self)


def _seen_by(call: Call, outcome: Outcome) -> Outcome:
    """The outcome of somebody who may have got on after the first content."""
    first_s = outcome.first_content_s
    return msgspec.structs.replace(outcome, first_content_s=None if first_s is None else max(first_s, call.started_s))
