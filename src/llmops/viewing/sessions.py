"""Who is signed in: keys of the gateway, kept in this process's memory under random tokens, for twelve hours at most.

The browser gets the token as a cookie that scripts cannot read; the key itself never goes there. A restart of the
dashboard signs everybody out. Whether a key is still good the gateway says at every request.
"""

import secrets
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

COOKIE = "llmops_dashboard"
LIFE_S = 12 * 3600
_MOST = 10_000


class _Session(NamedTuple):
    key: str
    until_s: float


class Sessions:
    """Safe to share between threads."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._by_token: dict[str, _Session] = {}
        self._lock = threading.Lock()

    def open(self, key: str) -> str:
        """The token of a new session."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._let_go()
            while len(self._by_token) >= _MOST:
                del self._by_token[next(iter(self._by_token))]  # the oldest
            self._by_token[token] = _Session(key, self._now_s() + LIFE_S)
        return token

    def key_of(self, token: str | None) -> str | None:
        """The key of a session that still holds."""
        with self._lock:
            found = self._by_token.get(token or "")
            return found.key if found is not None and found.until_s > self._now_s() else None

    def close(self, token: str | None) -> None:
        with self._lock:
            self._by_token.pop(token or "", None)

    def _let_go(self) -> None:
        now_s = self._now_s()
        for token in [token for token, session in self._by_token.items() if session.until_s <= now_s]:
            del self._by_token[token]


SESSIONS = Sessions()
"""This process's."""
