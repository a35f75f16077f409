"""Saying once that a soft budget is used up: a warning in the operator's log for each counter and window.

Every call over it also carries the budget's name in its record and counts in ``llm_calls_over_limits_total``.
"""

import logging

from ..store.counters.counters import Hold
from ..store.counters.meter import Quota, Unit
from ..store.counters.window import WINDOWS
from .rule import SEPARATOR, usd

_log = logging.getLogger(__name__)
_MOST = 10_000


class SoftBudgetAlerts:
    def __init__(self) -> None:
        self._said: set[tuple[str, int]] = set()

    def note(self, hold: Hold) -> None:
        """Warn of the soft budgets that an admitted call has found used up, if nobody has yet."""
        for index in hold.over:
            meter = hold.meters[index]
            if not isinstance(meter, Quota) or meter.hard or meter.unit is not Unit.NANOUSD:
                continue
            which = (meter.name, hold.windows[WINDOWS.index(meter.window)])
            if which in self._said:
                continue
            if len(self._said) >= _MOST:
                self._said.clear()
            self._said.add(which)
            whose = ", ".join(meter.name.split(SEPARATOR)[1:-1]) or "all callers"
            _log.warning(
                "the soft budget %r of %s per %s is used up for %s: %s spent or reserved",
                meter.rule,
                usd(meter.limit),
                meter.window,
                whose,
                usd(hold.readings[index]),
            )
