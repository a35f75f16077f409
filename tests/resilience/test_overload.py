"""Shedding: which signs count, who is refused first, and that an overloaded server comes to rest at its capacity."""

import random
from collections import Counter

import pytest

from llmops.resilience.overload import Overload
from llmops.resilience.rules import OverloadRules
from llmops.types import Priority

STEP_S = 0.1
LUCK = random.Random(5)
PRIORITIES: tuple[Priority, ...] = ("low", "normal", "high")


def sampled(overload: Overload, from_s: float, seconds: float, lag_s: float, memory: float = 0.0) -> float:
    now_s = from_s
    for _ in range(round(seconds / STEP_S)):
        for priority in PRIORITIES:  # as many of each
            for _ in range(5):
                overload.refuses(priority, 0, 0.999999)
        now_s += STEP_S
        overload.sample(now_s, lag_s, memory)
    return now_s


def test_a_short_lag_is_nothing() -> None:
    overload = Overload(OverloadRules(), 0.0)
    now_s = 0.0
    for _ in range(10):
        now_s = sampled(overload, now_s, 0.9, 0.3)
        now_s = sampled(overload, now_s, 0.1, 0.0)
    assert overload.view.low == 0.0


def test_a_lasting_lag_refuses_the_lowest_first_and_then_more() -> None:
    overload = Overload(OverloadRules(), 0.0)
    now_s = sampled(overload, 0.0, 1.1, 0.06)
    assert 0 < overload.view.low < 1 and overload.view.normal == overload.view.high == 0.0
    now_s = sampled(overload, now_s, 0.3, 0.06)
    assert overload.view.low == 1.0 and 0 < overload.view.normal < 1 and overload.view.high == 0.0
    now_s = sampled(overload, now_s, 3.0, 0.06)
    assert overload.view.normal == pytest.approx(1.0, abs=0.01) and overload.view.high == pytest.approx(0, abs=0.01)
    sampled(overload, now_s, 4.0, 0.06)
    assert overload.view.normal == 1.0 and 0 < overload.view.high < 1, "and at last of everything"


def test_where_everybody_is_of_high_priority_nobody_is_spared() -> None:
    overload, now_s = Overload(OverloadRules(), 0.0), 0.0
    for _ in range(20):
        for _ in range(20):
            overload.refuses("high", 0, 0.5)
        now_s += STEP_S
        overload.sample(now_s, 0.2)
    assert overload.view.high > 0.5


def test_it_restores_slowly_and_within_five_seconds() -> None:
    overload = Overload(OverloadRules(), 0.0)
    now_s = sampled(overload, 0.0, 5.0, 0.2)
    now_s = sampled(overload, now_s, 1.0, 0.0)
    assert overload.view.normal > 0.0
    sampled(overload, now_s, 4.0, 0.0)
    assert overload.view.low == 0.0 and overload.refuses("low", 0, 0.0) is None


def test_memory_refuses_low_priority_then_normal_with_hysteresis() -> None:
    overload = Overload(OverloadRules(), 0.0)
    seen = []
    for share in (0.84, 0.86, 0.82, 0.93, 0.89, 0.86, 0.79):
        overload.sample(0.1, 0.0, share)
        seen.append([priority for priority in PRIORITIES if overload.refuses(priority, 0, 0.5) == "memory"])
    assert seen == [[], ["low"], ["low"], ["low", "normal"], ["low", "normal"], ["low"], []]


def test_the_last_fifth_of_all_places_is_for_high_priority() -> None:
    overload = Overload(OverloadRules(max_calls=100), 0.0)
    assert overload.refuses("normal", 79, 0.5) is None
    assert overload.refuses("normal", 80, 0.5) == "calls" and overload.refuses("high", 80, 0.5) is None
    assert overload.refuses("high", 100, 0.5) == "calls"


def test_the_refused_do_not_come_back_together() -> None:
    overload = Overload(OverloadRules(), 0.0)
    assert (overload.retry_after_s(0.0), overload.retry_after_s(0.5)) == (1.0, 2.0)


@pytest.mark.parametrize("times", [1.5, 3.0, 6.0])
def test_a_server_with_too_much_to_do_keeps_its_goodput(times: float) -> None:
    """A queue of unit work served at 1,000/s; its wait is the lag. A tenth of the calls is of high priority."""
    overload = Overload(OverloadRules(), 0.0)
    capacity, queue, now_s = 1000 * STEP_S, 0.0, 0.0
    served, refused, lags = 0.0, Counter[Priority](), []
    for step in range(600):
        for _ in range(round(times * capacity)):
            priority = LUCK.choices(PRIORITIES, (3, 6, 1))[0]
            if overload.refuses(priority, 0, LUCK.random()):
                refused[priority] += 1
            else:
                queue += 1
        done = min(queue, capacity)
        queue -= done
        now_s += STEP_S
        overload.sample(now_s, queue / 1000)
        if step >= 100:
            served += done
            lags.append(queue / 1000)
    assert served / (500 * capacity) >= 0.9
    assert sorted(lags)[len(lags) // 2] < 0.5
    if times <= 3:  # beyond, what piles up before anything is refused takes too long to be done
        assert refused["high"] <= 0.001 * 600 * times * capacity * 0.1
