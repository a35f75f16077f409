"""Time lapse: an event loop that passes over the time in which it would only wait.

Work takes as long as it takes; waiting for a timer is cut short, and the clocks jump as if it had been waited for. So
everything on the loop (a model's latency, breakers, budgets, alerts, rollups) sees an hour pass, and durations are
what they would have been. It begins ``behind_s`` ago and ends by itself when it has caught up with the machine's
clocks; from then on it is them.

Not covered: threads and other processes, which live in real time. While a thread works, the loop may pass over time.
"""

import asyncio
import selectors
import time
from collections.abc import Callable

_LEAST_WAIT_S = 0.001
"""A selector waits for whole milliseconds: what is less is not waited for, and made up for at the next wait."""
_FASTEST = 20.0
"""How much faster than its speed it may go to make up for time that work took."""


class TimeLapse:
    """A `Clock` that is ``behind_s`` behind the machine's, and from `begin` on ``speed`` times as fast, until it has
    caught up."""

    def __init__(
        self,
        behind_s: float,
        speed: float,
        *,
        wall_s: Callable[[], float] = time.time,
        real_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.behind_s = self._behind_at_first_s = behind_s
        self.speed = 1.0
        self.real_s = real_s
        self._wanted_speed = speed
        self._wall_s = wall_s
        self._begun_s = real_s()

    def now_s(self) -> float:
        return self._wall_s() - self.behind_s

    def monotonic_s(self) -> float:
        return self.real_s() + self._behind_at_first_s - self.behind_s

    @property
    def played_s(self) -> float:
        """Since the beginning, as the loop sees it; 0 before."""
        return self.monotonic_s() - self._begun_s

    def begin(self) -> None:
        """Everything is ready: from here on time flies."""
        self._begun_s, self.speed = self.real_s(), self._wanted_speed

    def stop(self) -> None:
        """Pass over nothing more; the clock stays behind."""
        self.speed = 1.0

    def wait_s(self, timeout_s: float) -> float:
        """How long to wait really for what is due in ``timeout_s``, so that the speed is kept over the whole."""
        if self.behind_s <= 0 or self.speed <= 1:
            return timeout_s
        due_s = self._behind_at_first_s - (self.real_s() - self._begun_s) * (self.speed - 1)
        wait_s = (due_s - self.behind_s + timeout_s) / self.speed
        wait_s = min(max(wait_s, timeout_s / (self.speed * _FASTEST)), timeout_s)
        return wait_s if wait_s >= _LEAST_WAIT_S else 0.0

    def skip(self, seconds: float) -> None:
        """Jump, but not ahead of the machine's clocks, and never back."""
        left_s = self.behind_s - max(seconds, 0.0)
        self.behind_s = left_s if left_s > _LEAST_WAIT_S else 0.0


class _Selector(selectors.DefaultSelector):
    def __init__(self, lapse: TimeLapse) -> None:
        super().__init__()
        self._lapse = lapse

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for less than ``timeout``, and have the clocks say that it was all of it, or the same part of it."""
        lapse = self._lapse
        if timeout is None or timeout <= 0 or lapse.behind_s <= 0 or lapse.speed <= 1:
            return super().select(timeout)
        wait_s, begun_s = lapse.wait_s(timeout), lapse.real_s()
        events = super().select(wait_s)
        waited_s = lapse.real_s() - begun_s
        if not events:
            lapse.skip(timeout - waited_s)
        elif wait_s > 0:
            lapse.skip(timeout * min(waited_s / wait_s, 1.0) - waited_s)
        return events


class LapseLoop(asyncio.SelectorEventLoop):
    """An event loop in a time lapse: ``asyncio.Runner(loop_factory=lambda: LapseLoop(lapse))``."""

    def __init__(self, lapse: TimeLapse) -> None:
        super().__init__(_Selector(lapse))
        self._lapse = lapse

    def time(self) -> float:
        return self._lapse.monotonic_s()
