"""The balancer: strategies, stickiness, and what is offered when little or nothing is in order."""

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.resilience.balancer import Balancer, Strategy
from llmops.resilience.breaker import Breaker
from llmops.resilience.candidate import Candidate
from llmops.resilience.failure import Failure
from llmops.resilience.latency import PeakEwma
from llmops.resilience.pool import AdaptivePool
from llmops.resilience.rules import BreakerRules, PoolRules

STRATEGIES: list[Strategy] = ["ordered", "weighted", "least_busy", "lowest_latency", "cheapest"]
LUCK = random.Random(3)


def candidate(name: str, **more: Any) -> Candidate:
    return Candidate(name, Breaker(BreakerRules(), 0.0), AdaptivePool(PoolRules(maximum=1000)), **more)


def eject(each: Candidate, now_s: float = 0.0) -> None:
    for _ in range(5):
        each.breaker.fail(each.breaker.begin(now_s), Failure(kind="transient"), now_s, 0.5)


def cool(each: Candidate, seconds: float) -> None:
    each.breaker.fail(each.breaker.begin(0.0), Failure(kind="throttled", status=429, retry_after_s=seconds), 0.0, 0.5)


def fill(each: Candidate) -> None:
    while each.pool.enter():
        pass


def names(balancer: Balancer, now_s: float = 0.0, luck: float = 0.5, session: str | None = None) -> str:
    return "".join(each.name for each in balancer.order(now_s, luck, session))


def shares(balancer: Balancer, calls: int = 4000) -> dict[str, float]:
    firsts = Counter(found.name for _ in range(calls) if (found := balancer.first(0.0, LUCK.random())))
    return {name: count / calls for name, count in firsts.items()}


def test_ordered_means_the_first_that_is_free() -> None:
    a, b, c = map(candidate, "abc")
    balancer = Balancer([a, b, c])
    assert names(balancer) == "abc"
    eject(a)
    assert names(balancer) == "bc" and balancer.first(0.0, 0.5) is b
    fill(b)
    assert names(balancer) == "cb"
    cool(c, 9.0)
    assert names(balancer) == "bc" and balancer.first(0.0, 0.5) is None


def test_weighted_means_shares_for_the_first_and_for_those_after_it() -> None:
    balancer = Balancer([candidate("a", weight=6), candidate("b", weight=3), candidate("c", weight=1)], "weighted")
    assert shares(balancer) == pytest.approx({"a": 0.6, "b": 0.3, "c": 0.1}, abs=0.03)
    seconds = Counter(order[1] for _ in range(8000) if (order := names(balancer, luck=LUCK.random()))[0] == "a")
    assert seconds["b"] / seconds.total() == pytest.approx(0.75, abs=0.03)


def test_least_busy_counts_by_weight_and_leaves_ties_to_chance() -> None:
    a, b = candidate("a", weight=2), candidate("b")
    balancer = Balancer([a, b], "least_busy")
    assert shares(balancer)["b"] == pytest.approx(1 / 3, abs=0.03)
    for _ in range(3):
        a.pool.enter()
    b.pool.enter()
    assert names(balancer) == "ba"
    b.pool.enter()
    assert names(balancer) == "ab"


def test_lowest_latency_weighs_time_with_who_waits_and_tries_what_is_unknown_once_at_a_time() -> None:
    fast, slow, new = candidate("f"), candidate("s"), candidate("n")
    balancer = Balancer([slow, fast, new], "lowest_latency")
    fast.latency.observe(0.2, 0.0)
    slow.latency.observe(0.5, 0.0)
    assert names(balancer) == "nfs"
    new.pool.enter()
    assert names(balancer) == "fsn"
    for _ in range(2):
        fast.pool.enter()
    assert names(balancer) == "sfn"


def test_a_peak_counts_at_once_and_fades() -> None:
    latency = PeakEwma()
    latency.observe(0.1, 0.0)
    latency.observe(3.0, 1.0)
    assert latency.cost_s(1.0) == 3.0
    latency.observe(0.1, 2.0)
    assert 2.0 < latency.cost_s(2.0) < 3.0
    assert latency.cost_s(60.0) < 0.01


def test_cheapest_goes_by_price_and_what_has_none_is_dearest() -> None:
    deployments = [candidate("a"), candidate("b", price=2.0), candidate("c", price=1.0), candidate("d", price=1.0)]
    balancer = Balancer(deployments, "cheapest")
    assert {names(balancer, luck=LUCK.random()) for _ in range(100)} == {"cdba", "dcba"}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_higher_rank_waits_until_no_lower_one_is_to_be_had(strategy: Strategy) -> None:
    a, b, spare = candidate("a", price=5.0), candidate("b", price=5.0), candidate("s", price=0.1, rank=1)
    balancer = Balancer([spare, a, b], strategy)
    for session in (None, "talk"):
        assert names(balancer, session=session)[2] == "s"
    eject(a)
    eject(b)
    assert balancer.first(0.0, 0.5) is spare


