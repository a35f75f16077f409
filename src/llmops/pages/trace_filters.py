"""What the list of traces is filtered by. Each filter is a parameter of the address, and one click takes it off."""

import math
from typing import Any, NamedTuple

import streamlit as st

from ..viewing import address, tracing
from ..viewing.components import link

_ORDERS = {"newest": "Newest", "slowest": "Slowest", "dearest": "Dearest"}
_STATES = {"all": "All", "ok": "Fine", "error": "Failed"}
_KEPT = ("window", "from", "to", "tenant", "live")
_NAMES = {
    "q": "said",
    "model": "model",
    "user": "user",
    "session": "session",
    "release": "release",
    "state": "state",
    "status": "status",
    "slower": "slower than ms",
    "dearer": "dearer than $",
}
_OF_LIST = (*_NAMES, "order", "show", "at", *_KEPT)


class Asked(NamedTuple):
    """As ``/api/traces`` takes it; ``wrong`` says which fields hold no number and are left out."""

    order: str
    params: dict[str, Any]
    wrong: list[str]


def bar() -> Asked:
    """The widgets, and what they say now."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="lab-filters"):
        address.choose("Order", "order", list(_ORDERS), "newest", format_func=_ORDERS.__getitem__)
        address.choose("State", "state", list(_STATES), "all", format_func=_STATES.__getitem__)
        address.text("Model", "model", width=170, placeholder="any")
        address.text("User", "user", width=150, placeholder="any")
        address.text("Said in it", "q", width=190, placeholder="captured words", help="Finds texts where capture is on")
        with st.popover("More filters"):
            address.text("Session", "session", placeholder="any")
            address.text("Release", "release", placeholder="any")
            address.text("HTTP status", "status", placeholder="such as 429")
            address.text("Slower than, in milliseconds", "slower", placeholder="such as 2000")
            address.text("Dearer than, in dollars", "dearer", placeholder="such as 0.01")
    active()
    return asked()


def asked() -> Asked:
    """What the address says."""
    wrong: list[str] = []
    state = address.read("state", "all", valid=_STATES.__contains__)
    status, slower, dearer = (_number(name, wrong) for name in ("status", "slower", "dearer"))
    params = {
        "text": address.read("q"),
        "model": address.read("model"),
        "user": address.read("user"),
        "session": address.read("session"),
        "release": address.read("release"),
        "state": "" if state == "all" else state,
        "status": None if status is None else int(status),
        "min_latency_ms": slower,
        "min_cost_nanousd": None if dearer is None else math.ceil(round(dearer * 1e9, 3)),
    }
    order = address.read("order", "newest", valid=_ORDERS.__contains__)
    return Asked(order, {name: value for name, value in params.items() if value not in (None, "")}, wrong)


def active() -> None:
    """The filters that are set, each of them leading to the list without it."""
    given = {name: value for name in _NAMES if (value := address.read(name)) and (name, value) != ("state", "all")}
    chips = [tracing.Chip(_NAMES[name], value, link("traces", **without(name)), "✕") for name, value in given.items()]
    if len(chips) > 1:
        chips.append(tracing.Chip("", "clear all", link("traces", **_here(*_KEPT, "order")), "✕"))
    if chips:
        tracing.chips(chips, "Filters that are set; a click takes one off")


def here() -> dict[str, str]:
    """The list as the address has it, to come back to from one trace."""
    return _here(*_OF_LIST)


def without(name: str) -> dict[str, str]:
    gone = {name, "at", *(["show"] if name == "session" else [])}
    return {each: value for each, value in here().items() if each not in gone}


def kept(**more: str | None) -> dict[str, str]:
    """The window and the tenant, with filters of its own."""
    return {**_here(*_KEPT), **{name: value for name, value in more.items() if value}}


def _here(*names: str) -> dict[str, str]:
    return {name: value for name in names if (value := st.query_params.get(name)) and len(value) <= 400}


def _number(name: str, wrong: list[str]) -> float | None:
    given = address.read(name)
    if not given:
        return None
    try:
        value = float(given.replace(",", "."))
    except ValueError:
        value = -1.0
    most = {"status": 599.0, "slower": 1e12, "dearer": 1e9}[name]
    if (100 if name == "status" else 0) <= value <= most:
        return value
    wrong.append(f"{_NAMES[name]}: {given!r}")
    return None
