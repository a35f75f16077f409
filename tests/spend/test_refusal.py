"""Refusals name the limit, say when to come again, and tell what is left."""

from typing import Any

import pytest

from llmops.errors import BudgetExceeded, LimitReached, LLMOpsError
from llmops.spend.estimate import Estimate
from llmops.spend.refusal import headroom_of, refusal
from llmops.store.counters.counters import Hold, Refused
from llmops.store.counters.meter import Concurrency, Meter, Quota, Rate, Unit
from llmops.types import Allowance, Headroom

NOW_S = 1_700_000_000.0  # 2023-11-14T22:13:20Z, a Tuesday
ESTIMATE = Estimate(100, 50, 1_500_000)


def rate(unit: Unit = Unit.REQUESTS, count: int = 10, **fields: Any) -> Rate:
    return Rate(
        **{"name": "n", "rule": "team", "unit": unit, "count": count, "period_us": 1_000_000, "burst": count, **fields}
    )


def quota(unit: Unit, **fields: Any) -> Quota:
    return Quota(**{"name": "n", "rule": "team", "unit": unit, "limit": 2_000_000, "window": "day", **fields})


def refused(meter: Meter, reading: int = 0, wait_s: float | None = None) -> LLMOpsError:
    return refusal(Refused(meter=meter, reading=reading, wait_s=wait_s), ESTIMATE, NOW_S)


@pytest.mark.parametrize(
    ("meter", "wait_s", "message"),
    [
        (rate(), 0.1, "the limit 'team' of 10 requests per second is reached; try again in 0.1 s"),
        (rate(), 4321.5, "the limit 'team' of 10 requests per second is reached; try again in 4322 s"),
        (
            rate(Unit.TOKENS, 6000, period_us=60_000_000),
            12.34,
            "the limit 'team' of 6000 tokens per minute is reached; try again in 12.3 s",
        ),
        (
            rate(Unit.REQUESTS, 500, period_us=1_000_000_000, burst=1),
            2.0,
            "the limit 'team' of 0.5 requests per second is reached; try again in 2 s",
        ),
        (
            rate(Unit.TOKENS, 60, period_us=60_000_000),
            None,
            "the limit 'team' of 60 tokens per minute can never take this call, which needs about 150 tokens; "
            "shorten it, or lower its max_tokens",
        ),
    ],
)
def test_a_rate(meter: Rate, wait_s: float | None, message: str) -> None:
    error = refused(meter, wait_s=wait_s)
    assert isinstance(error, LimitReached) and (error.status, error.message) == (429, message)
    assert error.retry_after_s == wait_s


def test_a_rate_says_what_is_left_of_it() -> None:
    error = refused(rate(), reading=9_500_000, wait_s=0.05)
    assert isinstance(error, LimitReached) and error.headroom == Headroom(requests=Allowance(10, 0, 0.95))
    error = refused(rate(Unit.TOKENS), reading=4_000_000, wait_s=1)
    assert isinstance(error, LimitReached) and error.headroom == Headroom(tokens=Allowance(10, 6, 0.4))


def test_too_many_at_once() -> None:
    error = refused(Concurrency(name="n", rule="team", limit=4), reading=4)
    assert isinstance(error, LimitReached) and error.retry_after_s == 1.0
    assert error.message == "the limit 'team' of 4 concurrent calls is reached; try again when one has ended"


def test_a_quota_of_tokens() -> None:
    error = refused(quota(Unit.TOKENS), reading=1_999_999, wait_s=6400.0)
    assert isinstance(error, LimitReached) and error.retry_after_s == 6400.0
    assert error.message == (
        "the quota 'team' of 2000000 tokens is used up: 1999999 used today, about 150 needed; "
        "it resets at 2023-11-15T00:00:00Z"
    )


@pytest.mark.parametrize(
    ("window", "when"),
    [
        ("day", "today, up to $0.0015 needed; it resets at 2023-11-15T00:00:00Z"),
        ("week", "this week, up to $0.0015 needed; it resets at 2023-11-20T00:00:00Z"),
        ("month", "this month, up to $0.0015 needed; it resets at 2023-12-01T00:00:00Z"),
        ("total", "in all, up to $0.0015 needed; it does not reset by itself"),
    ],
)
def test_a_budget_says_the_amount_and_when_it_resets(window: Any, when: str) -> None:
    error = refused(quota(Unit.NANOUSD, window=window), reading=1_000_000, wait_s=5.0)
    assert isinstance(error, BudgetExceeded) and (error.status, error.retry_after_s) == (402, None)
    assert error.message == f"the budget 'team' of $0.002 is used up: $0.001 spent or reserved {when}"


def hold(*meters: Meter, readings: list[int]) -> Hold:
    return Hold(request_id="r", meters=meters, amounts=(1, 1, 1), windows=(0, 0, 0, 0), readings=readings)


def test_headroom_is_that_of_the_tightest_rate() -> None:
    meters = (rate(), rate(count=5), rate(Unit.TOKENS, 100), Concurrency(name="c", rule="c", limit=1))
    found = headroom_of(hold(*meters, readings=[1_000_000, 1_000_000, 50_000_000, 1]))
    assert found == Headroom(Allowance(5, 4, 0.2), Allowance(100, 50, 0.5))


def test_shadows_and_quotas_leave_no_headroom() -> None:
    meters = (rate(shadow=True), quota(Unit.TOKENS), quota(Unit.NANOUSD))
    assert headroom_of(hold(*meters, readings=[1, 1, 1])) is None
    assert headroom_of(hold(readings=[])) is None
