"""Everything together, in many worlds: deadlines kept, attempts and budgets bounded, no call lost, nobody starved."""

from bisect import bisect_left
from collections import Counter

import pytest

from llmops.resilience.balancer import Strategy
from llmops.resilience.retry_budget import TTL_S
from llmops.resilience.rules import RetryRules

from .world import World

SEEDS = 1200
STRATEGIES: tuple[Strategy, ...] = ("ordered", "weighted", "least_busy", "lowest_latency", "cheapest")


def poisson(world: World, calls: int, per_second: float, from_s: float = 0.0) -> list[float]:
    arrivals, now_s = [], from_s
    for _ in range(calls):
        now_s += world.luck.expovariate(per_second)
        arrivals.append(now_s)
    return arrivals


def a_world(seed: int, **more: bool | float) -> World:
    return World(seed, 1 + seed % 4, strategy=STRATEGIES[seed % 5], **more)  # type: ignore[arg-type]


def check(world: World, calls: int) -> None:
    """What holds in every world, whatever happened in it."""
    assert len(world.ended) == calls, "no call is lost"
    for end in world.ended:
        assert end.ended_s <= end.deadline_s + 0.01, "the deadline is kept"
        assert end.attempts <= world.rules.max_attempts
        assert end.outcome
    for candidate in world.candidates.values():
        assert candidate.pool.in_use == 0, "every place was given back"
    taken, came = world.credits_taken, sorted(world.came)
    for number, at_s in enumerate(taken):
        recent = number + 1 - bisect_left(taken, at_s - TTL_S + 1)
        deposits = bisect_left(came, at_s + 1e-9) - bisect_left(came, at_s - TTL_S)
        assert recent <= 0.2 * deposits + 30 + 1e-6, "the budget is kept"
    sent = sum(len(place.asked) for place in world.places.values())
    assert sent <= calls + len(taken) + world.free_rides


@pytest.mark.parametrize("part", range(4))
def test_random_faults(part: int) -> None:
    outcomes: Counter[str] = Counter()
    changes: Counter[str] = Counter()
    for seed in range(part * SEEDS // 4, (part + 1) * SEEDS // 4):
        world = a_world(seed)
        world.run(poisson(world, 150, world.luck.choice((0.5, 2.0, 20.0))))
        check(world, 150)
        outcomes.update(end.outcome for end in world.ended)
        changes.update(world.changes)
    assert {"answered", "left", "deadline", "committed", "attempts", "patience", "nowhere"} <= set(outcomes)
    assert changes["ejected"] > 20 and changes["readmitted"] > 20 and changes["dead"] > 20


def test_a_healthy_fallback_saves_every_call() -> None:
    """Up to three deployments, two of them in any mood that spares the first content: not a single call fails."""
    moods = ("down", "stalled", "throttled", "overloaded", "refusing", "flaky", "slow")
    for seed in range(200):
        world = World(seed, 2 + seed % 2, strategy=STRATEGIES[seed % 5], one_is_well=True, moods=moods)
        world.run(poisson(world, 100, world.luck.choice((1.0, 10.0, 100.0))), (20.0, 30.0))
        check(world, 100)
        assert {end.outcome for end in world.ended} <= {"answered", "left"}, seed


def test_after_the_faults_everybody_is_asked_again_and_every_call_is_answered() -> None:
    """Nobody is starved: an hour of quiet after a minute of anything, and all breakers that get calls are closed."""
    for seed in range(100):
        strategy: Strategy = STRATEGIES[1 + seed % 3]
        world = World(seed, 1 + seed % 4, strategy=strategy, well_from_s=60.0)
        world.run(poisson(world, 60, 2.0) + poisson(world, 200, 0.1, from_s=700.0), (20.0, 30.0))
        check(world, 260)
        for name, place in world.places.items():
            assert place.asked and place.asked[-1] >= 700.0, (seed, name)
            assert world.candidates[name].breaker.is_good
        late = [end.outcome for end in world.ended if end.began_s > 700.0]
        assert set(late) <= {"answered", "left"}


@pytest.mark.parametrize("mood", ["down", "stalled", "overloaded"])
@pytest.mark.parametrize("places", [1, 3])
def test_at_total_failure_upstreams_are_not_hammered(mood: str, places: int) -> None:
    """At most a fifth more than calls; what was under way at the start may have tried the other places, once each."""
    world = World(7, places, strategy="ordered", moods=(mood,))
    arrivals = poisson(world, 2000, 20.0)
    world.run(arrivals, (20.0, 30.0))
    check(world, 2000)
    sent = sum(len(place.asked) for place in world.places.values())
    under_way = 20.0 * 4 * 2 if mood == "stalled" else 10
    assert world.free_rides <= (places - 1) * under_way
    assert sent <= 1.2 * 2000
    for place in world.places.values():
        assert len(place.asked) <= 1.2 * 2000


def test_without_stamina_the_credits_alone_keep_the_bound() -> None:
    world = World(7, 1, strategy="ordered", moods=("down",), retry=RetryRules(stamina=10**9))
    world.run(poisson(world, 2000, 20.0), (20.0, 30.0))
    check(world, 2000)
    assert 0 < len(world.credits_taken) <= 0.2 * 2000 + 3 * 100 * 1.2 + 33


def test_the_same_seed_is_the_same_world() -> None:
    first, second = a_world(11), a_world(11)
    for world in (first, second):
        world.run(poisson(world, 60, 5.0))
    assert first.ended == second.ended and first.changes == second.changes
