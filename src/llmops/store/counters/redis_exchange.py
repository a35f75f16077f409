"""Batches to Redis and back: what was asked and what is to be settled goes together, one exchange at a time.

This is also where Redis is lost and found again. Lost: whoever waits is let down at once, settlements stay here, and a
probe looks every half second; no call waits for it. A settlement is sent until Redis has answered it, so perhaps twice:
the script makes sure that it counts once.
"""

import asyncio
import contextlib
import logging
import secrets
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, Protocol

from ..redis_script import Lost
from .fallback import Unpushed, pushes
from .redis_link import RedisLink
from .redis_wire import Answer, Do, Op, Plan, failure

_log = logging.getLogger(__name__)
_BATCH = 256
"""Operations of a kind in one script: everybody else's wait meanwhile."""
_SETTLE_WITHIN_S = 0.005
_PROBE_S = 0.5
_BEAT_S = 1.0
_PROCESS_LEASE_S = 5.0

Asked = tuple[Op, "asyncio.Future[Any]", Plan | None]
"""An operation somebody waits for; with a plan it is a reservation."""


class Owner(Protocol):
    """Whose exchange it is."""

    def hand_out(self, answer: Answer, result: Any, asked: Asked) -> None:
        """Redis has answered."""
        ...

    def let_down(self, asked: Asked) -> None:
        """Redis is lost; whether it has done what it was asked is unknown, and will be undone."""
        ...

    def lost_redis(self, why: str) -> None: ...
    def found_redis(self, after_s: float | None) -> None: ...
    def came_empty(self, empty: bool) -> None:
        """After every exchange: whether Redis lacks what the ledger knows."""
        ...

    def take_unpushed(self, most: int) -> Unpushed:
        """Changes of quotas that Redis has to be told."""
        ...


