"""Admission: all limits or none, at once where counters are this process's own, later where they are not."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from llmops.errors import BudgetExceeded, LimitReached, StoreUnavailable
from llmops.spend.admission import Admission
from llmops.spend.estimate import Estimator
from llmops.store.counters.counters import Hold, Refused
from llmops.store.counters.meter import Amounts, Meter, Quota, Unit
from llmops.types import Allowance, Headroom
from tests.spend.till import PRICED, Till, a_call, answer, rules

TOKENS = Quota(name="limit:tokens\x1ftokens/day", rule="tokens", unit=Unit.TOKENS, limit=1, window="day")
LIMITS = [{"tokens_per_day": 450, "name": "tokens"}, {"concurrent_calls": 3, "name": "three"}]


def test_without_limits_every_call_is_let_in_and_none_has_headroom(tmp_path: Path) -> None:
    till = Till(tmp_path)
    assert [till.admit(a_call(number)).headroom for number in range(100)] == [None] * 100


def test_a_refused_call_takes_nothing_from_any_limit(tmp_path: Path) -> None:
    """The last of the limits refuses: those before it, already looked at, are as they were."""
    till = Till(tmp_path, rules({"requests_per_second": 5, "name": "rate"}, *LIMITS))
    till.admit(a_call(1))
    till.admit(a_call(2))
    for number in range(3, 20):
        with pytest.raises(LimitReached, match="'tokens'"):
            till.admit(a_call(number))
    assert (till.used(TOKENS), till.ledger.open) == ([400], 2)
    small = till.admit(a_call(20, body=b"x" * 40, max_tokens=0))
    assert small.headroom == Headroom(requests=Allowance(5, 2, 0.6)), "refused calls did not count as requests"


def test_places_come_back_when_calls_end(tmp_path: Path) -> None:
    till = Till(tmp_path, rules(*LIMITS[1:]))
    calls = [till.admit(a_call(number)) for number in range(3)]
    with pytest.raises(LimitReached, match="'three' of 3 concurrent calls"):
        till.admit(a_call(9))
    till.end(calls[0], reply=answer(1, 1))
    till.admit(a_call(4))
    with pytest.raises(LimitReached):
        till.admit(a_call(9))


def test_a_budget_is_held_for_all_that_is_under_way(tmp_path: Path) -> None:
    till = Till(tmp_path, rules(budgets=[{"usd": "0.000150", "name": "b"}]))  # two calls of 75,000 nano-dollars
    calls = [till.admit(a_call(number)) for number in range(2)]
    with pytest.raises(BudgetExceeded, match=r"\$0\.00015 spent or reserved this month, up to \$0\.000075 needed"):
        till.admit(a_call(3))
    till.end(calls[0], reply=answer(10, 20))
    till.admit(a_call(4, max_tokens=50))
    with pytest.raises(BudgetExceeded):
        till.admit(a_call(5))


def test_a_new_day_opens_a_quota_and_a_call_is_settled_on_the_day_it_began(tmp_path: Path) -> None:
    till = Till(tmp_path, rules(*LIMITS[:1]))
    yesterday = [till.admit(a_call(number)) for number in range(2)]
    till.clock.advance(86400)
    assert till.used(TOKENS) == [0]
    till.end(yesterday[0], reply=answer(100, 5000))
    assert till.used(TOKENS) == [0]
    assert till.admit(a_call(3)) and till.admit(a_call(4))


class Elsewhere:
    """Counters that answer later, or not at all."""

    def __init__(self, till: Till, *, lost: bool = False) -> None:
        self.till = till
        self.lost = lost
        self.answered = asyncio.Event()

    async def reserve(self, request_id: str, meters: Sequence[Meter], amounts: Amounts) -> Hold | Refused:
        await self.answered.wait()
        if self.lost:
            raise StoreUnavailable("the counters do not answer")
        return self.till.counters.reserve(request_id, meters, amounts)


def elsewhere(till: Till, **options: bool) -> tuple[Admission, Elsewhere]:
    counters = Elsewhere(till, **options)
    estimator = Estimator(till.ledger.prices, till.lengths)
    return Admission(till.rules, estimator, counters, till.ledger, till.clock), counters


async def test_counters_that_answer_later(tmp_path: Path) -> None:
    till = Till(tmp_path, rules(*LIMITS))
    admission, counters = elsewhere(till)
    waiting = [admission.admit(a_call(number), [PRICED]) for number in range(4)]
    assert till.ledger.open == 0
    counters.answered.set()
    outcomes = await asyncio.gather(*[each for each in waiting if each is not None], return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None)] * 2 + [LimitReached] * 2
    assert till.ledger.open == 2


async def test_a_call_whose_caller_leaves_while_counters_are_asked_is_not_entered(tmp_path: Path) -> None:
    till = Till(tmp_path, rules(*LIMITS))
    admission, counters = elsewhere(till)
    waiting = admission.admit(a_call(), [PRICED])
    assert waiting is not None
    task = asyncio.ensure_future(waiting)
    await asyncio.sleep(0)
    task.cancel()
    counters.answered.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (till.ledger.open, till.used(TOKENS)) == (0, [0])


async def test_counters_that_cannot_be_asked(tmp_path: Path) -> None:
    till = Till(tmp_path, rules(*LIMITS))
    admission, counters = elsewhere(till, lost=True)
    waiting = admission.admit(a_call(), [PRICED])
    assert waiting is not None
    counters.answered.set()
    with pytest.raises(StoreUnavailable):
        await waiting
    assert till.ledger.open == 0


async def test_a_reservation_that_cannot_be_written_gives_back_what_was_taken_elsewhere(tmp_path: Path) -> None:
    till = Till(tmp_path, rules(*LIMITS), room_bytes=2**62, when_unwritable="refuse")
    admission, counters = elsewhere(till)
    counters.answered.set()
    for number in range(5):
        waiting = admission.admit(a_call(number), [PRICED])
        assert waiting is not None
        with pytest.raises(StoreUnavailable, match="could not be accounted for"):
            await waiting
    assert till.used(TOKENS) == [0]
