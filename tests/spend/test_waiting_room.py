"""The waiting room's decisions: bounds, turns, priorities and lanes, over real counters and a manual clock."""

import copy
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from llmops.clock import ManualClock
from llmops.spend.waiting_room import Waiter, WaitingRoom, waited_for
from llmops.store.counters.counters import Hold, Refused
from llmops.store.counters.local import LocalCounters
from llmops.store.counters.meter import Concurrency, Meter, Quota, Rate, Unit, rate_per_minute, rate_per_second

HIGH, NORMAL, LOW = 0, 1, 2
MAX_WAIT_S = 10.0
SLACK_S = 1e-4
"""Counters count whole microseconds; the room waits no shorter than it was told."""


def requests(name: str, per_second: float) -> Rate:
    count, period_us, burst = rate_per_second(per_second)
    return Rate(name=name, rule=name, unit=Unit.REQUESTS, count=count, period_us=period_us, burst=burst)


def tokens(name: str, per_minute: int) -> Rate:
    count, period_us, burst = rate_per_minute(per_minute)
    return Rate(name=name, rule=name, unit=Unit.TOKENS, count=count, period_us=period_us, burst=burst)


def places(name: str, limit: int) -> Concurrency:
    return Concurrency(name=name, rule=name, limit=limit)


class Caller(Waiter, kw_only=True, eq=False):
    name: str
    needs: tuple[Meter, ...]
    tokens: int = 0


class House:
    """A waiting room and its counters, with the usher's part played by the plainest code that can."""

    def __init__(self, max_waiting: int = 100, *, later: bool = False) -> None:
        self.clock = ManualClock()
        self.counters = LocalCounters(self.clock.now_s, self.clock.monotonic_s)
        self.room: WaitingRoom[Caller] = WaitingRoom(MAX_WAIT_S, max_waiting)
        self.later = later
        self.asked: list[Caller] = []
        self.holds: dict[str, Hold] = {}
        self.ends: dict[str, str] = {}
        self.order: list[str] = []
        self.came = 0

    @property
    def now_s(self) -> float:
        return self.clock.monotonic_s()

    def come(self, tenant: str, *needs: Meter, rank: int = NORMAL, size: int = 0, name: str = "") -> Caller:
        self.came += 1
        name = name or f"{tenant}{self.came}"
        caller = Caller(tenant=tenant, rank=rank, meters=waited_for(needs), name=name, needs=needs, tokens=size)
        verdict: Hold | Refused | None = None
        if not self.room.bars(tenant, needs):
            assert not any(_same_lane(caller, other) for other in self.room.waiters), "overtakes its lane"
            verdict = self.reserve(caller)
        if isinstance(verdict, Hold):
            self.end(caller, "admitted", verdict)
            return caller
        retry_s = self.retry_s(verdict) if verdict is not None else float("inf")
        for gone in self.room.enter(caller, self.now_s, verdict, retry_s):
            self.end(gone, "shed")
        self.look()
        return caller

    def look(self) -> None:
        for _ in range(100):
            for caller in self.room.turns(self.now_s):
                if self.later:
                    self.room.ask(caller)
                    self.asked.append(caller)
                else:
                    self.decide(caller)
            for caller in self.room.overdue(self.now_s):
                assert self.room.leave(caller)
                self.end(caller, "timed out")
            if self.room.wake_s() > self.now_s:
                return
        raise AssertionError("the room is never done")

    def decide(self, caller: Caller) -> None:
        verdict = self.reserve(caller)
        if isinstance(verdict, Refused):
            if caller in self.room.waiters:
                self.room.refuse(caller, verdict, self.retry_s(verdict), self.now_s)
        elif caller in self.room.waiters:
            before = [other for other in self.room.waiters if _same_lane(caller, other) and _precedes(other, caller)]
            assert before == [] or self.later, "overtakes in its lane"
            self.room.admit(caller)
            self.end(caller, "admitted", verdict)
        else:
            self.counters.settle(verdict, 0, 0)
            self.room.free(verdict.meters)

    def answer(self, index: int = 0) -> None:
        self.decide(self.asked.pop(index))
        self.look()

    def settle(self, name: str, used: int = 0) -> None:
        hold = self.holds.pop(name)
        self.counters.settle(hold, used, 0)
        self.room.free(hold.meters)
        self.look()

    def leave(self, caller: Caller) -> None:
        assert self.room.leave(caller)
        self.end(caller, "cancelled")
        self.look()

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.look()

    def reserve(self, caller: Caller) -> Hold | Refused:
        return self.counters.reserve(caller.name, caller.needs, (1, caller.tokens, 0))

    def retry_s(self, refused: Refused) -> float:
        return self.now_s + refused.wait_s if refused.wait_s is not None else float("inf")

    def fits(self, caller: Caller) -> bool:
        return isinstance(copy.deepcopy(self.counters).reserve("?", caller.needs, (1, caller.tokens, 0)), Hold)

    def end(self, caller: Caller, how: str, hold: Hold | None = None) -> None:
        assert caller.name not in self.ends, f"{caller.name} ends as {self.ends[caller.name]} and as {how}"
        self.ends[caller.name] = how
        if hold is not None:
            self.holds[caller.name] = hold
            self.order.append(caller.name)

    def waiting(self) -> list[str]:
        return [caller.name for caller in self.room.waiters]


