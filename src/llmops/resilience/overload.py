"""Shedding: which calls are refused at once while the gateway itself has too much to do.

Three signs, each with its own answer. **The event loop lags** by more than 50 ms for a second: a growing share of all
calls is refused, the lowest priority first, and the share falls slowly once the lag is gone (Stripe: shed slowly,
restore slowly), so that load and refusals do not swing. **Memory** beyond 85 % of its limit: low priority is refused,
halfway from there to the limit normal as well; 5 % of hysteresis. **Calls under way**: the last fifth of what the
process can carry is for high priority.

Samples come in as numbers, about ten a second; between them admission is a comparison. A refusal costs microseconds,
which is what keeps the goodput: work that would be late anyway is not begun.
"""

from typing import Literal

import msgspec

from ..types import Priority
from .rules import OverloadRules

Sign = Literal["lag", "memory", "calls"]

_HALVED_IN_S = 0.35
"""While it lags, what is admitted halves in this time; three times too much is answered in about half a second."""
_RESTORED_PER_S = 0.2
_LEAST_ADMITTED = 0.05
_MOST_SPARED = 0.5
"""Where most calls say that they are of high priority, none is."""
_DONE_IN_S = 5.0
_REMEMBERED_S = 2.0
_HYSTERESIS = 0.05
_MAX_STEP_S = 1.0


class OverloadView(msgspec.Struct, frozen=True, kw_only=True):
    """The share of calls refused at present, by priority."""

    low: float
    normal: float
    high: float


class Overload:
    """Belongs to one process. ``luck`` is uniform in [0, 1)."""

    def __init__(self, rules: OverloadRules, now_s: float) -> None:
        self.rules = rules
        self._sampled_s = self._fine_s = now_s
        self._admitted = 1.0
        self._memory_level = 0
        self._arrivals: dict[Priority, float] = {"low": 0.0, "normal": 0.0, "high": 0.0}
        self._shed: dict[Priority, float] = {"low": 0.0, "normal": 0.0, "high": 0.0}
        self._is_calm = True

    def sample(self, now_s: float, lag_s: float, memory_share: float = 0.0) -> None:
        """How late the event loop ran a timer, and the resident share of the memory limit (0: there is none)."""
        step_s = min(max(now_s - self._sampled_s, 0.0), _MAX_STEP_S)
        self._sampled_s = now_s
        if lag_s <= self.rules.max_lag_s:
            self._fine_s = now_s
            self._admitted = min(self._admitted + _RESTORED_PER_S * step_s, 1.0)
        elif self._admitted < 1.0 or now_s - self._fine_s >= self.rules.patience_s:
            halved = self._admitted * 0.5 ** (step_s / _HALVED_IN_S)
            self._admitted = min(self._admitted, max(halved, self._spared(now_s - self._fine_s)))
        self._memory_level = self._level_for(memory_share)
        self._spread()
        kept = 0.5 ** (step_s / _REMEMBERED_S)
        for priority in self._arrivals:
            self._arrivals[priority] *= kept

    def refuses(self, priority: Priority, calls: int, luck: float) -> Sign | None:
        """Why a call that comes now is refused; None: it is admitted. ``calls`` are under way."""
        self._arrivals[priority] += 1
        most = self.rules.max_calls
        if most is not None and calls >= (most if priority == "high" else most * (1 - self.rules.reserved_share)):
            return "calls"
        if self._is_calm:
            return None
        if self._memory_level and (priority == "low" or (priority == "normal" and self._memory_level == 2)):
            return "memory"
        return "lag" if luck < self._shed[priority] else None

    def retry_after_s(self, luck: float) -> float:
        """When the refused shall come again: one to three seconds, so that they do not come together."""
        return 1.0 + 2.0 * luck

    @property
    def view(self) -> OverloadView:
        low = 1.0 if self._memory_level >= 1 else self._shed["low"]
        normal = 1.0 if self._memory_level == 2 else self._shed["normal"]
        return OverloadView(low=round(low, 3), normal=round(normal, 3), high=round(self._shed["high"], 3))

    def _level_for(self, share: float) -> int:
        first = self.rules.max_memory_share
        second = first + (1 - first) / 2
        if self._memory_level >= 1:
            first -= _HYSTERESIS
        if self._memory_level == 2:
            second -= _HYSTERESIS
        return 2 if share > second else 1 if share > first else 0

    def _spared(self, lag_lasts_s: float) -> float:
        """The share that is admitted however it lags: that of high priority, until what has piled up must be done."""
        arrivals = self._arrivals
        high = arrivals["high"] / (sum(arrivals.values()) or 1.0)
        is_spared = high <= _MOST_SPARED and lag_lasts_s < self.rules.patience_s + _DONE_IN_S
        return max(high, _LEAST_ADMITTED) if is_spared else _LEAST_ADMITTED

    def _spread(self) -> None:
        """What is to be refused of all, laid on the priorities from the lowest up, by what has come of each lately."""
        arrivals = self._arrivals
        left = (1.0 - self._admitted) * sum(arrivals.values())
        for priority, came in arrivals.items():
            taken = min(came, left)
            self._shed[priority] = taken / came if came > 0 else float(left > 0)
            left -= taken
        self._is_calm = self._admitted >= 1.0 and self._memory_level == 0
