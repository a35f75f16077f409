"""What one process learns all know, whatever happens to the board and to their clocks; reloads are followed."""

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.resilience.breaker_state import BreakerState
from llmops.resilience.epoch import encode
from llmops.resilience.failure import Failure
from tests.resilience.shared_world import EPOCH_S, Process, World, exchange, models

BUSY = Failure(kind="throttled", status=429, retry_after_s=20.0)
REFUSED = Failure(kind="credential", status=401, message="no such key")


def test_an_ejection_is_known_to_all_and_so_is_the_readmission() -> None:
    world = World()
    one, other = Process(world, 5.0), Process(world, 4_000_000.0)
    exchange(one, other)
    one.fails()
    exchange(one, other, rounds=1)
    assert (other.state(), other.state("b")) == ("open", "closed")
    assert other.breaker().ready_in_s(other.now_s()) == pytest.approx(one.breaker().ready_in_s(one.now_s()))
    world.now_s += 31
    other.succeeds()
    exchange(other, one, rounds=1)
    assert (one.state(), one.breaker().ejections) == ("closed", 1)
    heard = [process.fleet.candidates[0].tally.changes for process in (other, one)]
    assert heard == [{"ejected": 1}, {"readmitted": 1}], "counted as one's own are"


def test_what_was_heard_is_not_said_again() -> None:
    world = World()
    processes = [Process(world, number * 1000.0) for number in range(5)]
    exchange(*processes)
    assert world.writes == 0, "nothing has happened"
    processes[0].fails()
    exchange(*processes)
    assert world.writes == 1 and {process.state() for process in processes} == {"open"}


def test_cool_downs_and_dead_credentials_are_shared() -> None:
    world = World()
    one, other = Process(world), Process(world, 77.0)
    exchange(one, other)
    one.fails(BUSY, times=1)
    one.fails(REFUSED, times=1, name="b")
    exchange(one, other)
    assert (other.state(), other.state("b")) == ("cooling", "dead")
    assert other.fleet.problems(other.now_s()) == ["the deployment 'b' is of no use: no such key"]


def test_another_credential_is_another_breaker() -> None:
    world = World()
    one, other = Process(world), Process(world)
    other.set_out(models("a", "b", fingerprint="2"))
    one.fails()
    exchange(one, other)
    assert other.breaker(fingerprint="2").is_plain and not other.sharing.problems()


def test_a_reload_tries_a_refused_credential_again_for_all() -> None:
    world = World()
    one, other = Process(world), Process(world)
    exchange(one, other)
    one.fails(REFUSED, times=1)
    exchange(one, other)
    assert other.state() == "dead"
    world.now_s += 10
    other.set_out(models("a", "b"))
    assert other.state() == "closed"
    exchange(one, other)
    assert (one.state(), other.state()) == ("closed", "closed")


def test_a_deployment_that_comes_with_a_reload_hears_what_was_said_before() -> None:
    world = World()
    one, other = Process(world), Process(world, names=["b"])
    exchange(one, other)
    one.fails()
    exchange(one, other)
    other.set_out(models("a", "b"))
    exchange(other)
    assert other.state() == "open"
    one.set_out(models("b"))
    exchange(one)
    one.set_out(models("a", "b"))
    exchange(one)
    assert one.state() == "closed", "what it posted itself it does not hear; others do that for it"


def test_without_the_board_each_judges_by_itself_and_afterwards_they_agree() -> None:
    world = World()
    one, other = Process(world), Process(world, 500.0)
    exchange(one, other)
    assert one.fleet.shared
    world.is_there = False
    exchange(one, other)
    one.fails()
    other.fails(name="b")
    exchange(one, other)
    assert (one.state("b"), other.state()) == ("closed", "closed")
    assert "no connection" in one.sharing.problems()[0] and not one.fleet.shared
    assert not one.fleet.shown(one.now_s())[0]["shared"]
    world.is_there = True
    exchange(one, other)
    assert {each.state(name) for each in (one, other) for name in "ab"} == {"open"}
    assert one.sharing.problems() == [] and one.fleet.shown(one.now_s())[0]["shared"]


