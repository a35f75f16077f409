"""Questions of one run of a page: asked before they are needed, side by side, and none of them twice.

An answer is good for the moment in which the page is drawn; panels that refresh ask anew. A change forgets them all.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple

from .source import Answer

_GOOD_S = 1.0
"""After its arrival."""
_AT_ONCE = 8

Question = tuple[str, tuple[tuple[str, str], ...], str | None]


class _Asked(NamedTuple):
    coming: Future[Answer]
    done_at_s: list[float]

    @property
    def is_good(self) -> bool:
        return not self.coming.done() or time.monotonic() - (self.done_at_s or [0.0])[0] < _GOOD_S


class Ahead:
    """``ask`` is the feed's. Used by one run's thread alone."""

    def __init__(self, ask: Callable[[str, Mapping[str, Any], str | None], Answer]) -> None:
        self._ask = ask
        self._asked: dict[Question, _Asked] = {}

    def start(self, path: str, params: Mapping[str, Any], key: str | None) -> Future[Answer]:
        """The answer to come; that of the same question where it is under way or has just come."""
        given = sorted((name, str(value)) for name, value in params.items() if value not in (None, ""))
        question = (path, tuple(given), key)
        known = self._asked.get(question)
        if known is not None and known.is_good:
            return known.coming
        done_at_s: list[float] = []
        coming = pool().submit(self._ask, path, params, key)
        self._asked[question] = _Asked(coming, done_at_s)
        coming.add_done_callback(lambda _: done_at_s.append(time.monotonic()))
        return coming

    def forget(self) -> None:
        self._asked.clear()


@cache
def pool() -> ThreadPoolExecutor:
    """For all readers of this process."""
    return ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="ask")
