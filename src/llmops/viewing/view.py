"""What a page gets: the reader, the window, the palette, and the one way to ask for figures.

``get`` returns what the control plane answers, or None after having said in words why there is nothing; a page then
draws no more of that panel and needs no other care. ``live`` makes a function a panel that refreshes by itself.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from typing import Any, NamedTuple

import streamlit as st

from . import components, words
from .ahead import Ahead
from .feed import Feed
from .palette import Palette
from .source import Answer, Problem
from .window import Window

_FAST_S, _SLOW_S = 5.0, 30.0
_LONG_S = 3 * 86_400


class Reader(NamedTuple):
    """Whose key it is. ``tenant`` None sees all tenants."""

    role: str
    tenant: str | None
    name: str
    needs_key: bool

    @property
    def may_edit(self) -> bool:
        return self.role in ("editor", "admin")


class View(NamedTuple):
    """One run of one page for one reader."""

    feed: Feed
    key: Callable[[], str | None]
    reader: Reader
    window: Window
    tenant: str
    """What the pages are narrowed to; "" for all that the reader sees."""
    zone: tzinfo
    palette: Palette
    is_live: bool
    ahead: Ahead

    @property
    def now_s(self) -> float:
        return time.time()

    @property
    def params(self) -> dict[str, str]:
        """``from``, ``to`` and ``tenant``, as most routes take them."""
        return {**self.window.params, **({"tenant": self.tenant} if self.tenant else {})}

    @property
    def may_change(self) -> bool:
        """Whether to offer actions: the role allows them, and there is a gateway to do them."""
        return self.reader.may_edit and self.feed.kind == "gateway"

    def title(self, title: str, what: str = "") -> None:
        """The page's name; with where the figures come from, which refreshes by itself."""

        def head() -> None:
            mood, source = SOURCES[self.feed.kind]
            st.html(
                f'<div class="lab-head"><h1>{words.html(title)}</h1><p>{words.html(what)}</p>'
                f'<span class="lab-source" data-source="{self.feed.kind}"><span class="lab-dot {mood}"></span>'
                f"{words.html(source)}</span></div>"
            )

        self.live(head)

    def live(self, panel: Callable[[], None]) -> None:
        """Draw a panel now, and again every few seconds while the reader wants to see it live."""
        every_s = (_SLOW_S if self.window.length_s > _LONG_S else _FAST_S) if self.is_live else None
        st.fragment(panel, run_every=every_s)()

    def expect(self, path: str, /, **params: Any) -> None:
        """Start a GET that a panel further down will ask for."""
        self.ahead.start(path, _sent(params), self.key())

    def ask(self, path: str, /, **params: Any) -> Answer:
        """A GET whose failure the page handles itself. A parameter ``from_`` is sent as ``from``."""
        return self.ahead.start(path, _sent(params), self.key()).result()

    def ask_all(self, asked: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Answer]:
        """Several GETs at the same time, each a path and its parameters; the answers in their order."""
        key = self.key()  # it is of this thread's reader
        return [each.result() for each in [self.ahead.start(path, params, key) for path, params in asked]]

    def get(self, path: str, /, **params: Any) -> Any | None:
        """A GET; None after its failure has been shown in this place."""
        found = self.ask(path, **params)
        if found.problem is not None:
            self.show(found.problem)
        return found.value

    def send(self, method: str, path: str, body: Any = None, /, **params: Any) -> Answer:
        """A change: POST, PATCH or DELETE. The gateway judges whether this reader may."""
        self.ahead.forget()
        return self.feed.ask(path, params, key=self.key(), method=method, body=body)

    def show(self, problem: Problem) -> None:
        """Say in words why there is nothing."""
        if problem.trouble == "unauthenticated":
            st.rerun(scope="app")  # to the sign-in
        title, what_next, command = _SAID[problem.trouble]
        said = problem.message if problem.trouble in ("refused", "odd", "missing", "forbidden") else what_next
        components.empty(title, said, command, bad=problem.trouble not in ("missing", "forbidden"))


def _sent(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name.rstrip("_"): value for name, value in params.items()}


SOURCES: dict[str, tuple[str, str]] = {
    "gateway": ("", "live gateway"),
    "database": ("warn", "database, gateway not running"),
    "log": ("warn", "request log only, gateway not running"),
    "none": ("bad", "gateway not reachable"),
}
_SAID: dict[str, tuple[str, str, str]] = {
    "unreachable": ("The gateway does not answer", "This page tries again by itself.", "llmops serve"),
    "unauthenticated": ("Signed out", "", ""),
    "forbidden": ("Your key may not see this", "", ""),
    "unavailable": (
        "The gateway's database does not answer",
        "Calls go on, and what is missing here is in the request log. This page tries again by itself.",
        "llmops doctor",
    ),
    "refused": ("The gateway refuses this", "", ""),
    "missing": ("There is no such thing", "", ""),
    "odd": ("This is no answer of a gateway", "", ""),
}
