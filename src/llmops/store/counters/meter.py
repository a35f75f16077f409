"""What is counted and where its bound lies. A meter only describes; whoever implements `Counters` has the counts.

Three kinds: `Rate` (so many per period, GCRA), `Quota` (so many per calendar window: tokens or money) and
`Concurrency` (so many at once). Everything is a whole number, so that in-process and in Redis the same calls pass.
"""

from enum import IntEnum

import msgspec

from .window import Window, end_of

MAX_EXACT = 2**53
"""Up to here Lua's numbers, which are doubles, are exact. A rate's debt stops there, in Redis and in-process."""
_S_IN_US = 1_000_000


class Unit(IntEnum):
    """What a call takes of a meter; also the index into `Amounts`."""

    REQUESTS = 0
    TOKENS = 1
    NANOUSD = 2


Amounts = tuple[int, int, int]
"""What one call takes, by `Unit`: one request, its tokens, its nano-dollars."""


class Rate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """At most ``burst`` at once and ``count`` per ``period_us`` in the long run.

    The Generic Cell Rate Algorithm in its form as a leaky bucket (ITU-T I.371, annex A): a debt that drains steadily.
    One unit adds ``period_us`` to the debt, one microsecond drains ``count``; it may reach ``burst * period_us``.
    """

    name: str
    rule: str
    unit: Unit
    count: int
    period_us: int
    burst: int
    shadow: bool = False

    @property
    def capacity(self) -> int:
        return self.burst * self.period_us

    def left(self, debt: int) -> int:
        """Whole units that could be taken at that debt."""
        left = self.burst + -debt // self.period_us  # rounded down
        return left if left > 0 else 0

    def full_again_s(self, debt: int) -> float:
        """Seconds until nothing of the debt is left."""
        return debt / self.count / _S_IN_US

    def wait_s(self, debt: int, amount: int) -> float | None:
        """Seconds until ``amount`` fits on top of that debt; None when it never does."""
        if amount > self.burst:
            return None
        return max(0.0, (debt + amount * self.period_us - self.capacity) / self.count / _S_IN_US)


class Quota(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """At most ``limit`` of a unit in a calendar window. Without ``hard`` it counts and never refuses."""

    name: str
    rule: str
    unit: Unit
    limit: int
    window: Window
    hard: bool = True
    shadow: bool = False


class Concurrency(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """At most ``limit`` calls at the same time."""

    name: str
    rule: str
    limit: int
    shadow: bool = False


Meter = Rate | Quota | Concurrency


def wait_s(meter: Meter, reading: int, amounts: Amounts, now_s: float) -> float | None:
    """Seconds until a call that takes ``amounts`` may fit; None when it never will, or nobody knows."""
    if isinstance(meter, Rate):
        return meter.wait_s(reading, amounts[meter.unit])
    if isinstance(meter, Quota):
        end_s = end_of(meter.window, now_s)
        return end_s - now_s if end_s is not None and amounts[meter.unit] <= meter.limit else None
    return None


def rate_per_second(count: float) -> tuple[int, int, int]:
    """``count``, ``period_us`` and ``burst`` of a rate in whole numbers: half a call per second is 500 per 1,000 s."""
    if count == int(count):
        return int(count), _S_IN_US, int(count)
    return max(1, round(count * 1000)), 1000 * _S_IN_US, max(1, round(count))


def rate_per_minute(count: int) -> tuple[int, int, int]:
    """The same for so many per minute; a whole minute's worth may come at once."""
    return count, 60 * _S_IN_US, count