@pytest.mark.parametrize("strategy", ["weighted", "least_busy", "lowest_latency"])
def test_sessions_stick_in_shares_and_move_only_when_they_must(strategy: Strategy) -> None:
    deployments = [candidate("a", weight=2), candidate("b"), candidate("c")]
    balancer = Balancer(deployments, strategy)
    sessions = [f"talk {number}" for number in range(2000)]
    before = {session: balancer.first(0.0, LUCK.random(), session) for session in sessions}
    share = Counter(found.name for found in before.values() if found)["a"] / 2000
    assert share == pytest.approx(0.5, abs=0.05)
    eject(deployments[2])
    for session, first in before.items():
        now = balancer.first(0.0, LUCK.random(), session)
        assert now is first if first is not deployments[2] else now in deployments[:2]


def test_sessions_stick_among_the_cheapest_only_and_not_at_all_where_there_is_an_order() -> None:
    dear, one, two = candidate("d", price=9.0), candidate("x", price=1.0), candidate("y", price=1.0)
    cheapest = Balancer([dear, one, two], "cheapest")
    for session in map(str, range(50)):
        assert len({names(cheapest, luck=LUCK.random(), session=session) for _ in range(5)}) == 1
        assert names(cheapest, session=session)[2] == "d"
    assert {names(Balancer([dear, one, two]), session=str(number)) for number in range(50)} == {"dxy"}


def test_ejected_ones_are_left_out_until_more_than_half_are() -> None:
    a, b, c, d = map(candidate, "abcd")
    balancer = Balancer([a, b, c, d])
    eject(b)
    eject(a, 1.0)
    assert names(balancer, 2.0) == "cd"
    eject(c, 2.0)
    assert names(balancer, 2.0) == "dbac", "the healthy first, then the one whose time ends first"


def test_the_last_one_is_never_ejected_in_effect() -> None:
    a, b = map(candidate, "ab")
    balancer = Balancer([a, b])
    eject(b)
    eject(a, 1.0)
    assert balancer.first(2.0, 0.5) is None
    assert [(option.deployment, option.ready_in_s) for option in balancer.options(2.0, 0.5)] == [("b", 0.0), ("a", 0.0)]


@pytest.mark.parametrize(("seconds", "offered"), [(4.0, "b"), (6.0, "ba")])
def test_an_ejected_one_is_offered_where_the_others_cool_down_for_long(seconds: float, offered: str) -> None:
    a, b = map(candidate, "ab")
    eject(a)
    cool(b, seconds)
    assert names(Balancer([a, b])) == offered


def test_one_that_cools_down_is_waited_for_and_not_tried() -> None:
    a, b = map(candidate, "ab")
    cool(a, 5.0)
    cool(b, 3.0)
    options = Balancer([a, b]).options(0.0, 0.5)
    assert [(option.deployment, option.ready_in_s) for option in options] == [("b", 3.0), ("a", 5.0)]


@given(
    strategy=st.sampled_from(STRATEGIES),
    troubles=st.lists(st.sampled_from(["none", "eject", "dead", "cool", "fill", "slow"]), min_size=1, max_size=5),
    ranks=st.lists(st.integers(0, 1), min_size=5, max_size=5),
    luck=st.floats(0, 1, exclude_max=True),
    session=st.none() | st.text(max_size=5),
    now_s=st.floats(0, 400),
)
def test_the_list_is_never_empty_and_begins_with_what_is_free(
    strategy: Strategy, troubles: list[str], ranks: list[int], luck: float, session: str | None, now_s: float
) -> None:
    deployments = []
    for trouble, rank, name in zip(troubles, ranks, "abcde", strict=False):
        each = candidate(name, rank=rank, weight=1 + rank)
        deployments.append(each)
        match trouble:
            case "eject":
                eject(each)
            case "dead":
                each.breaker.fail(each.breaker.begin(0.0), Failure(kind="credential", status=401), 0.0, 0.5)
            case "cool":
                cool(each, 100.0)
            case "fill":
                fill(each)
            case "slow":
                each.latency.observe(9.0, 0.0)
    balancer = Balancer(deployments, strategy)
    order = balancer.order(now_s, luck, session)
    assert order and len(set(order)) == len(order)
    free = [each for each in deployments if each.is_free(now_s)]
    assert set(order[: len(free)]) == set(free)
    assert balancer.first(now_s, luck, session) is (order[0] if free else None)
    assert [option.deployment for option in balancer.options(now_s, luck, session)] == [each.name for each in order]


def test_a_model_without_deployments_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a deployment"):
        Balancer([])
