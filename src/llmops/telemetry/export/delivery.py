"""Some records on their way: what is to be sent next, and what the answers made of the others. A pure state machine.

A batch is sent in parts. A part that is refused as a whole is halved, so that one record that a tool cannot stand does
not take the others with it; there is a bound to this, since a tool may refuse everything. Every record ends in exactly
one of the counts.
"""

from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

from .counts import Counts
from .sent import Sent

_T = TypeVar("_T")
MOST_FAILURES = 5
"""Of one part inside the tool."""
MOST_HALVINGS = 64
"""Of one batch; what is still refused then is refused as it is."""


class Delivery(Generic[_T]):
    """``counts`` is what became of those that are not in it any more."""

    def __init__(self, records: Sequence[_T], size: int) -> None:
        self.counts = Counts()
        self._parts = deque(list(records[begin : begin + size]) for begin in range(0, len(records), size))
        self._failures = 0
        self._halvings = 0

    @property
    def left(self) -> int:
        """Records whose fate is open."""
        return sum(map(len, self._parts))

    def next_part(self) -> list[_T] | None:
        """What to send; the same until it is `answered`."""
        return self._parts[0] if self._parts else None

    def answered(self, sent: Sent) -> bool:
        """Take an answer to `next_part` in. False: it is to be sent again, after a pause."""
        part = self._parts[0]
        if sent.verdict == "taken":
            refused = min(max(sent.refused, 0), len(part))
            self.counts.delivered += len(part) - refused
            self.counts.refuse(sent.why or "refused", refused)
        elif sent.verdict == "again":
            return False
        elif sent.verdict == "failed" and self._failures + 1 < MOST_FAILURES:
            self._failures += 1
            return False
        elif sent.verdict == "smaller" and len(part) > 1 and self._halvings < MOST_HALVINGS:
            self._halvings += 1
            middle = len(part) // 2
            self._parts[0] = part[middle:]
            self._parts.appendleft(part[:middle])
            self._failures = 0
            return True
        else:
            self.counts.refuse(sent.why, len(part))
        self._parts.popleft()
        self._failures = 0
        return True

    def drop(self, why: str) -> None:
        """Give up what is left."""
        self.counts.drop(why, self.left)
        self._parts.clear()
