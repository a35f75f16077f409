"""Answers that all processes share, in Redis: one round trip for the look-ups of one turn of the event loop.

Invalidation is a word in Redis (`words`), not a search through all answers. Every exchange of look-ups hears the words
that are new, at the same instant at which it reads the values: once `invalidate` has returned, no process gives a
struck answer out, nor one whose call began before. What is struck stays in Redis until it is replaced or expires.

Nobody waits for a lost Redis: those who were waiting get nothing, and so does everybody until a probe, every half
second, finds it again. A Redis that has gone back in time, for instance because it lost its last second in a crash, is
told again the words that processes know.

Not covered: Redis Cluster, and what several processes ask at the same time (each asks upstream once).
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice

from ...errors import StoreUnavailable
from ...redis_settings import RedisSettings
from ..redis_script import Lost
from .answers import AnswersView
from .envelope import labels_of, seal, unseal
from .labels import Labels, Selector
from .redis_link import LARGEST_BYTES, KeepLink, LookUpLink, News
from .redis_writer import Writer
from .words import Heard, Words

_log = logging.getLogger(__name__)
_BATCH = 256
"""Look-ups in one exchange: everybody else's wait meanwhile."""
_POST_TOGETHER = 500
_PROBE_S = 0.5
_BEAT_S = 1.0
_LONGEST_CALL_S = 3700.0

_Waiting = list["asyncio.Future[bytes | None]"]


