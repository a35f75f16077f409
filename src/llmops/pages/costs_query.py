"""What the costs page is narrowed to, as it stands in the address, and the one way to ask for its figures.

Two routes know money. ``/api/overview`` and ``/api/series`` count by minutes, by tenant, model and release;
``/api/usage`` counts whole days (UTC), by keys, users and tags as well. The first is asked wherever it can tell, so
that the figures are those of the window and equal the overview's; what neither can tell is said in words.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import streamlit as st

from ..viewing import address, components
from ..viewing.source import Answer
from ..viewing.view import View

KINDS = ("tenant", "key", "model", "user", "release", "tag", "day")
FILTERS = ("key", "model", "user", "release", "tag")
"""Beside the tenant and the window, which all pages share. A tag is ``name=value``."""
_NEXT = {"tenant": "model", "key": "model", "model": "user", "user": "model", "release": "model", "tag": "model"}
_EXACT = frozenset({"tenant", "model", "release", "day"})
ROWS = 25
"""Of a breakdown on the page; its CSV has all."""
_SUMS = ("nanousd", "calls", "unpriced_calls", "tokens", "saved_nanousd")
ALL = 100_000
_DAY_S = 86_400
_HOURLY_S, _SHORT_S = 3 * _DAY_S, 7200
Row = Mapping[str, Any]
Source = Literal["window", "days"]


class Narrowed(NamedTuple):
    """Whose money it is; "" where not narrowed."""

    tenant: str
    key: str
    model: str
    user: str
    release: str
    tag: str

    @property
    def chosen(self) -> dict[str, str]:
        """In the order in which the reader narrowed: that of the address."""
        given = self._asdict()
        order = [name for name in st.query_params if name in given] if st.query_params else []
        names = [*order, *(name for name in given if name not in order)]
        return {name: given[name] for name in names if given[name]}

    def source(self, by: str) -> Source:
        """Which route can tell these apart."""
        whole_days = by not in _EXACT or self.key or self.user or self.tag
        mixed = by == "tenant" and not self.tenant and self.model
        return "days" if whole_days or mixed else "window"

    def cannot(self, by: str) -> str:
        """Why nobody can tell; "" where somebody can."""
        if self.release and (self.source(by) == "days" or (by == "tenant" and not self.tenant)):
            return "Calls of a release are summed up by model and day alone."
        return ""

    def params(self, by: str) -> dict[str, str]:
        """Filters as that route takes them."""
        names = ("tenant", "model", "release") if self.source(by) == "window" else ("tenant", "key", "model", "user")
        found = {name: getattr(self, name) for name in names}
        if self.source(by) == "days" and self.tag:
            found["tag"] = self.tag
        return {name: value for name, value in found.items() if value}


def narrowed(view: View) -> Narrowed:
    """What the address says."""
    given = {name: address.read(name) for name in FILTERS}
    if "=" not in given["tag"]:
        given["tag"] = ""
    return Narrowed(view.tenant or view.reader.tenant or "", **given)


class Head(NamedTuple):
    """What the page begins with: all sums, those of the window before (None where not known), those of each step."""

    totals: Row
    before: Row | None
    steps: Sequence[Row]


def head(view: View, to: Narrowed, by: str, tag: str) -> Answer:
    """As a `Head`. What takes longer is asked for beside it: the sums of days are known long before those of users."""
    if to.source(by) == "window":
        view.expect("/api/series", **_steps_asked(view, to, by))
        found, drawn = breakdown(view, to, by, tag), course(view, to, by, tag, ())
        if found.problem is not None:
            return found
        steps = drawn.value.whole if drawn.value else ()
        return Answer(Head(found.value["totals"], found.value["before"], steps))
    view.expect("/api/usage", **_days_asked(view, to, by, tag, ROWS))
    found = view.ask("/api/usage", **_days_asked(view, to, "day", "", None))
    if found.problem is not None:
        return found
    return Answer(Head(found.value["totals"], None, _by_day(found.value["rows"], _moments(view))))


def breakdown(view: View, to: Narrowed, by: str, tag: str = "", *, most: int = ROWS) -> Answer:
    """``rows`` (each with its ``value``; ``most`` of them, of days all), ``totals``, ``before`` (None where not known)
    and what was ``left_out``."""
    dimension = _dimension(by, tag)
    most = ALL if by == "day" else most
    if to.source(by) == "days":
        found = view.ask("/api/usage", **_days_asked(view, to, by, tag, most))
        if found.problem is not None:
            return found
        rows = [{"value": row[dimension], **row} for row in found.value["rows"]]
        return Answer({**found.value, "rows": rows, "before": None})
    asked = {"step": "1d"} if by == "day" else {"by": dimension}
    found = view.ask("/api/overview", **{**view.window.params, **to.params(by)}, **asked)
    if found.problem is not None:
        return found
    if by == "day":
        series = found.value["series"]["series"]
        rows = [{"value": day_of(point["at"]), **point} for point in (series[0]["points"] if series else ())]
    else:
        rows = [{"value": row[dimension], **row} for row in found.value["rows"]]
        rows.sort(key=lambda row: (-row["nanousd"], -row["calls"]))
    return Answer({**found.value, "rows": rows[:most], "left_out": max(0, len(rows) - most)})


class Course(NamedTuple):
    """Nano-dollars by step; ``of`` by value, the first the dearest, and what is left as ``others``. ``whole``: all
    figures of each step."""

    at: Sequence[float]
    step_s: float
    of: Mapping[str | None, Sequence[int]]
    others: Sequence[int]
    whole: Sequence[Row]


def course(view: View, to: Narrowed, by: str, tag: str, dearest: Sequence[str | None]) -> Answer:
    """Of those values, as a `Course`; of everything where there are none."""
    if to.source(by) == "days":
        return _course_of_days(view, to, by, tag, dearest)
    found = view.ask("/api/series", **_steps_asked(view, to, by))
    if found.problem is not None:
        return found
    at: list[float] = []
    others: list[int] = []
    of: dict[str | None, Sequence[int]] = {}
    whole: list[dict[str, int]] = []
    for line in found.value["series"]:
        whole = _added(whole, line["points"])
        at = [point["at"] for point in line["points"]]
        money = [point["nanousd"] for point in line["points"]]
        if by != "day" and line[by] in dearest:
            of[line[by]] = money
        else:
            others = [one + more for one, more in zip(others, money, strict=True)] if others else money
    return Answer(Course(at, found.value["step_s"], {name: of[name] for name in dearest if name in of}, others, whole))


def _course_of_days(view: View, to: Narrowed, by: str, tag: str, dearest: Sequence[str | None]) -> Answer:
    """Each value asked for by itself: there may be a hundred thousand users, of whom five are drawn."""
    drawn = [value for value in dearest if value is not None and by != "day" and not (by == "tag" and to.tag)]
    asked = [{name.rstrip("_"): value for name, value in _days_asked(view, to, "day", "", None).items()}]
    asked += [{**asked[0], **({"tag": f"{tag}={value}"} if by == "tag" else {by: value})} for value in drawn]
    whole, *parts = view.ask_all([("/api/usage", each) for each in asked])
    if whole.problem is not None:
        return whole
    at = _moments(view)
    others = [row["nanousd"] for row in _by_day(whole.value["rows"], at)]
    all_days = _by_day(whole.value["rows"], at)
    of: dict[str | None, Sequence[int]] = {}
    for value, found in zip(drawn, parts, strict=True):
        if found.problem is not None:
            continue
        of[value] = [row["nanousd"] for row in _by_day(found.value["rows"], at)]
        others = [all_ - part for all_, part in zip(others, of[value], strict=True)]
    return Answer(Course(at, _DAY_S, of, others if any(others) else [], all_days))


def _dimension(by: str, tag: str) -> str:
    return f"tag:{tag}" if by == "tag" else by


def _days_asked(view: View, to: Narrowed, by: str, tag: str, most: int | None) -> dict[str, Any]:
    """Of whole days."""
    return {**to.params("user"), **days(view), "by": _dimension(by, tag), "limit": most}


def _steps_asked(view: View, to: Narrowed, by: str) -> dict[str, Any]:
    """Of the window, step by step."""
    step = "1h" if view.window.length_s <= _HOURLY_S else "1d"
    step = "5m" if view.window.length_s <= _SHORT_S else step
    return {**view.window.params, **to.params(by), **({} if by == "day" else {"by": by}), "step": step}


def _moments(view: View) -> list[int]:
    """Of the days that the window touches."""
    first, last = (datetime.fromisoformat(f"{day}T00:00:00+00:00") for day in days(view).values())
    return list(range(int(first.timestamp()), int(last.timestamp()) + 1, _DAY_S))


def _by_day(rows: Sequence[Row], at: Sequence[int]) -> list[dict[str, int]]:
    found = {row["day"]: row for row in rows}
    return [{name: found.get(day_of(each), {}).get(name, 0) for name in _SUMS} for each in at]


def _added(sums: list[dict[str, int]], points: Sequence[Row]) -> list[dict[str, int]]:
    sums = sums or [dict.fromkeys(_SUMS, 0) for _ in points]
    return [{name: one[name] + point[name] for name in _SUMS} for one, point in zip(sums, points, strict=True)]


def day_of(at_s: float) -> str:
    """UTC, as money is counted."""
    return datetime.fromtimestamp(at_s, UTC).date().isoformat()


def days(view: View) -> dict[str, str]:
    """The whole days that the window touches."""
    first_s, last_s = view.window.bounds(view.now_s)
    return {"from_": day_of(first_s), "to": day_of(last_s - 1)}


def said(view: View, to: Narrowed, by: str) -> str:
    """The time that the figures are of."""
    if to.source(by) == "window":
        return view.window.said(view.zone)
    first, last = days(view).values()
    return f"whole days, UTC: {first}" + (f" to {last}" if last != first else "")


def here(**changes: str) -> str:
    """This page with other parameters, the rest of the address kept; "" takes one out."""
    given = {name: value for name, value in st.query_params.to_dict().items() if name not in changes}
    return components.link("costs", **{**given, **changes})


def narrower(by: str, value: str, tag: str) -> str:
    """Where a row leads to: the same page, narrowed to it, told apart by what one asks next."""
    if by == "day":
        begin = int(datetime.fromisoformat(f"{value}T00:00:00+00:00").timestamp())
        return here(window="own", **{"from": str(begin), "to": str(begin + _DAY_S)}, by="model")
    return here(**{by: f"{tag}={value}" if by == "tag" else value}, by=_NEXT[by])
