"""Shedding: which signs count, who is refused first, and that an overloaded server comes to rest at its capacity."""

import random
from collections import Counter
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.resilience.overload import Overload, Sign
from llmops.resilience.rules import OverloadRules
from llmops.types import Priority

STEP_S = 0.02
PRIORITIES: tuple[Priority, ...] = get_args(Priority)
RULES = OverloadRules(max_lag_s=0.01, patience_s=0.3)


def sampled(overload: Overload, seconds: float, lag_s: float, calls: int, memory: float = 0.0) -> None:
    """As many calls come of each priority; ``calls`` are under way all the time."""
    for _ in range(round(seconds / STEP_S)):
        for priority in PRIORITIES:
            overload.refuses(priority, calls)
        overload.sample(overload.sampled_s + STEP_S, lag_s, calls, memory)


def answers(overload: Overload, calls: int) -> dict[Priority, Sign | None]:
    return {priority: overload.refuses(priority, calls) for priority in PRIORITIES}


def test_a_short_lag_is_nothing() -> None:
    overload = Overload(RULES, 0.0)
    for _ in range(10):
        sampled(overload, 0.04, 0.1, 1000)
        sampled(overload, 0.5, 0.0, 1000)
    overload.sample(overload.sampled_s + 2.0, 2.0, 1000)
    assert overload.view.limit is None and set(answers(overload, 10_000).values()) == {None}


def test_a_lasting_lag_limits_the_calls_under_way_the_lowest_first() -> None:
    overload = Overload(RULES, 0.0)
    sampled(overload, 0.4, 0.03, 1000)
    limit = overload.view.limit
    assert limit is not None and 300 < limit < 1000
    assert answers(overload, limit + 1) == {"low": "lag", "normal": "lag", "high": None}
    assert answers(overload, limit) == {"low": "lag", "normal": None, "high": None}
    assert set(answers(overload, int(limit * 0.8) - 1).values()) == {None}


def test_it_is_cut_again_when_few_enough_are_under_way_or_after_half_a_second() -> None:
    overload = Overload(RULES, 0.0)
    sampled(overload, 0.5, 0.03, 1000)
    first = overload.view.limit or 0
    sampled(overload, 0.2, 0.03, 1000)
    assert overload.view.limit == first, "what is under way has yet to end; more of the same would prove nothing"
    sampled(overload, 0.2, 0.03, first)
    second = overload.view.limit or 0
    assert second < 0.5 * first
    sampled(overload, 0.6, 0.03, 1000)
    assert (overload.view.limit or 0) < 0.5 * second


def test_what_is_under_way_without_a_lag_is_not_too_much() -> None:
    overload = Overload(RULES, 0.0)
    sampled(overload, 3.0, 0.03, 1000)
    assert (overload.view.limit or 0) < 100
    sampled(overload, 0.4, 0.0, 600)
    assert (overload.view.limit or 0) >= 600


def test_a_lag_with_few_calls_under_way_is_not_their_doing() -> None:
    overload = Overload(RULES, 0.0)
    sampled(overload, 10.0, 0.1, 20)
    assert overload.view.limit == 32 and set(answers(overload, 20).values()) == {None}


def test_high_priority_is_refused_when_sparing_it_has_not_helped_for_long() -> None:
    overload = Overload(RULES, 0.0)
    sampled(overload, 5.0, 0.03, 1000)
    assert overload.refuses("high", 1000) is None
    sampled(overload, 1.0, 0.03, 1000)
    assert overload.refuses("high", 1000) == "lag"


def test_where_everybody_is_of_high_priority_nobody_is_spared() -> None:
    overload = Overload(RULES, 0.0)
    for _ in range(60):
        overload.refuses("high", 1000)
        overload.sample(overload.sampled_s + STEP_S, 0.03, 1000)
    assert overload.refuses("high", 1000) == "lag"


def test_nothing_is_refused_as_soon_as_the_load_is_gone_and_the_limit_is_lifted() -> None:
    overload = Overload(RULES, 0.0)
    sampled(overload, 0.4, 0.03, 1000)
    assert set(answers(overload, 250).values()) == {None}
    sampled(overload, 1.0, 0.0, 250)
    assert overload.view.limit is None