class RedisAnswers:
    """Belongs to one event loop, between ``start`` and ``aclose``; before and after, it is lost."""

    def __init__(
        self,
        settings: RedisSettings,
        *,
        now_s: Callable[[], float] = time.time,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lost: str | None = "not connected yet"
        """Why Redis cannot be used; None while it can."""
        self.on_words: Callable[[Sequence[Selector]], None] | None = None
        """Told what was invalidated, by whichever process, before those who ask hear of anything else."""
        self.lost_times = 0
        self.unreadable = 0
        """Values that were none of ours."""
        self._now_s = now_s
        self._monotonic_s = monotonic_s
        self._link = LookUpLink(settings, _LONGEST_CALL_S)
        self._writer = Writer(KeepLink(settings), monotonic_s)
        self._words = Words()
        self._heard = Heard()
        self._asked: dict[bytes, _Waiting] = {}
        self._posting: list[tuple[Selector, asyncio.Future[None]]] = []
        self._expired = self._invalidated = 0
        self._beat_due = self._closing = False
        self._sleeping: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    # --- what calls need ---

    def get(self, key: bytes) -> Awaitable[bytes | None] | None:
        if self.lost is not None:
            return None
        future: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        waiting = self._asked.get(key)
        if waiting is None:
            self._asked[key] = [future]
            self._wake()
        else:
            waiting.append(future)
        return future

    def put(self, key: bytes, data: bytes, labels: Labels, *, began_s: float, expires_s: float) -> None:
        heard, left_s = self._heard.before(began_s), expires_s - self._now_s()
        if self.lost is not None or heard is None or len(data) > LARGEST_BYTES:
            self._writer.dropped += 1
        elif left_s > 0 and not self._words.strike(labels, heard):
            self._writer.write(key, seal(heard, expires_s, labels, data), self._monotonic_s() + left_s)

    async def invalidate(self, selector: Selector) -> None:
        if self.lost is not None:
            raise _unavailable(self.lost)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._posting.append((selector, future))
        self._wake()
        await future

    # --- how it is ---

    def view(self) -> AnswersView:
        return AnswersView(
            kind="redis", entries=None, bytes=None, expired=self._expired, invalidated=self._invalidated, lost=self.lost
        )

    @property
    def puts_waiting(self) -> int:
        return self._writer.waiting

    @property
    def puts_dropped(self) -> int:
        """Answers that are not in Redis because they were too large, or it was lost, slow or full."""
        return self._writer.dropped

    def problems(self) -> list[str]:
        """What does not work as it should, in words."""
        if self.lost is not None:
            return [f"Redis is out of reach: {self.lost}; no answers are kept or given out"]
        if self._writer.failing is not None:
            return [f"answers are not kept: Redis: {self._writer.failing}"]
        return ["Redis has too little memory: no more answers are kept"] if self._writer.full else []

    # --- its life ---

    async def start(self) -> None:
        """Connect, and from then on come back by itself. Does not fail where Redis cannot be reached."""
        if not await self._join(first=True):
            self._tell_lost(self.lost or "")
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._writer.start()

    async def aclose(self) -> None:
        """Keep what waits to be kept, and say goodbye. Once; then without effect."""
        if self._closing:
            return
        self._closing = True
        await self._writer.aclose()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self.lost is None:
            self._lose("closed")
        await self._link.close()

    async def _run(self) -> None:
        while True:
            if self.lost is not None:
                await asyncio.sleep(_PROBE_S)
                await self._join()
            elif self._asked or self._posting or self._beat_due:
                await self._exchange()
            else:
                await self._sleep()

    async def _sleep(self) -> None:
        loop = asyncio.get_running_loop()
        self._sleeping = loop.create_future()
        beat = loop.call_later(_BEAT_S, self._beat)
        try:
            await self._sleeping
        finally:
            beat.cancel()
            self._sleeping = None

    def _beat(self) -> None:
        """Nobody has asked for a while: hear what is new, and whether Redis is there, before somebody does."""
        self._beat_due = True
        self._wake()

    def _wake(self) -> None:
        if self._sleeping is not None and not self._sleeping.done():
            self._sleeping.set_result(None)

    async def _join(self, *, first: bool = False) -> bool:
        """Whether Redis is there (again). All words are exchanged before anything is given out, and no answer is kept
        whose call began before, for it may have missed words. At the ``first`` time none has begun yet."""
        try:
            news = (await self._link.exchange(())).news
            assert news is not None
            lacking = self._words.lacking(news.words, news.floor)
            self._hear(news)
            for start in range(0, len(lacking), _POST_TOGETHER):
                posts = lacking[start : start + _POST_TOGETHER]
                told = (await self._link.exchange((), posts, above=self._words.newest)).news
                assert told is not None
                self._hear(told)
                news = told
        except Lost as exc:
            self.lost = str(exc)
            return False
        except Exception as exc:  # noqa: BLE001 - a border: without this task Redis would be lost for good
            self.lost = f"{type(exc).__name__}: {exc}"
            return False
        self._heard.join(news.newest, float("-inf") if first else self._now_s())
        self.lost, self._beat_due = None, False
        if self.lost_times:
            _log.info("Redis is back; answers are kept and given out again")
        return True

    async def _exchange(self) -> None:
        """Send a batch and hand out what came."""
        self._beat_due = False
        batch = {key: self._asked.pop(key) for key in list(islice(self._asked, _BATCH))}
        posted, self._posting = self._posting[:_POST_TOGETHER], self._posting[_POST_TOGETHER:]
        keys = [key for key, waiting in batch.items() if not all(each.done() for each in waiting)]
        try:
            selectors = [selector for selector, _ in posted]
            found = await self._link.exchange(keys, selectors, above=self._words.newest)
            news = found.news
            if news is not None and news.is_all and self._words.lacking(news.words, news.floor):
                await self._link.close()
                raise Lost("it has forgotten words of invalidation")
        except asyncio.CancelledError:
            self._lose("closed", batch.values(), posted)
            raise
        except Lost as exc:
            self._lose(str(exc), batch.values(), posted)
            return
        except Exception as exc:  # noqa: BLE001 - a border: calls wait for this task, which must not end
            _log.error("an exchange with Redis failed", exc_info=exc)
            self._lose(f"{type(exc).__name__}: {exc}", batch.values(), posted)
            return
        if news is not None:
            self._hear(news)
            self._heard.hear(news.newest, self._now_s())
        for place in found.later:
            self._asked.setdefault(keys[place], []).extend(batch.pop(keys[place]))
        for key, value in zip(keys, found.values, strict=True):
            if key in batch:
                _hand_out(batch[key], None if value is None else self._open(value))
        for _, future in posted:
            if not future.done():
                future.set_result(None)

    def _hear(self, news: News) -> None:
        self._words.hear(news.words, news.floor)
        if self.on_words is not None and news.words:
            self.on_words([selector for selector, _ in news.words])

    def _open(self, value: bytes) -> bytes | None:
        """What lies in an envelope, if it still counts."""
        envelope = unseal(value)
        if envelope is None:
            self.unreadable += 1
            return None
        if envelope.expires_s <= self._now_s():
            self._expired += 1
            return None
        if envelope.heard < self._words.newest:
            labels = labels_of(envelope)
            if labels is None or self._words.strike(labels, envelope.heard):
                self._invalidated += 1
                return None
        return envelope.data

    def _lose(
        self, why: str, batch: Iterable[_Waiting] = (), posted: Iterable[tuple[Selector, "asyncio.Future[None]"]] = ()
    ) -> None:
        self.lost = why
        for waiting in (*batch, *self._asked.values()):
            _hand_out(waiting, None)
        for _, future in (*posted, *self._posting):
            if not future.done():
                future.set_exception(_unavailable(why))
        self._asked, self._posting = {}, []
        self._writer.drop()
        self._tell_lost(why)

    def _tell_lost(self, why: str) -> None:
        if not self._closing:
            self.lost_times += 1
            _log.error("Redis is out of reach: %s; no answers are kept or given out", why)


def _hand_out(waiting: _Waiting, data: bytes | None) -> None:
    for future in waiting:
        if not future.done():  # else its caller has left
            future.set_result(data)


def _unavailable(why: str) -> StoreUnavailable:
    return StoreUnavailable(f"the shared answers are out of reach ({why}), so nothing is certain to be let go of")
