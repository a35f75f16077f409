"""One breaker: when it opens, for how long, how it closes again, and what leaves it alone."""

import time
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.resilience.breaker import Breaker, Change
from llmops.resilience.failure import Failure
from llmops.resilience.rules import BreakerRules

RULES = BreakerRules()
DOWN = Failure(kind="transient", message="no connection")
CUT = Failure(kind="transient", message="cut", committed=True)
REFUSED = Failure(kind="credential", status=401, message="no such key")
FORBIDDEN = Failure(kind="credential", status=403)
MIDDLE = 0.5
"""The luck that adds no jitter."""


def a_breaker() -> Breaker:
    return Breaker(RULES, 0.0)


def fails(breaker: Breaker, now_s: float, failure: Failure = DOWN, times: int = 1) -> Change | None:
    change = None
    for _ in range(times):
        change = breaker.fail(breaker.begin(now_s), failure, now_s, MIDDLE)
    return change


def succeeds(breaker: Breaker, now_s: float, times: int = 1) -> Change | None:
    change = None
    for _ in range(times):
        change = breaker.succeed(breaker.begin(now_s), now_s)
    return change


def test_five_failures_in_a_row_eject() -> None:
    breaker = a_breaker()
    fails(breaker, 1.0, times=4)
    succeeds(breaker, 1.0)
    assert fails(breaker, 1.0, times=4) is None and breaker.is_plain
    assert fails(breaker, 1.0) == "ejected"
    assert breaker.is_out(1.0) and breaker.ready_in_s(1.0) == 30.0 and breaker.ready_in_s(31.0) == 0.0
    assert breaker.view(1.0).state == "open" and breaker.view(1.0).reason == "no connection"


@pytest.mark.parametrize(("calls", "ejected"), [(19, False), (20, True)])
def test_half_of_at_least_twenty_calls_eject(calls: int, ejected: bool) -> None:
    breaker = a_breaker()
    for number in range(calls):
        (fails if number % 2 else succeeds)(breaker, 1.0)
    assert breaker.is_out(1.0) == ejected


def test_what_is_older_than_the_window_is_forgotten() -> None:
    breaker = a_breaker()
    for _ in range(9):
        fails(breaker, 0.0)
        succeeds(breaker, 0.0)
    succeeds(breaker, 31.0, times=2)
    assert breaker.view(31.0).calls == 2
    assert fails(breaker, 31.0) is None and breaker.view(31.0).failures == 1


def test_streams_that_are_cut_after_their_first_content_eject_too() -> None:
    breaker = a_breaker()
    for number in range(20):
        ticket = breaker.begin(number * 0.1)
        breaker.succeed(ticket, number * 0.1)
        change = breaker.fail(ticket, CUT, number * 0.1, MIDDLE)
    assert change == "ejected" and breaker.view(2.0).ejections == 1


def test_three_probes_one_at_a_time_close_it() -> None:
    breaker = a_breaker()
    fails(breaker, 0.0, times=5)
    for number in range(3):
        assert breaker.ready_in_s(30.0) == 0.0 and breaker.view(30.0).state == "half_open"
        probe = breaker.begin(30.0)
        assert breaker.ready_in_s(30.0) > 0 and breaker.is_out(30.0), "its place is taken"
        assert breaker.succeed(probe, 30.0) == ("readmitted" if number == 2 else None)
    assert breaker.is_plain and breaker.view(30.0).state == "closed"


def test_a_failed_probe_ejects_for_longer_up_to_the_cap() -> None:
    breaker, now_s, lengths = a_breaker(), 0.0, []
    fails(breaker, now_s, times=5)
    for _ in range(12):
        lengths.append(breaker.ready_in_s(now_s))
        now_s += lengths[-1] + 0.001
        assert fails(breaker, now_s) == "ejected"
    assert lengths == [pytest.approx(min(30.0 * number, 300.0)) for number in range(1, 13)]


@pytest.mark.parametrize(("luck", "length_s"), [(0.0, 27.0), (0.5, 30.0), (1.0, 33.0)])
def test_ejections_are_jittered(luck: float, length_s: float) -> None:
    breaker = a_breaker()
    for _ in range(5):
        breaker.fail(breaker.begin(0.0), DOWN, 0.0, luck)
    assert breaker.ready_in_s(0.0) == pytest.approx(length_s)


def test_good_health_shortens_the_next_ejection() -> None:
    breaker = a_breaker()
    fails(breaker, 0.0, times=5)
    fails(breaker, 30.0)
    assert breaker.ejections == 2
    succeeds(breaker, 90.0, times=3)
    fails(breaker, 90.0 + 61.0, times=5)
    assert breaker.ejections == 1


def test_answers_from_before_the_ejection_say_nothing() -> None:
    breaker = a_breaker()
    early = [breaker.begin(0.0) for _ in range(10)]
    for ticket in early[:5]:
        breaker.fail(ticket, DOWN, 0.0, MIDDLE)
    for ticket in early[5:8]:
        assert breaker.succeed(ticket, 31.0) is None
    assert breaker.view(31.0).state == "half_open"
    for ticket in early[8:]:
        assert breaker.fail(ticket, DOWN, 31.0, MIDDLE) is None
    assert breaker.ejections == 1


def test_a_probe_that_never_answers_loses_its_place() -> None:
    breaker = a_breaker()
    fails(breaker, 0.0, times=5)
    breaker.begin(30.0)
    assert breaker.ready_in_s(30.0) == 30.0 and breaker.ready_in_s(60.0) == 0.0


