"""Budgets and their burn: a bullet chart each, with where it would stand if it were spent evenly, when it is used up at
the present pace, and when it begins anew. Windows are calendar windows (UTC), as the gateway counts them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from ..viewing import components, figures
from ..viewing.components import Mood
from ..viewing.gauges import Gauge, gauges
from ..viewing.view import View

_MOST = 12
_TOO_EARLY = 0.01
"""Of a window: before that a pace says nothing."""


class Span(NamedTuple):
    """The calendar window that a budget is in; ``end`` None: it never begins anew."""

    begin: datetime | None
    end: datetime | None

    def passed(self, now: datetime) -> float | None:
        if self.begin is None or self.end is None:
            return None
        return (now - self.begin) / (self.end - self.begin)


def span_of(window: str, now: datetime) -> Span:
    """Weeks begin on Monday."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if window == "day":
        return Span(day, day + timedelta(days=1))
    if window == "week":
        begin = day - timedelta(days=day.weekday())
        return Span(begin, begin + timedelta(days=7))
    if window == "month":
        begin = day.replace(day=1)
        return Span(begin, (begin + timedelta(days=32)).replace(day=1))
    return Span(None, None)


def budgets(view: View) -> None:
    components.heading("Budgets", "the line in a bar is where even spending would be by now")
    found = view.get("/api/budgets")
    if found is None:
        return
    rows = [row for row in found if not view.tenant or _is_about(row, view.tenant)]
    if not rows:
        components.empty(
            "No budget bounds what is spent here" if not found else f"No budget is about {view.tenant}",
            "One for each tenant, refused beyond it:",
            "llmops budgets add --usd 100 --window month --per tenant",
        )
        return
    now = datetime.fromtimestamp(view.now_s, UTC)
    items = [item for row in rows for item in _gauges(view, row, now)]
    items.sort(key=lambda item: -item.share)
    gauges(items[:_MOST], "Budgets")
    if len(items) > _MOST:
        components.heading("", f"and {len(items) - _MOST:,} more that are used less")


def _is_about(row: dict[str, Any], tenant: str) -> bool:
    bound = row["where"].get("tenant") or row["tenant"]
    return bound in (None, tenant)


def _gauges(view: View, row: dict[str, Any], now: datetime) -> list[Gauge]:
    per = row["per"]
    used = row["used"]
    if used is None:
        return [_gauge(view, row, "", None, now)]
    counted = [each for each in used if "used_usd" in each]
    counted = [each for each in counted if not view.tenant or each["of"].get("tenant") in (None, view.tenant)]
    if not counted:
        return [_gauge(view, row, f"per {', '.join(per)}: nobody has spent" if per else "", Decimal(0), now)]
    return [_gauge(view, row, _of(each["of"]), _money(each["used_usd"]), now) for each in counted]


def _of(values: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _gauge(view: View, row: dict[str, Any], of: str, used: Decimal | None, now: datetime) -> Gauge:
    limit = _money(row["usd"])
    span = span_of(row["window"], now)
    share = float(used / limit) if used is not None and limit else 0.0
    passed = span.passed(now)
    mood, state = _state(share, passed, hard=row["hard"], known=used is not None)
    name = row.get("name") or f"{figures.money(int(limit * 10**9))} per {row['window']}"
    where = _of(row["where"])
    bound = "refuses beyond it" if row["hard"] else "only says so"
    window = f"a {row['window']}" if span.end else "in total"
    about = " · ".join((of or where or "all calls", window, bound))
    whole = figures.money(int(limit * 10**9))
    return Gauge(
        name=name,
        of=about,
        amount=figures.NOTHING if used is None else figures.money(int(used * 10**9)),
        beside=f"of {whole} · {figures.share(share)}" if used is not None else "not known now",
        share=share,
        mood=mood,
        state=state,
        mark=passed,
        left=_runs_out(view, share, span, now) if used is not None else "the gateway counts, and is not running",
        right=f"begins anew {_day(view, span.end)}" if span.end else "",
    )


def _state(share: float, passed: float | None, *, hard: bool, known: bool) -> tuple[Mood, str]:
    if not known:
        return "neutral", "not known"
    if share >= 0.999:
        return "bad", "used up"
    if share >= 0.8 or (passed and passed > _TOO_EARLY and share / passed > 1 and share > 0.2):
        return "warn", "runs out"
    return "good", "lasts"


def _runs_out(view: View, share: float, span: Span, now: datetime) -> str:
    """At the pace since the window began."""
    if share >= 1:
        return "nothing is left"
    passed = span.passed(now)
    if share == 0:
        return "nothing spent yet"
    if passed is None or span.begin is None or span.end is None:
        return f"{figures.share(1 - share)} left"
    if passed < _TOO_EARLY:
        return "too early to tell a pace"
    at = span.begin + (now - span.begin) / share
    if at >= span.end:
        return f"at this pace {figures.share(share / passed)} by the end"
    return f"at this pace used up {_day(view, at)}"


def _day(view: View, at: datetime) -> str:
    return f"{at.astimezone(view.zone):%d %b %H:%M}"


def _money(text: Any) -> Decimal:
    try:
        return Decimal(str(text))
    except InvalidOperation:
        return Decimal(0)
