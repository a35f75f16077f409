"""The mirror: a call that a shadow is to see is asked of the candidate as well, by a task of this process.

Nobody waits for a copy, nothing of it reaches the caller, and what becomes of it is recorded like any call. Of each
rollout at most ``max_at_once`` copies are under way; what does not fit is let go and counted. A copy that a budget
refuses beside others is told by it that there is room for fewer at once; one that is refused alone is the last: the
conductor sees its record and asks a human. Not covered: what a copy does upstream, such as storing itself at the
provider, is done twice.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from ..errors import BudgetExceeded, LLMOpsError
from ..telemetry.figures import Figure
from ..types import Assignment, Call, Reply

_log = logging.getLogger(__name__)
_GRACE_S = 1.0
_COUNTS = ("mirrored", "skipped", "failed")


class NoPrice(Exception):
    """What copies would cost is not known, so no budget could hold them."""


Send = Callable[[Call, str, Assignment], Awaitable[Reply]]
"""Asks the assignment's candidate what the call asked of this name. Raises `LLMOpsError`, and `NoPrice` before anything
is asked."""


class _Place(msgspec.Struct):
    """Of one rollout."""

    max_at_once: int
    room: int
    """How many have fitted into the budget at once."""
    under_way: int = 0
    used_up: bool = False


class Mirror:
    """Belongs to one event loop. ``counts`` are of this process; a copy that fails has been recorded by then."""

    def __init__(self, send: Send, *, grace_s: float = _GRACE_S) -> None:
        self.counts = dict.fromkeys(_COUNTS, 0)
        self._send = send
        self._grace_s = grace_s
        self._places: dict[str, _Place] = {}
        self._problems: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def under_way(self) -> int:
        return len(self._tasks)

    def follow(self, shadows: Iterable[tuple[str, int]]) -> None:
        """The rollouts that mirror now, each with how many copies may be under way. One that has been away begins
        anew, also where its budget was used up."""
        self._places = {key: self._kept(key, most) for key, most in shadows}
        self._problems = {key: why for key, why in self._problems.items() if key in self._places}

    def copy(self, call: Call, name: str, assignment: Assignment) -> bool:
        """Ask the candidate what this call asked of ``name``; whether it will be. Neither waits nor raises.

        The call is as it came in, before any release was put into it, and stays so.
        """
        place = self._places.get(assignment.rollout_id)
        if self._closed or place is None or place.used_up or place.under_way >= place.room:
            self.counts["skipped"] += 1
            return False
        place.under_way += 1
        self.counts["mirrored"] += 1
        task = asyncio.get_running_loop().create_task(self._run(place, call, name, assignment))
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._ended(ended, place))
        return True

    async def aclose(self) -> None:
        """Let copies that are nearly done end, and cancel the others, which records them."""
        self._closed = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._grace_s)
        left = list(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def problems(self) -> list[str]:
        """For ``/health``."""
        return [f"the shadow {rollout_id} mirrors nothing: {why}" for rollout_id, why in self._problems.items()]

    def figures(self) -> list[Figure]:
        """For the metrics."""
        return [Figure("llmops_mirrored_calls_total", count, (what,)) for what, count in self.counts.items() if count]

    def _kept(self, rollout_id: str, max_at_once: int) -> _Place:
        place = self._places.get(rollout_id)
        return place if place is not None and place.max_at_once == max_at_once else _Place(max_at_once, max_at_once)

    async def _run(self, place: _Place, call: Call, name: str, assignment: Assignment) -> None:
        try:
            reply = await self._send(call, name, assignment)
            if reply.stream is not None:
                try:
                    async for _ in reply.stream:
                        pass
                finally:
                    await reply.stream.aclose()
        except NoPrice as exc:
            place.used_up = True
            self._problems[assignment.rollout_id] = str(exc)
            self.counts["failed"] += 1
        except BudgetExceeded:
            place.used_up = place.under_way == 1
            place.room = max(1, min(place.room, place.under_way - 1))
            self.counts["failed"] += 1
        except LLMOpsError:
            self.counts["failed"] += 1
        except Exception:  # noqa: BLE001 - a border: a defect in a copy is nobody's answer
            self.counts["failed"] += 1
            _log.exception("a call could not be mirrored for the rollout %s", assignment.rollout_id)

    def _ended(self, task: asyncio.Task[None], place: _Place) -> None:
        place.under_way -= 1
        self._tasks.discard(task)