class Exchange:
    """One task between ``start`` and ``aclose``. ``processes`` is how many there are, as far as Redis has told."""

    def __init__(self, link: RedisLink, owner: Owner, monotonic_s: Callable[[], float], processes: int) -> None:
        self.lost: str | None = "not connected yet"
        self.processes = processes
        self.failed_operations = 0
        self.settling: deque[Op] = deque()
        self._link = link
        self._owner = owner
        self._monotonic_s = monotonic_s
        self._name = secrets.token_hex(8)
        self._changed_s: float | None = None
        """When Redis was lost or found last."""
        self._asked: deque[Asked] = deque()
        self._on_its_way: tuple[Sequence[Op], Sequence[Asked]] = ((), ())
        """What was sent, of which Redis has not said anything yet."""
        self._push: Op | None = None
        """Changes that Redis has to be told: under the same id until it has taken them."""
        self._beat_due = self._closing = False
        self._sleeping: asyncio.Future[None] | None = None
        self._settle_timer: asyncio.TimerHandle | None = None
        self._beat_timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def ask(self, asked: Asked) -> None:
        """Send an operation with the next batch. Only while Redis is not lost."""
        self._asked.append(asked)
        self._wake()

    def settle_soon(self) -> None:
        """Something is to be settled or pushed: send it along, or else in a few milliseconds."""
        if self._settle_timer is None and self.lost is None:
            self._settle_timer = asyncio.get_running_loop().call_later(_SETTLE_WITHIN_S, self._settle_now)

    def unsettled(self) -> Iterator[tuple[str, int, int]]:
        """What Redis is to be told, and has not confirmed: request id, tokens, nano-dollars.

        Reservations that it has not answered are among them as nothing used, for nobody may be left to take them.
        """
        settled, asked = self._on_its_way
        for op in chain(settled, self.settling):
            yield (op[1], op[2], op[3]) if op[0] == Do.SETTLE else (op[1], 0, 0)
        for op, _, plan in chain(asked, self._asked):
            if plan is not None and plan.settles:
                yield op[1], 0, 0

    async def start(self) -> None:
        """Connect if that is possible now, and keep trying if not."""
        if not await self._join():
            self._owner.lost_redis(self.lost or "")
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self) -> None:
        """Send what is to be settled, as far as Redis takes it, and say goodbye. Once; then without effect."""
        if self._closing:
            return
        self._closing = True
        for timer in (self._settle_timer, self._beat_timer):
            if timer is not None:
                timer.cancel()
        self._settle_timer = None
        if self._task is not None:
            if self.lost is not None:
                self._task.cancel()
            self._wake()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        while self.lost is None and await self._exchange():
            pass
        if self.lost is None:
            with contextlib.suppress(Lost):
                await self._link.run([(Do.LEAVE, self._name)])
            self.lost = "closed"
        elif self.settling:
            _log.error("%d settlements have not reached Redis; the ledger's journal keeps them", len(self.settling))
        await self._link.close()

    async def _run(self) -> None:
        while not self._closing:
            if self.lost is not None:
                await asyncio.sleep(_PROBE_S)
                await self._join()
            elif self._settle_timer is not None and not self._asked and not self._beat_due:
                await self._sleep()  # what is to be settled waits for company until the timer ends
            elif not await self._exchange():
                await self._sleep()

    async def _sleep(self) -> None:
        self._sleeping = asyncio.get_running_loop().create_future()
        try:
            await self._sleeping
        finally:
            self._sleeping = None

    def _wake(self) -> None:
        if self._sleeping is not None and not self._sleeping.done():
            self._sleeping.set_result(None)

    def _settle_now(self) -> None:
        self._settle_timer = None
        self._wake()

    def _beat_now(self) -> None:
        self._beat_due = True
        self._wake()

    async def _join(self) -> bool:
        """Whether Redis is there (again)."""
        try:
            answer = await self._link.run([self._beat()])
        except Lost as exc:
            self.lost = str(exc)
            return False
        except Exception as exc:  # noqa: BLE001 - a border: without this task Redis would be lost for good
            self.lost = f"{type(exc).__name__}: {exc}"
            return False
        now_s = self._monotonic_s()
        self._owner.found_redis(now_s - self._changed_s if self._changed_s is not None else None)
        self.lost, self._changed_s = None, now_s
        self._heard(answer, answer.results[0])
        return True

    def _beat(self) -> Op:
        return Do.BEAT, self._name, int(_PROCESS_LEASE_S * 1_000_000)

    async def _exchange(self) -> bool:
        """Send a batch and hand out the results. False where there is nothing to send."""
        settled = [self.settling.popleft() for _ in range(min(_BATCH, len(self.settling)))]
        asked = [self._asked.popleft() for _ in range(min(_BATCH, len(self._asked)))]
        asked = [each for each in asked if not each[1].done()]  # some have left before anything was asked for them
        # Shares are told after releases: else whoever settles for us, should we die between, counts a call again.
        if self._push is None and not self.settling and (unpushed := self._owner.take_unpushed(_BATCH)):
            self._push = (Do.ADD, secrets.token_hex(8), pushes(unpushed))
        pushed, beat, self._beat_due = self._push, self._beat_due, False
        ops = [*settled, *([pushed] if pushed else []), *(op for op, _, _ in asked), *([self._beat()] if beat else [])]
        if not ops:
            return False
        self._on_its_way = settled, asked
        try:
            answer = await self._link.run(ops)
            results = iter(answer.results)
            for op in settled:
                self.check(op, next(results))
            if pushed is not None:
                self.check(pushed, next(results))
                self._push = None
            for each in asked:
                self._owner.hand_out(answer, next(results), each)
            self._heard(answer, next(results) if beat else None)
        except asyncio.CancelledError:
            self._lose("closed", settled, asked)
            raise
        except Lost as exc:
            self._lose(str(exc), settled, asked)
        except Exception as exc:  # noqa: BLE001 - a border: calls wait for this task, which must not end
            _log.error("an exchange with Redis failed", exc_info=exc)
            self._lose(f"{type(exc).__name__}: {exc}", settled, asked)
        finally:
            self._on_its_way = (), ()
        return True

    def check(self, op: Op, result: Any) -> bool:
        """Whether an operation was carried out; counted and logged where it was not."""
        failed = failure(result)
        if failed is None:
            return True
        self.failed_operations += 1
        _log.error("counters in Redis: %s of %s failed: %s", Do(op[0]).name.lower(), op[1], failed)
        return False

    def _heard(self, answer: Answer, processes: Any) -> None:
        """What every exchange tells beside its results."""
        if processes is not None:
            # After a loss the others come back one by one: their number falls only when it had time to rise.
            settled = self._monotonic_s() - (self._changed_s or 0) > _PROCESS_LEASE_S
            if isinstance(processes, int) and (settled or processes >= self.processes):
                self.processes = processes
            if not self._closing:
                self._beat_timer = asyncio.get_running_loop().call_later(_BEAT_S, self._beat_now)
        self._owner.came_empty(not answer.marked)

    def _lose(self, why: str, settled: Sequence[Op], asked: Sequence[Asked]) -> None:
        self.lost, self._changed_s = why, self._monotonic_s()
        if self._beat_timer is not None:
            self._beat_timer.cancel()
        self.settling.extendleft(reversed(settled))
        for op, _, plan in asked:
            if plan is not None and plan.settles:  # perhaps taken, and then for nothing
                self.settling.append((Do.RELEASE, op[1]))
        self._owner.lost_redis(why)
        for each in (*asked, *self._asked):
            self._owner.let_down(each)
        self._asked.clear()
