"""What will have been spent by the end of some days to come, with an interval: pure, from the totals of past days.

A level that is smoothed exponentially, times a factor for each weekday; the interval comes from simulated courses that
draw from the model's own past errors (R. J. Hyndman and others, "Forecasting with Exponential Smoothing", 2008, chapter
6: a local level with relative errors). Money is never negative and its swings grow with it, so errors are relative. The
least that does the job: no trend, which on a few weeks of spend promises more than it knows.

Guards: below `LEAST_DAYS` whole days there is no forecast; below two weeks weekdays are not told apart, and below one
the errors are taken for larger than they look (Student's t, and at least `_DOUBT` of the level).

Not covered: what somebody plans to launch, and holidays.
"""

import math
import random
from collections.abc import Sequence
from statistics import fmean

import msgspec

LEAST_DAYS = 3
WEEK = 7
HISTORY_DAYS = 70
"""What is older says nothing about next month."""
CONFIDENCE = 0.9
_WEEKDAYS_FROM = 2 * WEEK
_SHRINK = 1.0
"""Weeks of evidence that a weekday is like any other."""
_ALPHAS = (0.1, 0.15, 0.2, 0.3, 0.5)
_PATHS = 600
_DOUBT = 0.5
_T95 = {3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57}
"""Student's t at 97.5 % by number of days."""
_NORMAL = 1.96


class Amount(msgspec.Struct, frozen=True):
    """Nano-dollars: what is expected, and between what it lies nine times out of ten."""

    expected: int
    low: int
    high: int


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """``by_day``: what will have been spent, today's part included, by the end of today and of each day after it."""

    by_day: tuple[Amount, ...]

    @property
    def total(self) -> Amount:
        return self.by_day[-1]


class _Model(msgspec.Struct, frozen=True):
    level: float
    alpha: float
    weekdays: tuple[float, ...]
    errors: tuple[float, ...]
    doubt: float
    """The standard error of the level, relative."""


def forecast(
    past: Sequence[int], first_weekday: int, days: int, *, today: int = 0, passed: float = 0.0, seed: int = 1
) -> Forecast | None:
    """What ``past`` whole days without a gap lead to over ``days`` days, of which today is the first.

    ``first_weekday``: that of the first past day (Monday is 0). ``today``: spent today already, while the share
    ``passed`` of the day went by. None where there are too few days. The same ``seed`` gives the same answer.
    """
    past = past[-HISTORY_DAYS:] if len(past) > HISTORY_DAYS else past
    first_weekday = (first_weekday + max(0, len(past) - HISTORY_DAYS)) % WEEK
    if len(past) < LEAST_DAYS or days < 1:
        return None
    model = _fitted([float(each) for each in past], first_weekday)
    weekday = (first_weekday + len(past)) % WEEK
    luck = random.Random(seed)
    courses = [_course(model, weekday, days, passed, luck) for _ in range(_PATHS)]
    expected = _expected(model, weekday, days, passed)
    found = []
    for number in range(days):
        ends = sorted(course[number] for course in courses)
        low, high = (ends[round(share * (_PATHS - 1))] for share in ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
        middle = expected[number]
        found.append(Amount(*(today + round(each) for each in (middle, min(low, middle), max(high, middle)))))
    return Forecast(by_day=tuple(found))


def _fitted(past: Sequence[float], first_weekday: int) -> _Model:
    weekdays = _weekdays(past, first_weekday)
    plain = [value / weekdays[(first_weekday + number) % WEEK] for number, value in enumerate(past)]
    floor = 0.1 * fmean(plain) or 1.0
    alpha = 0.3 if len(past) < _WEEKDAYS_FROM else min(_ALPHAS, key=lambda each: _loss(plain, each, floor))
    level, errors = _smoothed(plain, alpha, floor)
    used = 2 + ((WEEK - 1) / 2 if len(past) >= _WEEKDAYS_FROM else 0)
    wider = math.sqrt(len(past) / max(1.0, len(past) - used))
    student = _T95.get(len(past), _NORMAL) / _NORMAL
    middle = fmean(errors)
    spread = tuple((each - middle) * wider * student for each in errors)
    known = min(len(past), (2 - alpha) / alpha)
    doubt = math.sqrt(fmean([each * each for each in spread]) / known)
    if len(past) in _T95:
        doubt = max(doubt, _DOUBT * student / math.sqrt(len(past)))
    return _Model(level, alpha, weekdays, spread, doubt)


def _weekdays(past: Sequence[float], first_weekday: int) -> tuple[float, ...]:
    """What each weekday costs against the mean of its week, drawn to 1 where there are few weeks."""
    if len(past) < _WEEKDAYS_FROM:
        return (1.0,) * WEEK
    ratios: list[list[float]] = [[] for _ in range(WEEK)]
    for number, value in enumerate(past):
        begin = min(max(0, number - WEEK // 2), len(past) - WEEK)
        around = fmean(past[begin : begin + WEEK])
        if around > 0:
            ratios[(first_weekday + number) % WEEK].append(min(value / around, 4.0))  # one spike makes no Tuesday
    factors = [(sum(each) + _SHRINK) / (len(each) + _SHRINK) for each in ratios]
    mean = fmean(factors)
    return tuple(max(each / mean, 0.02) for each in factors)


def _smoothed(plain: Sequence[float], alpha: float, floor: float) -> tuple[float, list[float]]:
    """The level after the last day, and each day's error against the level before it."""
    level, errors = fmean(plain[:WEEK]), []
    for value in plain:
        error = (value - level) / max(level, floor)
        errors.append(error)
        level = max(0.0, level + alpha * (value - level))
    return level, errors


def _loss(plain: Sequence[float], alpha: float, floor: float) -> float:
    return fmean([each * each for each in _smoothed(plain, alpha, floor)[1]])


def _course(model: _Model, weekday: int, days: int, passed: float, luck: random.Random) -> list[float]:
    """One simulated future: what has been spent by the end of each day."""
    level = max(0.0, model.level * (1 + model.doubt * luck.gauss(0, 1)))
    total, ends = 0.0, []
    for number in range(days):
        error = luck.choice(model.errors)
        rest = 1 - passed if number == 0 else 1.0
        total += max(0.0, level * model.weekdays[(weekday + number) % WEEK] * (1 + error)) * rest
        level = max(0.0, level * (1 + model.alpha * error))
        ends.append(total)
    return ends


def _expected(model: _Model, weekday: int, days: int, passed: float) -> list[float]:
    total, ends = 0.0, []
    for number in range(days):
        total += model.level * model.weekdays[(weekday + number) % WEEK] * (1 - passed if number == 0 else 1.0)
        ends.append(total)
    return ends
