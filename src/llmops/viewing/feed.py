"""Where the figures come from right now: the gateway, or, while it is away, what it has left on this machine.

One for the whole process. The gateway is asked first, always; while it does not answer and both it and the dashboard
are on loopback, `offline` stands in. The gateway is tried again every few seconds, and taken back as soon as it is
there.
"""

import os
import threading
import time
from collections.abc import Callable
from typing import Literal, Protocol

from .loopback import is_loopback
from .source import Answer, Parameters, Problem, Source

DEFAULT_URL = "http://127.0.0.1:8000"
URL_VARIABLE = "LLMOPS_GATEWAY_URL"
Kind = Literal["gateway", "database", "log", "none"]
_TRY_AGAIN_S = 2.0


class StandIn(Protocol):
    """What can be asked instead of the gateway."""

    kind: Kind
    source: Source

    def close(self) -> None: ...


class Feed:
    """``stand_in`` opens what is asked instead; None where there is nothing, `OSError` where it is of
    no use. It may take seconds."""

    def __init__(self, url: str, stand_in: Callable[[], StandIn | None] | None = None) -> None:
        self.gateway = Source(url)
        self._stand_in = stand_in if is_loopback(self.gateway.host) else None
        self._standing: StandIn | None = None
        self._gone_at_s: float | None = None
        self._why_not: str | None = None
        self._lock = threading.Lock()

    @property
    def kind(self) -> Kind:
        """What was asked last."""
        if self._gone_at_s is None:
            return "gateway"
        return self._standing.kind if self._standing is not None else "none"

    def ask(
        self,
        path: str,
        params: Parameters | None = None,
        *,
        key: str | None = None,
        method: str = "GET",
        body: object = None,
    ) -> Answer:
        """Ask whoever is there. Changes go to the gateway alone."""
        if self._may_try():
            found = self.gateway.ask(path, params, key=key, method=method, body=body)
            if found.problem is None or found.problem.trouble != "unreachable":
                self._back()
                return found
            self._gone_at_s = time.monotonic()
            if method != "GET":
                return found
        if method != "GET":
            return Answer(None, Problem("unreachable", "the gateway is not running, so nothing can be changed now"))
        standing = self._open()
        if standing is None:
            why = f"; what is here cannot be shown: {self._why_not}" if self._why_not else ""
            return Answer(None, Problem("unreachable", f"nothing answers at {self.gateway.url}{why}"))
        return standing.source.ask(path, params, key=key)

    def close(self) -> None:
        with self._lock:
            if self._standing is not None:
                self._standing.close()
                self._standing = None

    def _may_try(self) -> bool:
        gone_at_s = self._gone_at_s
        return gone_at_s is None or time.monotonic() - gone_at_s > _TRY_AGAIN_S

    def _back(self) -> None:
        if self._gone_at_s is not None:
            self._gone_at_s = None
            threading.Thread(target=self.close, daemon=True).start()  # it has threads to wait for

    def _open(self) -> StandIn | None:
        if self._stand_in is None:
            return None
        with self._lock:
            if self._standing is None:
                try:
                    self._standing, self._why_not = self._stand_in(), None
                except OSError as exc:
                    self._why_not = str(exc)
            return self._standing


_THE_FEED: list[Feed] = []
_OPENING = threading.Lock()


def the_feed(*, alone: bool) -> Feed:
    """This process's. ``alone``: whether the dashboard listens on loopback only, so that it may show local files."""
    with _OPENING:
        if not _THE_FEED:
            from .offline import open_stand_in

            _THE_FEED.append(Feed(os.environ.get(URL_VARIABLE) or DEFAULT_URL, open_stand_in if alone else None))
        return _THE_FEED[0]