def _same_lane(one: Waiter, other: Waiter) -> bool:
    return one is not other and (one.tenant, one.meters) == (other.tenant, other.meters)


def _precedes(one: Waiter, other: Waiter) -> bool:
    return (one.rank, one.number) < (other.rank, other.number)


# --- turns ------------------------------------------------------------------------------------------------------


@given(st.permutations(["a"] * 6 + ["b"] * 6 + ["c"] * 3), st.sampled_from([0, 1, 2, 4]))
def test_tenants_with_a_backlog_are_served_in_turns(arrivals: Sequence[str], at_once: int) -> None:
    """Whatever the order of arrival, whether they share places or (``at_once`` of it free at a time) a rate."""
    house = House()
    house.room.max_wait_s = 1000.0
    shared: Meter = requests("shared", 4) if at_once else places("shared", 1)
    for _ in range(4 if at_once else 1):
        house.come("z", shared)
    begun = len(house.order)
    for number, tenant in enumerate(arrivals):
        house.come(tenant, shared, name=f"{tenant}{number}")
    while len(house.room):
        if at_once:
            house.advance(at_once / 4 + SLACK_S)
        else:
            house.settle(house.order[-1])
    served = "".join(name[0] for name in house.order[begun:])
    assert sorted(served) == sorted(arrivals)
    for turn in range(0, 9, 3):
        assert sorted(served[turn : turn + 3]) == ["a", "b", "c"], served
    for turn in range(9, 15, 2):
        assert sorted(served[turn : turn + 2]) == ["a", "b"], served


@given(st.lists(st.sampled_from([HIGH, NORMAL, LOW]), min_size=1, max_size=20))
def test_within_a_lane_priority_counts_and_then_the_order_of_arrival(ranks: list[int]) -> None:
    house = House()
    house.come("a", places("shared", 1), name="first")
    for number, rank in enumerate(ranks):
        house.come("a", places("shared", 1), rank=rank, name=f"{number:02d}")
    for _ in ranks:
        house.settle(house.order[-1])
    assert house.order[1:] == [f"{number:02d}" for _, number in sorted((rank, n) for n, rank in enumerate(ranks))]


def test_who_waits_for_a_limit_of_its_own_holds_up_nobody_else() -> None:
    house = House()
    shared = places("shared", 10)
    for key in ("k1", "k2", "k3"):
        house.come("a", shared, requests(key, 1), name=f"{key} first")
    house.come("a", shared, requests("k1", 1), name="k1 second")
    house.come("b", shared, name="b")
    house.come("a", shared, requests("k4", 1), name="k4 first")
    assert house.waiting() == ["k1 second"]
    assert house.order[-2:] == ["b", "k4 first"]
    house.advance(1.0)
    assert house.order[-1] == "k1 second"


def test_a_large_call_is_not_starved_by_small_ones_of_others() -> None:
    house = House()
    shared = tokens("shared", 600)  # ten a second
    house.come("a", shared, size=600, name="fills it")
    house.come("a", shared, size=80, name="large")
    for number in range(20):
        house.come("b", shared, size=10, name=f"small {number}")
        house.advance(0.4)
    assert house.ends["large"] == "admitted"
    assert house.order[:2] == ["fills it", "large"]


def test_a_new_call_may_not_pass_one_that_waits_for_the_same_rate_but_may_when_that_has_gone() -> None:
    house = House()
    shared = tokens("shared", 600)
    house.come("a", shared, size=590)
    large = house.come("a", shared, size=50, name="large")
    house.come("b", shared, size=5, name="small")
    assert house.waiting() == ["large", "small"]
    house.leave(large)
    assert house.waiting() == [], "whom it held up is looked at at once"
    assert house.ends["small"] == "admitted"


