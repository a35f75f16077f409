"""Burn rates and budgets: the textbook's numbers, the guards, and what must hold for all counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.monitoring.slo.budget import budget_of
from llmops.monitoring.slo.burn import BURN_ALERTS, WINDOWS_S, Allowance, BurnAlert, Events, burn_rate, firing

THREE_NINES = Allowance(bad_ratio=0.001, minimum_events=100, minimum_bad_events=5)
NOTHING = dict.fromkeys(WINDOWS_S, Events())
MONTH_S = 30 * 86_400


@pytest.mark.parametrize(("alert", "share"), [*zip(BURN_ALERTS, (0.02, 0.05, 0.1, 0.1), strict=True)])
def test_each_alert_fires_at_its_share_of_a_month(alert: BurnAlert, share: float) -> None:
    """2 % in an hour, 5 % in six, 10 % in one day and in three, as the Site Reliability Workbook recommends."""
    assert alert.rate * WINDOWS_S[alert.long] / MONTH_S == pytest.approx(share)
    assert WINDOWS_S[alert.long] / WINDOWS_S[alert.short] == 12


def test_a_rate_of_one_uses_exactly_the_budget() -> None:
    assert burn_rate(Events(good=999, bad=1), THREE_NINES, 3600) == pytest.approx(1.0)
    assert burn_rate(Events(), THREE_NINES, 3600) is None
    assert burn_rate(Events(cost_nanousd=10**9), Allowance(usd_per_s=0.01), 100) == pytest.approx(1.0)


def test_both_windows_have_to_burn() -> None:
    burning, well = Events(good=900, bad=100), Events(good=1000)
    assert [each.long for each in firing({**NOTHING, "1h": burning, "5m": burning}, THREE_NINES)] == ["1h"]
    assert firing({**NOTHING, "1h": burning, "5m": well}, THREE_NINES) == [], "it is over"
    assert firing({**NOTHING, "1h": well, "5m": burning}, THREE_NINES) == [], "it is too short to matter"


@pytest.mark.parametrize(("events", "fires"), [((95, 5), True), ((94, 5), False), ((996, 4), False)])
def test_few_events_or_few_bad_ones_are_no_alert(events: tuple[int, int], fires: bool) -> None:
    allowance = Allowance(bad_ratio=0.0001, minimum_events=100, minimum_bad_events=5)
    found = Events(good=events[0], bad=events[1])
    assert bool(firing({**NOTHING, "1h": found, "5m": found}, allowance)) is fires


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 10**6))
def test_more_bad_events_never_end_an_alert(good: int, bad: int, more: int) -> None:
    def of(events: Events) -> int:
        return len(firing(dict.fromkeys(WINDOWS_S, events), THREE_NINES))

    assert of(Events(good=good, bad=bad + more)) >= of(Events(good=good, bad=bad))


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_budget_is_overdrawn_exactly_when_the_promise_is_broken(good: int, bad: int) -> None:
    budget = budget_of(Events(good=good, bad=bad), Events(), THREE_NINES, MONTH_S, 3600)
    assert (budget.left < -1e-9) <= (bad > 0.001 * (good + bad) - 1e-6)
    assert (budget.left > 1e-9) <= (bad < 0.001 * (good + bad) + 1e-6 or good + bad == 0)


def test_a_budget_lasts_as_long_as_the_last_hour_says() -> None:
    events, recent = Events(good=99_950, bad=50), Events(good=998, bad=2)
    budget = budget_of(events, recent, THREE_NINES, MONTH_S, 3600)
    assert (budget.allowed, budget.used) == (pytest.approx(100), 50)
    assert budget.exhausted_in_s == pytest.approx(0.5 * MONTH_S / 2)
    assert budget_of(events, Events(good=1000), THREE_NINES, MONTH_S, 3600).exhausted_in_s is None
    assert budget_of(Events(good=10, bad=1), recent, THREE_NINES, MONTH_S, 3600).exhausted_in_s == 0
    money = budget_of(Events(cost_nanousd=10**9), Events(), Allowance(usd_per_s=0.1), 100, 10)
    assert (money.allowed, money.used, money.left) == (10, 1, pytest.approx(0.9))
