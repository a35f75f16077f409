"""Which fault strikes a request that asked for none: by a seed, so that a run's faults come again in the same order."""

import random
from collections.abc import Iterable

from .fault import Fault


class Lot:
    """Two numbers are drawn a request, whatever it is: the tenth request meets the same luck in every run."""

    def __init__(self, faults: Iterable[Fault], rate: float, seed: int) -> None:
        """``rate`` is the share of requests that are struck."""
        if not 0 <= rate <= 1:
            raise ValueError(f"the rate {rate!r} is no share: give a number from 0 to 1")
        chosen = [fault for fault in faults if fault.by_chance]
        self._streams = [fault for fault in chosen if fault.stream]
        self._complete = [fault for fault in chosen if fault.complete]
        self._rate = rate
        self._luck = random.Random(seed)

    def draw(self, *, stream: bool) -> Fault | None:
        struck, which = self._luck.random() < self._rate, self._luck.random()
        candidates = self._streams if stream else self._complete
        return candidates[int(which * len(candidates))] if struck and candidates else None