def test_the_limit_grows_while_it_binds_and_does_no_harm() -> None:
    overload = Overload(RULES, 0.0)
    sampled(overload, 1.0, 0.03, 1000)
    sampled(overload, 1.0, 0.008, 1000)
    before = overload.view.limit or 0
    sampled(overload, 1.0, 0.008, before)
    assert 1.4 * before < (overload.view.limit or 0) < 1.6 * before


def test_memory_refuses_low_priority_then_normal_with_hysteresis() -> None:
    overload = Overload(RULES, 0.0)
    seen = []
    for share in (0.84, 0.86, 0.82, 0.93, 0.89, 0.86, 0.79):
        overload.sample(0.1, 0.0, 5, share)
        seen.append([priority for priority in PRIORITIES if overload.refuses(priority, 0) == "memory"])
        assert list(overload.view.memory_refuses) == seen[-1]
    assert seen == [[], ["low"], ["low"], ["low", "normal"], ["low", "normal"], ["low"], []]


def test_the_last_fifth_of_all_places_is_for_high_priority() -> None:
    overload = Overload(OverloadRules(max_calls=100), 0.0)
    assert overload.refuses("normal", 79) is None
    assert overload.refuses("normal", 80) == "calls" and overload.refuses("high", 80) is None
    assert overload.refuses("high", 100) == "calls"


def test_the_refused_do_not_come_back_together() -> None:
    overload = Overload(RULES, 0.0)
    assert (overload.retry_after_s(0.0), overload.retry_after_s(0.5)) == (1.0, 2.0)


@given(
    st.lists(
        st.tuples(st.floats(0, 3), st.floats(0, 5), st.integers(0, 5000), st.floats(0, 1), st.sampled_from(PRIORITIES)),
        max_size=200,
    )
)
def test_whatever_happens_a_higher_priority_is_never_worse_off(
    samples: list[tuple[float, float, int, float, Priority]],
) -> None:
    overload, now_s = Overload(OverloadRules(max_calls=4000, max_lag_s=0.01, patience_s=0.3), 0.0), 0.0
    for step_s, lag_s, calls, memory, arriving in samples:
        overload.refuses(arriving, calls)
        now_s += step_s
        overload.sample(now_s, lag_s, calls, memory)
        refused = [overload.refuses(priority, calls) is not None for priority in PRIORITIES]
        assert refused == sorted(refused, reverse=True)
        assert overload.view.limit is None or overload.view.limit >= 32
        if calls < 25 and not overload.view.memory_refuses:
            assert refused == [False] * 3


@pytest.mark.parametrize("times", [1.5, 3.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_server_with_too_much_to_do_keeps_its_goodput(times: float, seed: int) -> None:
    """Calls of 50 ms upstream and 1 ms of work, done in turns of the loop over all that are ready; the lag is half a
    turn. A tenth of the calls is of high priority; a quarter of a second is in time."""
    luck = random.Random(seed)
    overload, now_s, sampled_s = Overload(RULES, 0.0), 0.0, 0.0
    waiting: list[tuple[float, float]] = []
    good, came, refused = 0, Counter[Priority](), Counter[Priority]()
    next_s = 0.0
    while now_s < 15.0:
        ready = [call for call in waiting if call[1] <= now_s]
        waiting = [call for call in waiting if call[1] > now_s]
        turn_s = max(len(ready) * 0.001, 0.001)
        if now_s >= 3.0:
            good += sum(now_s + turn_s - began_s <= 0.25 for began_s, _ in ready)
        now_s += turn_s
        while next_s < now_s:
            priority: Priority = luck.choices(PRIORITIES, (3, 6, 1))[0]
            came[priority] += 1
            if overload.refuses(priority, len(waiting)):
                refused[priority] += 1
            else:
                waiting.append((next_s, next_s + 0.05))
            next_s += luck.expovariate(times * 1000)
        if now_s - sampled_s >= STEP_S:
            sampled_s = now_s
            overload.sample(now_s, turn_s / 2, len(waiting))
    assert good / 12_000 >= 0.85
    assert refused["high"] <= 0.001 * came["high"]