def test_a_board_that_came_back_empty_is_told_everything_and_a_newcomer_hears_it() -> None:
    world = World()
    one = Process(world)
    exchange(one)
    one.fails()
    exchange(one)
    world.wipe()
    exchange(one)
    newcomer = Process(world, 3.0)
    exchange(newcomer)
    assert newcomer.state() == "open"


def test_a_machine_that_slept_does_not_tell_old_news_as_new() -> None:
    world = World()
    sleeper, other = Process(world), Process(world)
    exchange(sleeper, other)
    sleeper.fails()
    exchange(sleeper, other)
    world.now_s += 40
    other.succeeds()
    exchange(other)
    sleeper.slept_s = 40.0
    exchange(sleeper, other)
    assert (sleeper.state(), other.state()) == ("closed", "closed")


def test_a_board_whose_clock_was_set_back_still_carries_news() -> None:
    world = World()
    one, other = Process(world), Process(world)
    exchange(one, other)
    one.fails()
    exchange(one, other)
    for process in (one, other):
        process._started_s -= 3600  # their own clocks run on
    world.now_s -= 3600
    exchange(one, other)
    world.now_s += 31
    other.succeeds()
    exchange(one, other)
    assert (one.state(), other.state()) == ("closed", "closed")


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\xff",
        b'{"phase": "ajar"}',
        encode(BreakerState(phase="open", changed_s=EPOCH_S + 3600, out_until_s=EPOCH_S + 3630)),
        encode(BreakerState(phase="open", changed_s=EPOCH_S, out_until_s=EPOCH_S + 1e7)),
        encode(BreakerState(cool_until_s=EPOCH_S + 1e7)),
    ],
)
def test_what_makes_no_sense_is_ignored_counted_and_covers_nothing(note: bytes) -> None:
    world = World()
    one, other = Process(world), Process(world)
    world.notes.append((-1, "a|1", note))
    world.spoilt = 2
    exchange(one, other)
    assert one.breaker().is_plain and one.sharing.ignored == 3 and other.sharing.ignored == 1
    assert "3 notes" in one.sharing.problems()[0]
    one.fails()
    exchange(one, other)
    assert other.state() == "open"
    world.now_s += 700
    assert one.sharing.problems() == []


async def test_a_change_is_posted_long_before_the_second_is_over() -> None:
    world = World()
    one = Process(world)
    await one.sharing.start()
    try:
        await asyncio.sleep(0.15)
        one.fails()
        for _ in range(40):
            await asyncio.sleep(0.01)
            if world.writes:
                break
        assert world.writes == 1
    finally:
        await one.sharing.aclose()
    assert not one.fleet.shared


@settings(max_examples=300, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(2, 4), st.integers(5, 60))
def test_whatever_happens_in_the_end_all_agree(luck: random.Random, count: int, steps: int) -> None:
    world = World()
    processes = [Process(world, luck.choice((0.0, 7.5, 1e6)) + luck.random()) for _ in range(count)]
    exchange(*processes, rounds=1)
    for _ in range(steps):
        process, name = luck.choice(processes), luck.choice("ab")
        match luck.randrange(10):
            case 0 | 1 | 2:
                process.fails(name=name, luck=luck.random())
            case 3 | 4:
                process.succeeds(name=name)
            case 5:
                process.fails(luck.choice((BUSY, REFUSED)), times=1, name=name)
            case 6:
                world.now_s += luck.choice((0.0, 0.3, 31.0, 400.0)) * luck.random()
            case 7:
                world.is_there = not world.is_there
            case 8 if luck.random() < 0.5:
                world.wipe()
            case 8:
                process.set_out(models("a", "b"))
            case _:
                exchange(process, rounds=1)
    world.is_there = True
    world.now_s += 1.0
    exchange(*processes, rounds=3)
    writes = world.writes
    exchange(*processes, rounds=2)
    assert world.writes == writes, "there is nothing more to say"
    for name in "ab":
        told = {encode(each.sharing._epoch.outward(each.breaker(name).state)) for each in processes}
        assert len(told) == 1
    assert not any(process.sharing.ignored for process in processes)
