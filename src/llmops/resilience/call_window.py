"""Calls and failures of the last half minute, in ten buckets: constant time and memory.

The window slides by whole buckets, so it covers between nine and ten tenths of its length. ``calls`` of the current
bucket is counted by its owner directly, which is what makes the success path cheap.
"""

_BUCKETS = 10


class CallWindow:
    __slots__ = ("_calls", "_failures", "_number", "_step_s", "calls", "end_s", "failures")

    def __init__(self, length_s: float, now_s: float) -> None:
        self._step_s = length_s / _BUCKETS
        self.clear(now_s)

    def clear(self, now_s: float) -> None:
        self._calls = [0] * _BUCKETS
        self._failures = [0] * _BUCKETS
        self._number = 0
        self.calls = self.failures = 0
        self.end_s = now_s + self._step_s
        """When the current bucket, that of ``calls`` and ``failures``, is over: ``turn`` is due."""

    def turn(self, now_s: float) -> None:
        """Put the current bucket away and begin the one of ``now_s``; those that were slept through are empty."""
        self._calls[self._number], self._failures[self._number] = self.calls, self.failures
        passed = int((now_s - self.end_s) / self._step_s) + 1
        for _ in range(min(passed, _BUCKETS)):
            self._number = (self._number + 1) % _BUCKETS
            self._calls[self._number] = self._failures[self._number] = 0
        self.calls = self.failures = 0
        self.end_s = max(self.end_s + passed * self._step_s, now_s)  # rounding must not leave it behind

    def totals(self, now_s: float) -> tuple[int, int]:
        """Calls and failures of the whole window."""
        if now_s >= self.end_s:
            self.turn(now_s)
        return sum(self._calls) + self.calls, sum(self._failures) + self.failures
