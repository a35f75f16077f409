"""Questions of one run of a page: asked before they are needed, side by side, and none of them twice.

An answer is good for the moment in which the page is drawn; panels that refresh ask anew. A change forgets them all.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any

from .source import Answer

_GOOD_S = 1.0
"""After its arrival."""
_AT_ONCE = 8
_MOST = 50

Question = tuple[str, tuple[tuple[str, str], ...], str | None]


class _Asked:
    def __init__(self, coming: Future[Answer], now_s: Callable[[], float]) -> None:
        self.coming = coming
        self._now_s = now_s
        self._came_at_s: float | None = None
        coming.add_done_callback(self._came)

    @property
    def is_good(self) -> bool:
        return self._came_at_s is None or self._now_s() - self._came_at_s < _GOOD_S

    def _came(self, _coming: Future[Answer]) -> None:
        self._came_at_s = self._now_s()


class Ahead:
    """``ask`` is the feed's. Used by one run's thread alone."""

    def __init__(
        self,
        ask: Callable[[str, Mapping[str, Any], str | None], Answer],
        *,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._now_s = now_s
        self._asked: dict[Question, _Asked] = {}

    def start(self, path: str, params: Mapping[str, Any], key: str | None) -> Future[Answer]:
        """The answer to come; that of the same question where it is under way or has just come."""
        given = sorted((name, str(value)) for name, value in params.items() if value not in (None, ""))
        question = (path, tuple(given), key)
        known = self._asked.get(question)
        if known is None or not known.is_good:
            if len(self._asked) >= _MOST:  # a page may stay open for days
                self._asked = {each: asked for each, asked in self._asked.items() if asked.is_good}
            known = self._asked[question] = _Asked(pool().submit(self._ask, path, params, key), self._now_s)
        return known.coming

    def forget(self) -> None:
        self._asked.clear()


@cache
def pool() -> ThreadPoolExecutor:
    """For all readers of this process."""
    return ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="ask")
