"""Which deployment is asked now just to find out whether it is back: nobody's call, so it costs money for nothing.

Only what is out and due may be asked, the longest unasked first, and never more often than the budget says in any hour.
Where calls come, they are probes themselves (`breaker`) and this is not needed: it is for what no call reaches, a last
resort's rank or a quiet night.
"""

from collections import deque
from collections.abc import Iterable
from math import inf

import msgspec

_HOUR_S = 3600.0


class ProbeRules(msgspec.Struct, frozen=True, kw_only=True):
    """``per_hour`` bounds the probes of this process in any hour."""

    enabled: bool = False
    per_hour: int = 12
    timeout_s: float = 30.0


class ProbePlan:
    """Remembers what was asked when. The budget outlives a change of the rules."""

    def __init__(self) -> None:
        self._sent_s: deque[float] = deque()
        self._asked_s: dict[str, float] = {}

    def choose(self, due: Iterable[str], rules: ProbeRules, now_s: float) -> str | None:
        """The deployment to ask now, which takes a probe from the budget; None: there is none, or no budget."""
        if not rules.enabled:
            return None
        sent_s = self._sent_s
        while sent_s and now_s - sent_s[0] >= _HOUR_S:
            sent_s.popleft()
        if len(sent_s) >= rules.per_hour:
            return None
        chosen = min(due, key=lambda name: (self._asked_s.get(name, -inf), name), default=None)
        if chosen is not None:
            sent_s.append(now_s)
            self._asked_s[chosen] = now_s
        return chosen