def test_tokens_given_back_let_a_waiter_in_before_its_time() -> None:
    house = House()
    shared = tokens("shared", 600)
    house.come("a", shared, size=600, name="first")
    house.come("a", shared, size=100, name="second")
    house.settle("first", used=100)
    assert house.ends["second"] == "admitted"


def test_a_place_that_is_freed_while_its_waiter_stands_behind_another_is_not_forgotten() -> None:
    house = House()
    own, shared = places("b places", 1), tokens("shared", 600)
    other = places("a places", 1)
    for name, needs in (("a first", (other,)), ("b first", (own,))):
        house.come(name[0], *needs, name=name)
    house.come("a", other, name="a waits, so that its tenant comes first")
    house.come("b", own, shared, size=10, name="b waits for its place")
    house.come("c", shared, size=600, name="takes all tokens")
    large = house.come("a", shared, size=60, name="a claims the tokens")
    house.settle("b first")
    assert "b waits for its place" in house.waiting()
    house.advance(3.0)
    house.leave(large)
    assert house.ends["b waits for its place"] == "admitted"


def test_who_was_overtaken_by_priority_is_asked_anew() -> None:
    house = House()
    lane = (places("places", 1), tokens("tokens", 600))
    house.come("b", tokens("tokens", 600), size=500, name="takes tokens")
    house.come("a", places("places", 1), name="takes the place")
    house.come("a", *lane, size=50, name="normal")
    urgent = house.come("a", *lane, size=400, rank=HIGH, name="urgent")
    house.settle("takes the place")
    assert house.waiting() == ["normal", "urgent"], "for tokens now"
    house.leave(urgent)
    assert house.ends["normal"] == "admitted"


def test_who_was_asked_for_elsewhere_in_vain_is_asked_for_again() -> None:
    house = House(later=True)
    place, budget = places("place", 1), tokens("tokens", 600)
    house.come("a", place, name="first")
    house.come("a", place, budget, size=60, name="second")
    house.settle("first")
    assert [caller.name for caller in house.asked] == ["second"]
    house.come("b", budget, size=600, name="takes the tokens meanwhile")
    house.answer()
    assert house.asked == []
    house.advance(6.0)
    house.answer()
    assert house.ends["second"] == "admitted"


# --- bounds -----------------------------------------------------------------------------------------------------


def test_when_it_is_full_the_least_urgent_goes() -> None:
    """The lowest priority; of its tenants the one with most waiters; of those the newest."""
    house = House(max_waiting=5)
    shared = places("shared", 1)
    house.come("z", shared)
    for name, rank in (("a1", NORMAL), ("a2", LOW), ("a3", LOW), ("a4", NORMAL), ("b1", LOW)):
        house.come(name[0], shared, rank=rank, name=name)
    gone = []
    for name, rank in (("b2", NORMAL), ("b3", HIGH), ("b4", LOW), ("c1", NORMAL), ("b5", NORMAL), ("b6", HIGH)):
        before = set(house.waiting()) | {name}
        house.come(name[0], shared, rank=rank, name=name)
        gone += sorted(before - set(house.waiting()))
    assert gone == ["a3", "b1", "b4", "a2", "b5", "b2"]
    assert len(house.room) == 5


def test_nobody_waits_longer_than_the_bound_also_when_that_is_lowered() -> None:
    house = House()
    house.come("a", places("shared", 1))
    house.come("a", places("shared", 1), name="late")
    house.advance(MAX_WAIT_S - 0.1)
    assert house.waiting() == ["late"]
    assert house.room.wake_s() == MAX_WAIT_S
    house.room.max_wait_s = 3.0
    house.look()
    assert house.ends["late"] == "timed out"
    assert house.room.wake_s() == float("inf")


def test_what_is_known_of_a_wait_is_kept_for_who_is_sent_away() -> None:
    house = House(max_waiting=1)
    shared = requests("shared", 0.5)
    for name in ("first", "second"):
        house.come("a", shared, name=name)
    third = house.come("a", shared, name="third")
    assert house.ends["third"] == "shed"
    assert third.last is not None
    assert third.last[0].wait_s == pytest.approx(2.0)


def test_shadows_and_quotas_are_nothing_to_wait_for() -> None:
    shadow = Rate(name="s", rule="s", unit=Unit.REQUESTS, count=1, period_us=1, burst=1, shadow=True)
    quota = Quota(name="q", rule="q", unit=Unit.TOKENS, limit=1, window="day")
    assert waited_for([shadow, quota, places("p", 1), requests("r", 1)]) == ("p", "r")


# --- everything at once -----------------------------------------------------------------------------------------

