"""What limits and budgets need of counters: take from many at once or from none, and put right afterwards.

One contract for the in-process counters and those in Redis; ``tests/contract`` runs the same cases on both. Both also
have ``used(meters)`` and ``raise_to(used, meters)`` for quotas, which those in Redis answer later.
"""

from collections.abc import Awaitable, Sequence
from typing import Protocol

import msgspec

from .meter import Amounts, Meter


class Hold(msgspec.Struct, kw_only=True, eq=False):
    """What one admitted call has taken: from which meters, how much, in which windows.

    ``readings`` is each meter's state after taking: a `Rate`'s debt, a `Quota`'s use, a `Concurrency`'s calls.
    ``over`` holds the positions of shadow meters that would have refused, and of soft quotas that are used up.
    """

    request_id: str
    meters: Sequence[Meter]
    amounts: Amounts
    windows: tuple[int, int, int, int]
    readings: Sequence[int] = ()
    over: Sequence[int] = ()
    cells: object = None
    """The counters' own, to find again what was taken."""
    shared: bool = False
    """Whether it was taken in Redis, and is to be settled there."""


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing was taken, because ``meter`` had too little left. ``reading`` is its state.

    ``wait_s`` is when to try again; None when waiting does not help, or nobody knows.
    """

    meter: Meter
    reading: int
    wait_s: float | None
    readings: Sequence[int] = ()


class Counters(Protocol):
    """Counts of this process or of many. ``settle`` is called exactly once for every hold."""

    def reserve(
        self, request_id: str, meters: Sequence[Meter], amounts: Amounts
    ) -> Hold | Refused | Awaitable[Hold | Refused]:
        """Take ``amounts`` from all meters, or from none. `StoreUnavailable` where they cannot be asked and a meter is
        not to be passed without."""
        ...

    def settle(self, hold: Hold, tokens: int, nanousd: int) -> None:
        """Replace what was held by what was used, and free the place among concurrent calls. Requests stay counted."""
        ...
