"""Shedding: which calls are refused at once while the gateway itself has too much to do.

Three signs, each with its own answer. **The event loop lags**, by more than `max_lag_s` on average for `patience_s` (or
by many times that for a part of it): the calls under way get a limit, their number divided by how many times the
allowed lag there is. It is cut again while the lag lasts and grows while there is none. Low priority may use four
fifths of it, normal all of it, and high priority is spared as long as that helps. **Memory** beyond 85 % of its limit:
low priority is refused, halfway from there to the limit normal as well; 5 % of hysteresis. **Calls under way** beyond a
configured number, the last fifth of which is for high priority.

A limit on calls under way, and not on a share of those that come: a call enters where one has left, so whatever the
offered load does, no more is begun than is done, and as soon as the load falls nothing is refused any more.

Samples come in as numbers, some fifty a second; between them admission is a comparison. A refusal costs next to
nothing, which is what keeps the goodput: work that would be late anyway is not begun.
"""

from typing import Literal

import msgspec

from ..types import Priority
from .rules import OverloadRules

Sign = Literal["lag", "memory", "calls"]

_LAG_HALF_LIFE_S = 0.1
_MOST_TIMES = 4.0
"""A sample counts as this many times the allowed lag at most: one long pause is no overload, and no cut is deeper."""
_CUT_EVERY_S = 0.1
_WAIT_FOR_CUT_S = 0.5
"""How long as few calls as a cut allows are waited for, before there is another one."""
_GROWTH_PER_S = 0.4
_FREE_GROWTH_PER_S = 1.0
_FREE_BELOW = 0.5
_LEAST_CALLS = 32.0
"""A lag with fewer calls under way is not cured by refusing some."""
_LOW_SHARE = 0.8
_SLACK = 1.05
_LIFTED_AT = 2.0
"""A limit of this many times the calls under way is none."""
_MOST_SPARED = 0.5
"""Where most calls say that they are of high priority, none is."""
_DONE_IN_S = 5.0
_REMEMBERED_S = 2.0
_HYSTERESIS = 0.05
_MAX_STEP_S = 1.0


class OverloadView(msgspec.Struct, frozen=True, kw_only=True):
    """The average lag, the limit on calls under way that comes of it, and the priorities refused for memory."""

    lag_ms: float
    limit: int | None
    memory_refuses: tuple[Priority, ...]


class Overload:
    """Belongs to one process. ``luck`` is uniform in [0, 1)."""

    def __init__(self, rules: OverloadRules, now_s: float) -> None:
        self.rules = rules
        self.sampled_s = self._fine_s = self._cut_s = now_s
        self._lag_s = self._suffered_s = 0.0
        self._limit: float | None = None
        self._memory_level = 0
        self._arrivals: dict[Priority, float] = {"low": 0.0, "normal": 0.0, "high": 0.0}
        self._is_calm = True

    def sample(self, now_s: float, lag_s: float, calls: int, memory_share: float = 0.0) -> None:
        """How late the event loop ran a timer, how many calls are under way, and the resident share of the memory limit
        (0: there is none)."""
        step_s = min(max(now_s - self.sampled_s, 0.0), _MAX_STEP_S)
        self.sampled_s = now_s
        most = self.rules.max_lag_s
        kept = 0.5 ** (min(step_s, _LAG_HALF_LIFE_S) / _LAG_HALF_LIFE_S)
        self._lag_s = kept * self._lag_s + (1 - kept) * min(lag_s, _MOST_TIMES * most)
        if lag_s > most:  # the average alone still shows a single pause when that is over
            self._suffered_s += min(step_s, _LAG_HALF_LIFE_S) * self._lag_s / most
        self._bound(now_s, step_s, calls, self._lag_s / most)
        self._memory_level = self._level_for(memory_share)
        self._is_calm = self._limit is None and self._memory_level == 0
        kept = 0.5 ** (step_s / _REMEMBERED_S)
        for priority in self._arrivals:
            self._arrivals[priority] *= kept

    def refuses(self, priority: Priority, calls: int) -> Sign | None:
        """Why a call that comes now is refused; None: it is admitted. ``calls`` are under way."""
        self._arrivals[priority] += 1
        most = self.rules.max_calls
        if most is not None and calls >= (most if priority == "high" else most * (1 - self.rules.reserved_share)):
            return "calls"
        if self._is_calm:
            return None
        if self._memory_level and (priority == "low" or (priority == "normal" and self._memory_level == 2)):
            return "memory"
        limit = self._limit
        if limit is None or calls < (limit * _LOW_SHARE if priority == "low" else limit):
            return None
        return None if priority == "high" and self._spares_high() else "lag"

    def retry_after_s(self, luck: float) -> float:
        """When the refused shall come again: one to three seconds, so that they do not come together."""
        return 1.0 + 2.0 * luck

    @property
    def view(self) -> OverloadView:
        refused: tuple[Priority, ...] = ("low", "normal")
        return OverloadView(
            lag_ms=round(self._lag_s * 1000, 3),
            limit=int(self._limit) if self._limit is not None else None,
            memory_refuses=refused[: self._memory_level],
        )

    def _bound(self, now_s: float, step_s: float, calls: int, level: float) -> None:
        """Move the limit. ``level`` is the lag as a multiple of the allowed."""
        limit = self._limit
        if level <= 1.0:
            self._fine_s, self._suffered_s = now_s, 0.0
            if limit is not None:
                growth = step_s * (_FREE_GROWTH_PER_S if level < _FREE_BELOW else _GROWTH_PER_S)
                limit = max(limit * (1.0 + growth), calls)  # what is under way without a lag is not too much
                self._limit = limit if limit < _LIFTED_AT * max(calls, _LEAST_CALLS) else None
            return
        if limit is None:
            if self._suffered_s < self.rules.patience_s:
                return
            limit = calls
        elif now_s - self._cut_s < (_CUT_EVERY_S if calls <= limit * _SLACK else _WAIT_FOR_CUT_S):
            return
        self._limit, self._cut_s = max(limit / level, _LEAST_CALLS), now_s

    def _level_for(self, share: float) -> int:
        first = self.rules.max_memory_share
        second = first + (1 - first) / 2
        if self._memory_level >= 1:
            first -= _HYSTERESIS
        if self._memory_level == 2:
            second -= _HYSTERESIS
        return 2 if share > second else 1 if share > first else 0

    def _spares_high(self) -> bool:
        """High priority is admitted over the limit, unless it is most of the load or the lag does not end."""
        arrivals = self._arrivals
        if self.sampled_s - self._fine_s >= self.rules.patience_s + _DONE_IN_S:
            return False
        return arrivals["high"] <= _MOST_SPARED * sum(arrivals.values())