def test_a_probe_whose_caller_leaves_gives_its_place_back() -> None:
    breaker = a_breaker()
    fails(breaker, 0.0, times=5)
    breaker.abandon(breaker.begin(30.0))
    assert breaker.ready_in_s(30.0) == 0.0 and breaker.view(30.0).state == "half_open"


def test_offered_for_want_of_anything_else_it_can_close_early_and_is_not_ejected_longer() -> None:
    breaker = a_breaker()
    fails(breaker, 0.0, times=5)
    assert fails(breaker, 5.0, times=50) is None and breaker.ready_in_s(5.0) == 25.0
    assert succeeds(breaker, 6.0, times=3) == "readmitted" and breaker.is_plain


def test_429_is_a_cool_down_and_no_ill_health() -> None:
    breaker = a_breaker()
    fails(breaker, 0.0, Failure(kind="throttled", status=429, retry_after_s=7.0), times=50)
    assert breaker.ready_in_s(0.0) == 7.0 and not breaker.is_out(0.0)
    assert breaker.view(0.0).state == "cooling" and breaker.view(0.0).calls == 0
    assert breaker.ready_in_s(7.0) == 0.0 and breaker.is_plain


def test_without_retry_after_the_cool_down_grows_once_a_round_until_a_success() -> None:
    breaker, now_s, lengths = a_breaker(), 0.0, []
    busy = Failure(kind="throttled", status=429)
    for _ in range(7):
        fails(breaker, now_s, busy, times=10)
        lengths.append(round(breaker.ready_in_s(now_s), 6))
        now_s += lengths[-1] + 0.001
    assert lengths == [1, 2, 4, 8, 16, 30, 30]
    succeeds(breaker, now_s)
    fails(breaker, now_s, busy)
    assert breaker.ready_in_s(now_s) == pytest.approx(1.0)


def test_an_absurd_retry_after_does_not_shut_a_deployment_for_a_day() -> None:
    breaker = a_breaker()
    fails(breaker, 0.0, Failure(kind="throttled", status=429, retry_after_s=86_400.0))
    assert breaker.ready_in_s(0.0) == 300.0


def test_a_refused_credential_is_dead_until_a_probe_succeeds() -> None:
    breaker = a_breaker()
    assert fails(breaker, 0.0, REFUSED) == "dead"
    view = breaker.view(0.0)
    assert (view.state, view.alert, view.wait_s, view.reason) == ("dead", True, 300.0, "no such key")
    assert fails(breaker, 10.0, REFUSED) is None and breaker.ready_in_s(10.0) == 290.0
    assert fails(breaker, 300.0, REFUSED) is None and breaker.ready_in_s(300.0) == 300.0
    assert fails(breaker, 600.0) is None and breaker.view(600.0).alert, "it said nothing about the credential"
    assert breaker.ready_in_s(600.0) == 30.0
    assert succeeds(breaker, 630.0) == "readmitted" and not breaker.view(630.0).alert


def test_403_may_be_about_a_single_request() -> None:
    breaker = a_breaker()
    fails(breaker, 0.0, FORBIDDEN, times=2)
    succeeds(breaker, 0.0)
    assert fails(breaker, 0.0, FORBIDDEN, times=2) is None and breaker.is_plain
    assert fails(breaker, 0.0, FORBIDDEN) == "dead"


@pytest.mark.parametrize("kind", ["impatient", "incapable", "full", "defect", "rejected"])
def test_what_is_not_the_deployments_fault_leaves_it_alone(kind: str) -> None:
    breaker = a_breaker()
    fails(breaker, 0.0, Failure(kind=kind, status=400 if kind == "rejected" else None), times=100)  # type: ignore[arg-type]
    assert breaker.is_plain and breaker.is_good


def test_a_rejection_of_a_probe_shows_that_it_lives() -> None:
    breaker = a_breaker()
    fails(breaker, 0.0, times=5)
    assert fails(breaker, 30.0, Failure(kind="rejected", status=400), times=3) == "readmitted"


def test_a_success_while_closed_costs_less_than_a_microsecond() -> None:
    breaker = a_breaker()
    best_s = 1.0
    for _ in range(15):
        start_s = time.perf_counter()
        for _ in range(2000):
            breaker.succeed(breaker.begin(1.0), 1.0)
        best_s = min(best_s, time.perf_counter() - start_s)
    assert best_s / 2000 < 1e-6


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["pass", "begin", "succeed", "fail", "throttle", "refuse", "abandon"]),
            st.floats(0, 100),
            st.integers(0, 50),
            st.floats(0, 1, exclude_max=True),
        ),
        max_size=80,
    )
)
def test_it_is_always_ready_again_in_bounded_time_and_ready_means_what_it_says(
    steps: list[tuple[str, float, int, float]],
) -> None:
    breaker, now_s = a_breaker(), 0.0
    tickets: list[int] = []
    kinds = {"fail": DOWN, "throttle": Failure(kind="throttled", status=429), "refuse": REFUSED}
    for what, seconds, number, luck in steps:
        if what == "pass":
            now_s += seconds
        elif what == "begin" or not tickets:
            tickets.append(breaker.begin(now_s))
        else:
            ticket = tickets.pop(number % len(tickets))
            if what == "succeed":
                breaker.succeed(ticket, now_s)
            elif what == "abandon":
                breaker.abandon(ticket)
            else:
                breaker.fail(ticket, kinds[what], now_s, luck)
        wait_s = breaker.ready_in_s(now_s)
        assert 0 <= wait_s <= 330.0
        assert deepcopy(breaker).ready_in_s(now_s + wait_s + 1e-6) == 0.0
        assert not breaker.is_plain or (wait_s == 0.0 and not breaker.is_out(now_s))
        breaker.view(now_s)
