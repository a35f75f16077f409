"""Injected time, identifiers and randomness, so that a simulated hour runs in milliseconds and repeats exactly.

``Clock`` is the one place that reads the machine's clocks; ``ManualClock`` is the shipped double.
"""

import random
import time
from typing import Protocol


class Clock(Protocol):
    """Two readings: ``now_s`` is seconds since the epoch, ``monotonic_s`` never runs backwards."""

    def now_s(self) -> float: ...
    def monotonic_s(self) -> float: ...


class SystemClock:
    """The machine's own clocks."""

    now_s = staticmethod(time.time)
    monotonic_s = staticmethod(time.monotonic)


class ManualClock:
    """A clock that stands still until ``advance`` is called."""

    def __init__(self, now_s: float = 1_700_000_000.0) -> None:
        self._now_s = now_s
        self._monotonic_s = 0.0

    def now_s(self) -> float:
        return self._now_s

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def advance(self, seconds: float) -> None:
        """Move both readings forward by ``seconds``."""
        self._now_s += seconds
        self._monotonic_s += seconds


class Ids:
    """Identifiers of calls, traces and spans. Seeded, they repeat; unseeded, they come from the system's entropy."""

    def __init__(self, seed: int | None = None) -> None:
        self._bits = random.Random(seed).getrandbits if seed is not None else random.SystemRandom().getrandbits
        if seed is None:
            # One process-wide generator, seeded by 256 bits of entropy: as unpredictable as an identifier needs,
            # without a system call for each.
            self._bits = random.Random(self._bits(256)).getrandbits

    def request_id(self) -> str:
        return f"req_{self._bits(128):032x}"

    def trace_id(self) -> str:
        """32 hexadecimal digits, never all zero (W3C Trace Context)."""
        return f"{self._bits(128) or 1:032x}"

    def span_id(self) -> str:
        """16 hexadecimal digits, never all zero (W3C Trace Context)."""
        return f"{self._bits(64) or 1:016x}"
