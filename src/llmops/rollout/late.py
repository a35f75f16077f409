"""Calls that are late: what they say of their arm, and how a gateway tells of those that it has under way.

A unit's outcome is what is known of it ``settle`` after its assignment. A call that has not ended by then counts as one
without an answer, in either arm: else a candidate that hangs would look as healthy as those of its calls that come
back. A call that was lost with its gateway counts when it is found. Each counts once; what it cost is added when it has
ended. Not covered: a call that waits for its place under a limit is not under way yet.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from ..clock import Clock
from ..store.follower import Follower
from ..types import Call
from .outcome import CallSeen
from .repository.late import Late, LateCall, LateCalls, LateDone

_AHEAD_S = 5.0
"""So long before its time is up a call is told of, or half of that time where it is short."""


def judged(late: Iterable[Late], ended: Collection[str], since_ms: int) -> tuple[list[CallSeen], int, LateDone]:
    """The calls that count as failed now, nano-dollars of the candidate's that were counted before, and what has been
    done. ``ended`` are calls that are counted as they ended; what began before ``since_ms`` had its turn."""
    failed: list[CallSeen] = []
    cost_nanousd = 0
    counted, gone = list[str](), list[str]()
    for each in late:
        call = each.call
        is_done = call.request_id in ended
        if each.is_counted and not is_done and call.in_candidate:
            cost_nanousd += call.cost_nanousd or 0
        elif not each.is_counted and not is_done:
            # One that ended before it was told of, and is of the past, was counted in its turn as it ended.
            if call.started_ms >= since_ms or not each.has_ended or each.is_lost:
                failed.append(call)
        (gone if is_done or each.has_ended else counted).append(call.request_id)
    return failed, cost_nanousd, LateDone(counted, gone)


class LateReporter:
    """Tells of this gateway's calls that take long, before the conductor looks for them. ``failing`` says why not.

    ``under_way`` gives the calls that began before a time; ``settle_s`` how long each open rollout waits for one.
    """

    def __init__(
        self,
        repository: LateCalls,
        under_way: Callable[[float], Iterable[Call]],
        settle_s: Callable[[], Mapping[str, float]],
        clock: Clock,
        *,
        period_s: float,
    ) -> None:
        self._repository = repository
        self._under_way = under_way
        self._settle_s = settle_s
        self._clock = clock
        self._told: set[str] = set()
        self._lost: list[LateCall] = []
        self._follower = Follower("calls that take long", self.report, period_s=period_s)

    @property
    def failing(self) -> str | None:
        return self._follower.failing

    async def start(self) -> None:
        await self._follower.start()

    async def aclose(self) -> None:
        await self._follower.aclose()

    def lose(self, calls: Sequence[LateCall]) -> None:
        """These were under way when their gateway died."""
        self._lost += calls

    async def report(self) -> None:
        """Look now instead of at the next turn."""
        settle_s = self._settle_s()
        if not settle_s:
            self._told.clear()
            self._lost.clear()
            return
        now_s = self._clock.now_s()
        least_s = min(map(_patience_s, settle_s.values()))
        old = [each for each in self._under_way(now_s - least_s) if each.rollout_id in settle_s]
        overdue = [each for each in old if now_s - each.started_at_s >= _patience_s(settle_s[each.rollout_id or ""])]
        fresh = [late for each in overdue if each.request_id not in self._told and (late := late_call(each))]
        lost = list(self._lost)
        if fresh or lost:
            await asyncio.to_thread(self._repository.add, [*fresh, *lost])
        del self._lost[: len(lost)]
        self._told = {each.request_id for each in overdue}


def late_call(call: Call) -> LateCall | None:
    """None for one that no rollout has assigned."""
    if call.rollout_id is None or call.arm is None or call.probability is None:
        return None
    return LateCall(
        rollout_id=call.rollout_id,
        request_id=call.request_id,
        started_at_ms=int(call.started_at_s * 1000),
        tenant=call.tenant,
        arm=call.arm,
        probability=call.probability,
        key_id=call.key_id,
        user=call.view.user[:256] if call.view.user else None,
        session=call.session,
        trace_id=call.trace_id,
    )


def _patience_s(settle_s: float) -> float:
    return settle_s - min(settle_s / 2, _AHEAD_S)
