"""Turning calls away at overload: what `overload` decides, as the error that a caller gets, and counted.

A refusal has to cost next to nothing, so its words are made once, and neither body nor key is looked at.
"""

import random
from collections.abc import Callable
from functools import lru_cache
from math import ceil

from ..errors import Overloaded
from ..types import Priority
from .overload import Overload, Sign

_SHOWN_S = 3.0
_WORDS: dict[Sign, str] = {
    "lag": "the gateway has more to do than it can do in time",
    "memory": "the gateway is short of memory",
    "calls": "as many calls are under way as the gateway takes at a time",
}


class Shedder:
    """Belongs to one process. ``note`` is told of every refusal."""

    def __init__(self, overload: Overload, luck: random.Random, note: Callable[[Priority, Sign], None]) -> None:
        self._overload = overload
        self._luck = luck.random
        self._note = note
        self._last_s: dict[Sign, float] = {}

    def refusal(self, priority: Priority, calls: int) -> Overloaded | None:
        """What a call that comes now is refused with; None: it is admitted. ``calls`` are under way."""
        sign = self._overload.refuses(priority, calls)
        if sign is None:
            return None
        self._note(priority, sign)
        self._last_s[sign] = self._overload.sampled_s
        return _error(priority, sign, ceil(self._overload.retry_after_s(self._luck())))

    def problems(self) -> list[str]:
        """Why calls are turned away now, or were until a moment ago."""
        overload = self._overload
        signs = [sign for sign, last_s in self._last_s.items() if overload.sampled_s - last_s <= _SHOWN_S]
        if not signs:
            return []
        return [f"calls are turned away: {'; '.join(_WORDS[sign] for sign in signs)}"]


@lru_cache(maxsize=64)
def _error(priority: Priority, sign: Sign, retry_after_s: int) -> Overloaded:
    """Never raised, so one of a kind is enough."""
    return Overloaded(
        f"{_WORDS[sign]}; calls of {priority} priority are turned away, try again later", retry_after_s=retry_after_s
    )
