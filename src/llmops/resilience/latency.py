"""How long a deployment takes to its first token: a peak-sensitive moving average (Finagle's peak EWMA).

A slow answer counts at once and in full, a fast one gradually; and what is not confirmed fades, so that a deployment
that was slow once is tried again. Time to the first token and not the total: that depends on how much was asked for.
"""

from math import exp

_FADE_S = 10.0


class PeakEwma:
    """Seconds. 0 until the first observation."""

    __slots__ = ("_at_s", "_cost_s")

    def __init__(self) -> None:
        self._cost_s = 0.0
        self._at_s = 0.0

    def observe(self, seconds: float, now_s: float) -> None:
        if seconds >= self._cost_s:
            self._cost_s = seconds
        else:
            kept = exp(-max(now_s - self._at_s, 0.0) / _FADE_S)
            self._cost_s = self._cost_s * kept + seconds * (1 - kept)
        self._at_s = now_s

    def cost_s(self, now_s: float) -> float:
        return self._cost_s * exp(-max(now_s - self._at_s, 0.0) / _FADE_S)
