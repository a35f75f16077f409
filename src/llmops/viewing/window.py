"""The window of time that all pages look at, as it stands in the address: ``window=now-24h``, or ``from``, ``to``."""

import re
import time
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

import streamlit as st

from . import address, figures

LENGTHS = {"now-1h": "1 h", "now-6h": "6 h", "now-24h": "24 h", "now-7d": "7 days", "now-30d": "30 days"}
_SECONDS = {"now-1h": 3600, "now-6h": 21_600, "now-24h": 86_400, "now-7d": 604_800, "now-30d": 2_592_000}
DEFAULT = "now-24h"
OWN = "own"
_EPOCH = re.compile(r"^[0-9]{9,11}$")


class Window(NamedTuple):
    """``first`` and ``last`` as the control plane takes them; ``length_s`` about how long that is."""

    first: str
    last: str
    length_s: float

    @property
    def params(self) -> dict[str, str]:
        """For ``/api/overview``, ``/api/series``, ``/api/traces``, ``/api/steps``: ``from`` and ``to``."""
        return {"from": self.first, "to": self.last}

    @property
    def is_moving(self) -> bool:
        return self.last == "now"

    def bounds(self, now_s: float | None = None) -> tuple[float, float]:
        """Both ends in seconds since 1970, for routes that take no words."""
        if not self.is_moving:
            return float(self.first), float(self.last)
        now_s = time.time() if now_s is None else now_s
        return now_s - self.length_s, now_s

    def said(self, zone: tzinfo) -> str:
        if self.is_moving:
            return "the last hour" if self.length_s == 3600 else f"the last {figures.seconds(self.length_s)}"
        return " to ".join(f"{datetime.fromtimestamp(float(end), zone):%d %b %H:%M}" for end in (self.first, self.last))


def zone_now() -> tzinfo:
    """The reader's."""
    try:
        return ZoneInfo(st.context.timezone) if st.context.timezone else UTC
    except (KeyError, ValueError, OSError):
        return UTC


def window_now() -> Window:
    """The window in the address. Its own one needs both ends."""
    name = address.read("window", DEFAULT, valid=_is_known, shared=True)
    if name == OWN:
        first, last = (address.read(each, valid=_is_epoch, shared=True) for each in ("from", "to"))
        if first and last and int(first) < int(last):
            return Window(first, last, int(last) - int(first))
        name = DEFAULT
    return Window(name, "now", _SECONDS[name])


def picker(zone: tzinfo) -> Window:
    """The widgets of the window; what they say now."""
    shown = {**LENGTHS, OWN: "Own"}
    name = address.choose(
        "Window",
        "window",
        list(shown),
        DEFAULT,
        shared=True,
        format_func=shown.__getitem__,
        label_visibility="collapsed",
    )
    if name == OWN:
        _days(zone)
    return window_now()


def _days(zone: tzinfo) -> None:
    """The days of an own window, both of them whole."""
    now = window_now()
    first_s, last_s = now.bounds()
    key = "at-days"
    st.session_state[key] = tuple(datetime.fromtimestamp(at, zone).date() for at in (first_s, last_s - 1))

    def changed() -> None:
        chosen = st.session_state[key]
        if len(chosen) == 2:
            first, last = days(chosen[0], chosen[1], zone)
            address.write("from", str(first), shared=True)
            address.write("to", str(last), shared=True)

    st.date_input("Days", key=key, on_change=changed, format="YYYY-MM-DD", label_visibility="collapsed", width=230)


def _is_known(name: str) -> bool:
    return name in LENGTHS or name == OWN


def _is_epoch(value: str) -> bool:
    return bool(_EPOCH.match(value))


def days(first: date, last: date, zone: tzinfo) -> tuple[int, int]:
    """From the begin of one day to the end of another."""
    begin = datetime(first.year, first.month, first.day, tzinfo=zone)
    end = datetime(last.year, last.month, last.day, tzinfo=zone) + timedelta(days=1)
    return int(begin.timestamp()), int(end.timestamp())
