"""States on their way between clocks: the way there and back changes nothing, and order stays what it was."""

import math
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.resilience.breaker import Breaker
from llmops.resilience.breaker_state import NEVER_S, TICK_S, BreakerState, join, on_tick
from llmops.resilience.epoch import Epoch, decode, encode, says_nothing
from llmops.resilience.rules import BreakerRules

NOW_S = 1_800_000_000.0
uptimes = st.floats(0, 1e8)
"""Seconds since a machine's start."""
moments = st.floats(NOW_S - 400, NOW_S + 4).map(on_tick)
told = st.builds(
    BreakerState,
    phase=st.sampled_from(["closed", "open", "dead"]),
    changed_s=moments,
    out_until_s=st.just(NEVER_S) | moments,
    ejections=st.integers(0, 30),
    cool_until_s=st.just(NEVER_S) | moments,
    reason=st.text(max_size=200),
)


def an_epoch(uptime_s: float) -> Epoch:
    epoch = Epoch()
    epoch.measure(NOW_S, uptime_s)
    return epoch


@given(told, uptimes)
def test_there_and_back_is_the_same(state: BreakerState, uptime_s: float) -> None:
    epoch = an_epoch(uptime_s)
    wire = encode(state)
    assert decode(wire) == state and encode(decode(wire)) == wire
    assert epoch.outward(epoch.inward(state)) == state


@given(told, told, uptimes)
def test_who_wins_is_the_same_on_every_clock(one: BreakerState, other: BreakerState, uptime_s: float) -> None:
    epoch = an_epoch(uptime_s)
    assert join(epoch.inward(one), epoch.inward(other)) == epoch.inward(join(one, other))


@given(st.lists(told, min_size=1, max_size=3), st.lists(uptimes, min_size=6, max_size=6))
def test_processes_that_hear_in_any_order_by_any_clock_agree(heard: list[BreakerState], uptimes_s: list[float]) -> None:
    ends = []
    for uptime_s, order in zip(uptimes_s, permutations(heard), strict=False):
        epoch, breaker = an_epoch(uptime_s), Breaker(BreakerRules(), uptime_s)
        for state in (*order, order[0]):
            breaker.merge(epoch.inward(state), uptime_s)
        ends.append(epoch.outward(breaker.state))
    assert all(end == ends[0] for end in ends)


@given(st.text(max_size=300) | st.just("\ud800" * 300))
def test_every_reason_can_be_told(reason: str) -> None:
    state = an_epoch(5.0).outward(BreakerState(phase="open", changed_s=1.0, reason=reason))
    assert decode(encode(state)) == state and len(encode(state)) < 4096


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"phase": "ajar"}',
        b'{"changed_s": -1}',
        b'{"changed_s": NaN}',
        b'{"changed_s": 1e999}',
        b'{"changed_s": 1e300}',
        b'{"changed_s": "yesterday"}',
        b'{"out_until_s": null}',
        b'{"ejections": 1e30}',
        b'{"ejections": -1}',
        b'{"ejections": 1.5}',
        b'{"reason": "' + b"x" * 201 + b'"}',
    ],
)
def test_what_is_no_state_is_refused(note: bytes) -> None:
    with pytest.raises(ValueError):
        decode(note)


def test_a_state_without_a_change_says_only_its_cool_down() -> None:
    state = decode(b'{"phase": "dead", "ejections": 9, "cool_until_s": 5, "reason": "?", "new": 1}')
    assert state == BreakerState(cool_until_s=5.0) and state.changed_s == NEVER_S
    assert says_nothing(decode(b"{}")) and not says_nothing(state)


@given(st.floats(0, 4e9))
def test_ticks_are_exact(time_s: float) -> None:
    ticks = on_tick(time_s) / TICK_S
    assert ticks == math.floor(ticks) and 0 <= time_s - on_tick(time_s) < TICK_S


def test_the_distance_is_measured_once_and_again_when_it_is_wrong() -> None:
    epoch, state = an_epoch(100.0), BreakerState(phase="open", changed_s=50.0)
    before = epoch.outward(state)
    assert epoch.measure(NOW_S + 61.5, 160.0) == 0.0 and epoch.outward(state) == before
    assert epoch.measure(NOW_S + 700.0, 200.0) == 600.0
    assert epoch.outward(state).changed_s == before.changed_s + 600.0
