"""Around every page: who reads, the bar of shared filters, and what is said where there is nothing to read from."""

import os
from collections.abc import Callable
from typing import Any

import streamlit as st

from . import address, components, words
from .ahead import Ahead
from .feed import Feed, the_feed
from .loopback import listens_alone
from .palette import Palette
from .sessions import COOKIE, SESSIONS
from .sign_in import form_markup, sign_out_markup
from .source import Problem
from .theme import palette_now, put_on
from .view import Reader, View
from .window import picker, zone_now

KEY_VARIABLE = "LLMOPS_DASHBOARD_KEY"
_RETRY_S = 2.0
_OF_ALL = ""


def show(page: Callable[[View], None]) -> None:
    """Draw a page for whoever reads; without a reader, what stands in its place."""
    palette = palette_now()
    put_on(palette)
    alone = listens_alone()
    feed = the_feed(alone=alone)
    token = st.context.cookies.get(COOKIE)

    def key() -> str | None:
        return SESSIONS.key_of(token) or ((os.environ.get(KEY_VARIABLE) or None) if alone else None)

    ahead = Ahead(lambda path, params, given: feed.ask(path, params, key=given))
    ahead.start("/api/tenants", {}, key())  # most readers may see them
    reader = _reader(ahead, key(), alone)
    if isinstance(reader, Reader):
        page(_bar(feed, ahead, key, reader, palette))
    else:
        _instead(reader, feed)


def _reader(ahead: Ahead, key: str | None, alone: bool) -> Reader | Problem:
    found = ahead.start("/api/whoami", {}, key).result()
    if found.problem is not None:
        return found.problem
    who = found.value
    reader = Reader(who["role"], who["tenant"], who["name"], who["needs_key"])
    if not reader.needs_key and not alone:
        return Problem("refused", "open")
    return reader


def _instead(problem: Problem, feed: Feed) -> None:
    if problem.trouble == "unauthenticated":
        st.html(form_markup(_here()))
        return
    if problem.trouble == "forbidden":
        components.empty("Your key may not look", problem.message, "llmops keys create NAME --role viewer", bad=True)
        st.html(sign_out_markup("Take another key:"))
    elif problem.message == "open":
        components.empty(
            "This dashboard can be reached from elsewhere, and the gateway has no keys yet",
            "Whoever found it would be the administrator, so it shows nothing. Make a key, or bind it to 127.0.0.1.",
            "llmops keys create NAME --role admin",
            bad=True,
        )
    else:
        unavailable = problem.trouble == "unavailable"
        components.empty(
            "The gateway's database does not answer" if unavailable else f"No gateway answers at {feed.gateway.url}",
            "This page goes on by itself as soon as there is something to show."
            + (f" {problem.message}." if unavailable or "; " in problem.message else "")
            + ("" if unavailable else " Start it, or name another address with LLMOPS_GATEWAY_URL."),
            "llmops doctor" if unavailable else "llmops serve",
            bad=True,
        )
    st.fragment(_look_again, run_every=_RETRY_S)()


def _look_again() -> None:
    """The second time, and every time after, the page begins anew."""
    if st.session_state.pop("llmops-waiting", False):
        st.rerun(scope="app")
    st.session_state["llmops-waiting"] = True


def _bar(feed: Feed, ahead: Ahead, key: Callable[[], str | None], reader: Reader, palette: Palette) -> View:
    zone = zone_now()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="lab-bar"):
        window = picker(zone)
        tenant = _tenant(ahead, key, reader)
        is_live = address.switch("Live", "live", default=True, shared=True)
    if reader.needs_key:
        who = f"{reader.name} · {reader.role}" + (f" of {reader.tenant}" if reader.tenant else "")
        with st.sidebar:
            st.html(sign_out_markup(who))
    return View(feed, key, reader, window, tenant, zone, palette, is_live, ahead)


def _tenant(ahead: Ahead, key: Callable[[], str | None], reader: Reader) -> str:
    """An administrator of several tenants narrows the pages to one; everybody else sees their own as it is."""
    if reader.tenant is not None:
        return _OF_ALL
    found = ahead.start("/api/tenants", {}, key()).result()
    names = [each["id"] for each in found.value] if found.problem is None else []
    wanted = address.read("tenant", shared=True)
    if len(names) < 2 and not wanted:
        return _OF_ALL
    return address.select(
        "Tenant",
        "tenant",
        [_OF_ALL, *dict.fromkeys([*names, *([wanted] if wanted else [])])],
        shared=True,
        format_func=_shown,
        label_visibility="collapsed",
        width=190,
    )


def _shown(tenant: str) -> Any:
    return words.plain(tenant, 40) if tenant else "All tenants"


def _here() -> str:
    """The address of this page, to come back to."""
    from urllib.parse import urlsplit

    parts = urlsplit(st.context.url or "/")
    query = "&".join(f"{name}={value}" for name, value in _encoded().items())
    return (parts.path or "/") + (f"?{query}" if query else "")


def _encoded() -> dict[str, str]:
    from urllib.parse import quote

    return {quote(name): quote(value) for name, value in st.query_params.to_dict().items()}
