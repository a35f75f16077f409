"""What a month will have cost: the days of the month so far, the forecast of the others, and days out of the ordinary.

The same for the control plane and the shell. Days and months are UTC, as those of usage and budgets. A day is unusual
when it cost far more than the month before it: a modified z-score above `_UNUSUAL` (Iglewicz and Hoaglin 1993) that
is also half as much again as the median; the day under way counts with what it has cost until now.
"""

import calendar
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any

import msgspec

from ..forecast import CONFIDENCE, HISTORY_DAYS, LEAST_DAYS, Amount, forecast
from ..rule import usd
from .repository.sums import UsageFilter, UsageRepository

_DAY_S = 86_400
_BEFORE = 28
_UNUSUAL = 5.0
_TO_SIGMA = 0.6745
_LEAST_BEFORE = 5


def outlook(sums: UsageRepository, wanted: UsageFilter, now_s: float) -> dict[str, Any]:
    """The month of ``now_s``, of whose calls ``wanted`` says; its days are not looked at."""
    now = datetime.fromtimestamp(now_s, UTC)
    today, begin = now.date(), now.date().replace(day=1)
    end = today.replace(day=calendar.monthrange(today.year, today.month)[1])
    oldest = min(begin, today - timedelta(days=HISTORY_DAYS)) - timedelta(days=_BEFORE)
    found = sums.sums(["day"], msgspec.structs.replace(wanted, first=oldest, last=today))
    by_day = {date.fromisoformat(str(day)): used.nanousd for (day,), used in found.items()}
    first = min((day for day in by_day if day < today), default=today)
    past = [by_day.get(first + timedelta(days=number), 0) for number in range((today - first).days)]
    passed = now_s % _DAY_S / _DAY_S
    ahead = forecast(
        past, first.weekday(), (end - today).days + 1, today=by_day.get(today, 0), passed=passed
    )  # money of today is part of the month so far, and of the forecast's first day
    earlier = sum(by_day.get(begin + timedelta(days=number), 0) for number in range((today - begin).days))
    spent = earlier + by_day.get(today, 0)
    return {
        "month": f"{begin:%Y-%m}",
        "as_of": now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "spent_usd": _usd(spent),
        "spent_nanousd": spent,
        "confidence": CONFIDENCE,
        "days_known": len(past),
        "days_needed": LEAST_DAYS,
        "forecast": None if ahead is None else _amount(ahead.total, earlier),
        "days": [
            {"day": day.isoformat(), "nanousd": by_day.get(day, 0)}
            for day in (begin + timedelta(days=number) for number in range((today - begin).days + 1))
        ],
        "ahead": []
        if ahead is None
        else [
            {"day": (today + timedelta(days=number)).isoformat(), **_amount(each, earlier)}
            for number, each in enumerate(ahead.by_day)
        ],
        "unusual": [
            {"day": day.isoformat(), "nanousd": spent_then, "usual_nanousd": usual}
            for day, spent_then, usual in _unusual([*past, by_day.get(today, 0)], first)
        ],
    }


def _amount(amount: Amount, earlier: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("expected", "low", "high"):
        nanousd = earlier + getattr(amount, name)
        found |= {f"{name}_usd": _usd(nanousd), f"{name}_nanousd": nanousd}
    return found


def _unusual(course: Sequence[int], first: date) -> list[tuple[date, int, int]]:
    found = []
    for number, spent in enumerate(course):
        before = course[max(0, number - _BEFORE) : number]
        if len(before) < _LEAST_BEFORE:
            continue
        middle = median(before)
        apart = median(abs(each - middle) for each in before)
        if spent > 1.5 * middle and spent - middle > _UNUSUAL * max(apart / _TO_SIGMA, 0.1 * middle, 1.0):
            found.append((first + timedelta(days=number), spent, round(middle)))
    return found


def _usd(nanousd: int) -> str:
    return usd(nanousd).replace("$", "")
