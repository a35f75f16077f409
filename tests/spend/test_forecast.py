"""Forecasts of spend: the interval holds what it promises, and says so where it knows little."""

import random
from collections.abc import Callable

import pytest

from llmops.spend.forecast import LEAST_DAYS, forecast

USD = 1_000_000_000
WEEK = (1.0, 1.1, 1.05, 1.0, 0.9, 0.3, 0.25)


def weekly(luck: random.Random, days: int) -> list[int]:
    """Office hours: quiet weekends, each day a fifth off."""
    return [round(20 * USD * WEEK[day % 7] * luck.lognormvariate(0, 0.2)) for day in range(days)]


def wandering(luck: random.Random, days: int) -> list[int]:
    """A level that drifts by some per cent a day."""
    level, found = 5.0, []
    for _ in range(days):
        level *= luck.lognormvariate(0, 0.03)
        found.append(round(level * USD * luck.lognormvariate(0, 0.25)))
    return found


def bursts(luck: random.Random, days: int) -> list[int]:
    """Small change, and every tenth day or so a batch job."""
    return [round(USD * luck.uniform(0.5, 1.5) * (6 if luck.random() < 0.1 else 1)) for _ in range(days)]


@pytest.mark.parametrize("kind", [weekly, wandering, bursts])
@pytest.mark.parametrize("known", [5, 21, 60])
def test_nine_months_in_ten_end_within_the_interval(
    kind: Callable[[random.Random, int], list[int]], known: int
) -> None:
    held, rounds, horizon = 0, 80, 14
    for number in range(rounds):
        course = kind(random.Random(number), known + horizon)
        found = forecast(course[:known], 0, horizon)
        assert found is not None
        held += found.total.low <= sum(course[known:]) <= found.total.high
    assert held / rounds >= 0.8, f"{held} of {rounds}"


def test_weekdays_count() -> None:
    """On a Friday evening the weekend ahead is cheap."""
    course = weekly(random.Random(3), 54)  # ends on a Friday
    found = forecast(course, 0, 3)
    assert found is not None
    saturday, sunday, monday = (each.expected for each in found.by_day)
    assert saturday < 10 * USD and sunday - saturday < 10 * USD and monday - sunday > 14 * USD


def test_few_days_give_a_wide_interval_and_fewer_none() -> None:
    steady = [10 * USD] * 70
    few, many = forecast(steady[:4], 0, 20), forecast(steady, 0, 20)
    assert few is not None and many is not None
    assert few.total.high - few.total.low > 5 * (many.total.high - many.total.low)
    assert many.total.expected == pytest.approx(200 * USD, rel=0.01)
    assert forecast(steady[: LEAST_DAYS - 1], 0, 20) is None


def test_what_is_spent_today_counts_and_the_rest_of_the_day_is_expected() -> None:
    found = forecast([10 * USD] * 30, 0, 1, today=40 * USD, passed=0.75)
    assert found is not None
    assert found.total.expected == pytest.approx(42.5 * USD, rel=0.02)
    assert found.total.low >= 40 * USD


def test_nothing_spent_is_nothing_expected() -> None:
    found = forecast([0] * 30, 2, 10)
    assert found is not None and found.total.expected == found.total.low == found.total.high == 0


def test_it_says_the_same_twice_and_widens_with_time() -> None:
    course = wandering(random.Random(9), 40)
    found = forecast(course, 3, 20)
    assert found == forecast(course, 3, 20) and found is not None
    widths = [each.high - each.low for each in found.by_day]
    assert widths[0] < widths[9] < widths[19]


def test_only_the_last_weeks_count() -> None:
    """A weekday stays the same however much history is cut off."""
    course = weekly(random.Random(5), 7 * 30 + 3)
    whole, cut = forecast(course, 0, 7), forecast(course[-70:], 0, 7)
    assert whole is not None and cut is not None
    first = (7 * 30 + 3 - 70) % 7
    assert whole == forecast(course[-70:], first, 7)
