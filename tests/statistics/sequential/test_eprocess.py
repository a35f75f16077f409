"""The beta-binomial e-process: golden values, the running form, changing shares, and its level while it is watched."""

import math
import random
import statistics

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.statistics.sequential.eprocess import ShareProcess, e_value

THRESHOLD = math.log(20)


@pytest.mark.parametrize(
    ("rho", "canary", "n", "expected"),
    [(0.3, 0, 0, 1), (0.1, 3, 5, 2.7750), (0.1, 5, 20, 1.5337), (0.1, 8, 20, 35.354), (0.5, 60, 100, 1.8657)],
)
def test_golden(rho: float, canary: int, n: int, expected: float) -> None:
    assert e_value(canary, n, rho) == pytest.approx(expected, rel=5e-5)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.booleans(), max_size=60), st.sampled_from([0.01, 0.1, 0.5]), st.randoms())
def test_the_running_form_is_the_closed_one_whatever_the_order(
    events: list[bool], rho: float, shuffler: random.Random
) -> None:
    process = ShareProcess(rho=rho)
    shuffler.shuffle(events)
    for event in events:
        process.observe(event)
    assert process.log_e == pytest.approx(math.log(e_value(sum(events), len(events), rho)), abs=1e-8)
    assert process.log_excess <= process.log_e - process._log_prior_above + 1e-9
    assert process.may_exceed(process.log_excess - 1e-9)


@pytest.mark.parametrize("n", [2, 3, 6])
@pytest.mark.parametrize("true", [0.3, 0.1])
def test_the_expectation_is_at_most_one(n: int, true: float) -> None:
    """Exactly one under the null; the one-sided form stays below when the canary is truly better."""
    one_sided = two_sided = 0.0
    for canary in range(n + 1):
        process = ShareProcess(rho=0.3)
        for index in range(n):
            process.observe(index < canary)
        weight = math.comb(n, canary) * true**canary * (1 - true) ** (n - canary)
        two_sided += weight * math.exp(process.log_e)
        one_sided += weight * math.exp(process.log_excess)
    if true == 0.3:
        assert (one_sided, two_sided) == (pytest.approx(1), pytest.approx(1))
    else:
        assert one_sided < 1 < two_sided


def test_evidence_is_carried_over_steps_of_the_rollout() -> None:
    first, second, both = ShareProcess(rho=0.1), ShareProcess(rho=0.5), ShareProcess(rho=0.1)
    for event in (True, True, False):
        first.observe(event)
        both.observe(event)
    both.change_share(0.5)
    for event in (True, False, True):
        second.observe(event)
        both.observe(event)
    assert both.log_e == pytest.approx(first.log_e + second.log_e)
    assert both.log_excess == pytest.approx(first.log_excess + second.log_excess)
    before = both.log_e
    both.change_share(0.5)
    assert both.log_e == before and both.n == 3


def test_a_restart_changes_nothing() -> None:
    process = ShareProcess(rho=0.1)
    for event in (True, False, True):
        process.observe(event)
    assert msgspec.json.decode(msgspec.json.encode(process), type=ShareProcess) == process


def requests_until(rho: float, stable: float, canary: float, limit: int, rng: random.Random) -> int | None:
    """Requests until rollback. Only errors matter, so the requests between them are one geometric draw."""
    process, request = ShareProcess(rho=rho), 0
    rate = rho * canary + (1 - rho) * stable
    while (request := request + 1 + int(math.log(1 - rng.random()) / math.log1p(-rate))) <= limit:
        process.observe(rng.random() < rho * canary / rate)
        if process.may_exceed(THRESHOLD) and process.log_excess >= THRESHOLD:
            return request
    return None


@pytest.mark.parametrize("rho", [0.05, 0.1, 0.5])
def test_watching_a_healthy_canary_all_the_time_rolls_back_five_in_a_hundred_at_most(rho: float) -> None:
    rng = random.Random(1)
    stopped = [requests_until(rho, 0.02, 0.02, 20_000, rng) is not None for _ in range(300)]
    assert statistics.fmean(stopped) <= 0.05


def test_three_times_the_errors_are_found_within_two_thousand_requests() -> None:
    rng = random.Random(2)
    found = [requests_until(0.1, 0.02, 0.06, 10**6, rng) or 10**6 for _ in range(200)]
    assert statistics.median(found) <= 2_000


def test_a_broken_split_is_seen_and_a_good_one_is_not() -> None:
    rng = random.Random(3)
    good, broken = ShareProcess(rho=0.5), ShareProcess(rho=0.5)
    for _ in range(10_000):
        good.observe(rng.random() < 0.5)
        broken.observe(rng.random() < 0.46)
    assert good.log_e < THRESHOLD < broken.log_e


@pytest.mark.parametrize("rho", [0, 1, math.nan])
def test_a_share_is_between_nothing_and_all(rho: float) -> None:
    with pytest.raises(ValueError, match="rho is"):
        ShareProcess(rho=rho)
    with pytest.raises(ValueError, match="rho is"):
        e_value(1, 2, rho)
    with pytest.raises(ValueError, match="k is 0"):
        ShareProcess(rho=0.5, k=0)