NEEDS: dict[str, tuple[Meter, ...]] = {
    "places": (places("all", 2),),
    "places and a rate": (requests("everybody", 2), places("all", 2)),
    "tokens": (tokens("tokens", 600),),
    "tokens and places": (places("all", 2), tokens("tokens", 600)),
    "own rate": (requests("own", 1),),
    "own rate and places": (requests("own", 1), places("all", 2)),
    "own places and tokens": (places("own", 1), tokens("tokens", 600)),
}


def needs_of(tenant: str, kind: str) -> tuple[Meter, ...]:
    """With the tenant's own meters where they are called so."""
    named: list[Any] = []
    for meter in NEEDS[kind]:
        if meter.name == "own":
            named.append(requests(f"{tenant} rate", 1) if isinstance(meter, Rate) else places(f"{tenant} places", 1))
        else:
            named.append(meter)
    return tuple(named)


class Days(RuleBasedStateMachine):
    """Any sequence of arrivals, ends, departures and passing time; counters here, or elsewhere and late to answer."""

    house: House
    callers: list[Caller]

    @initialize(later=st.booleans(), max_waiting=st.integers(1, 8))
    def open(self, later: bool, max_waiting: int) -> None:
        self.house, self.callers = House(max_waiting, later=later), []

    @rule(
        tenant=st.sampled_from("abc"),
        kind=st.sampled_from(sorted(NEEDS)),
        rank=st.sampled_from([HIGH, NORMAL, LOW]),
        size=st.sampled_from([10, 200, 600]),
    )
    def come(self, tenant: str, kind: str, rank: int, size: int) -> None:
        self.callers.append(self.house.come(tenant, *needs_of(tenant, kind), rank=rank, size=size))

    @precondition(lambda self: self.house.holds)
    @rule(data=st.data(), used=st.integers(0, 700))
    def settle(self, data: st.DataObject, used: int) -> None:
        self.house.settle(data.draw(st.sampled_from(sorted(self.house.holds))), used)

    @precondition(lambda self: len(self.house.room))
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        self.house.leave(data.draw(st.sampled_from(self.house.room.waiters)))

    @precondition(lambda self: self.house.asked)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        self.house.answer(data.draw(st.integers(0, len(self.house.asked) - 1)))

    @rule(seconds=st.sampled_from([0.01, 0.3, 1.0, 5.0]))
    def advance(self, seconds: float) -> None:
        self.house.advance(seconds)

    @rule()
    def wake(self) -> None:
        """The timer goes off just when it was set to."""
        wake_s = self.house.room.wake_s()
        if wake_s < float("inf"):
            self.house.advance(max(0.0, wake_s - self.house.now_s))

    @invariant()
    def the_bound_holds(self) -> None:
        assert len(self.house.room) <= self.house.room.max_waiting

    @invariant()
    def everybody_waits_or_has_ended_once(self) -> None:
        waiting = set(self.house.waiting())
        for caller in self.callers:
            assert (caller.name in waiting) != (caller.name in self.house.ends)

    @invariant()
    def nobody_waits_who_could_go(self) -> None:
        """Who would fit stands behind a claim, and whoever made that claim does not fit yet."""
        house = self.house
        if house.asked:
            return
        for caller in house.room.waiters:
            if not house.fits(caller):
                continue
            ahead = [
                other
                for other in house.room.waiters
                if other.refused is not None and other.refused.meter.name in caller.meters
            ]
            assert ahead, f"{caller.name} waits for nothing"
            assert any(not house.fits(other) or 0 < other.retry_s - house.now_s < SLACK_S for other in ahead)

    @invariant()
    def in_each_lane_one_is_asked_for_at_a_time(self) -> None:
        lanes = [(caller.tenant, caller.meters) for caller in self.house.asked if caller in self.house.room.waiters]
        assert len(lanes) == len(set(lanes))

    def teardown(self) -> None:
        """Everybody gets an outcome, and nothing is left of them."""
        if not hasattr(self, "house"):
            return
        house = self.house
        for _ in range(1000):
            if house.asked:
                house.answer()
            elif house.holds:
                house.settle(next(iter(house.holds)))
            elif len(house.room):
                house.advance(max(SLACK_S, house.room.wake_s() - house.now_s))
            else:
                break
        assert set(house.ends) == {caller.name for caller in self.callers}
        assert (len(house.room), house.room.lanes, house.room.wake_s()) == (0, 0, float("inf"))
        assert not any(house.room.bars(tenant, needs_of(tenant, kind)) for tenant in "abc" for kind in NEEDS)


Days.TestCase.settings = settings(
    max_examples=60, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
TestDays = Days.TestCase
