"""Which arm is best: seldom wrong, sooner than by an even split, and never for want of evidence."""

import math
import random

import msgspec
import pytest

from llmops.rollout.allocation import even_shares
from llmops.rollout.arm_split import no_split
from llmops.rollout.experiment import Arms, next_shares, no_arms, ruling, said, standings
from llmops.rollout.goal import Goal

ERRORS = Goal(metric="error")
SCORE = Goal(metric="score", name="kind", lowest=1, highest=5, direction="lower", margin=0.2)


def an_experiment(
    rates: dict[str, float], luck: random.Random, most: int, *, even: bool = False, margin: float = 0.0
) -> tuple[str | None, int]:
    """The arm that was named, looked at after every 100th unit, and after how many."""
    goal, names = Goal(metric="error", margin=margin), list(rates)
    arms, shares = no_arms(names), even_shares(names)
    for number in range(1, most + 1):
        arm = luck.choices(names, list(shares.values()))[0]
        arms.observe(arm, float(luck.random() < rates[arm]))
        if number % 100:
            continue
        found = ruling(goal, 0.05, arms)
        if found.best is not None:
            return found.best, number
        shares = shares if even else next_shares(arms, shares) or shares
    return None, most


def test_the_best_is_found_sooner_than_by_an_even_split() -> None:
    rates, luck = {"a": 0.45, "b": 0.5, "c": 0.55, "d": 0.7}, random.Random(1)
    found = [an_experiment(rates, luck, 10_000) for _ in range(12)]
    even = [an_experiment(rates, luck, 10_000, even=True) for _ in range(12)]
    assert {each[0] for each in found + even} == {"d"}
    assert sum(each[1] for each in found) < 0.85 * sum(each[1] for each in even)


def test_of_equal_arms_hardly_ever_one_is_named() -> None:
    luck = random.Random(2)
    named = [an_experiment(dict.fromkeys("abc", 0.8), luck, 2000)[0] for _ in range(20)]
    assert sum(each is not None for each in named) <= 1


def test_within_the_margin_equal_arms_are_good_enough() -> None:
    assert an_experiment(dict.fromkeys("ab", 0.9), random.Random(3), 6000, margin=0.08)[0] in ("a", "b")


def some_arms() -> Arms:
    luck, arms = random.Random(5), no_arms(["stable", "rel-1", "rel-2"])
    for arm, rate in (("stable", 0.5), ("rel-1", 0.9), ("rel-2", 0.6)):
        for _ in range(300):
            arms.count(arm, 1 / 3)
            arms.observe(arm, float(luck.random() < rate))
    return arms


def test_what_is_said_of_it() -> None:
    arms = no_arms(["stable", "rel-1"])
    assert said(ruling(ERRORS, 0.05, arms), standings(ERRORS, 0.05, arms)) == "no outcome has been seen yet"
    arms = some_arms()
    rules, found = ruling(ERRORS, 0.05, arms), standings(ERRORS, 0.05, arms)
    assert rules.best == "rel-1" and rules.threshold == pytest.approx(math.log(60))
    assert said(rules, found).startswith("rel-1 is best: 0.")
    assert found["stable"].upper < found["rel-1"].lower < 0.9 < found["rel-1"].upper


def test_nothing_is_lost_when_it_is_kept() -> None:
    arms = some_arms()
    again = msgspec.json.decode(msgspec.json.encode(arms), type=Arms)
    assert again == arms and ruling(ERRORS, 0.05, again) == ruling(ERRORS, 0.05, arms)
    assert len(msgspec.json.encode(arms)) < 2000


def test_a_score_counts_by_its_place_and_direction() -> None:
    assert [SCORE.value(mean, 0) for mean in (1.0, 3.0, 5.0, 9.0)] == [1.0, 0.5, 0.0, 0.0]
    assert SCORE.shown(0.75) == 2.0
    arms = no_arms(["stable", "rel-1"])
    for value in (2.0, 2.5, 1.5):
        arms.observe("rel-1", SCORE.value(value, 0))
    arms.observe("stable", math.nan)
    found = standings(SCORE, 0.05, arms)
    assert found["rel-1"].estimate == pytest.approx(2.0) and found["stable"].n == 0
    assert 1 <= found["rel-1"].lower < 2 < found["rel-1"].upper <= 5


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"metric": "score"}, "a score needs one"),
        ({"metric": "slow"}, "needs one"),
        ({"metric": "error", "margin": 1.0}, "margin"),
        ({"metric": "error", "lowest": 0.5}, "go with metric: score"),
        ({"metric": "score", "name": "kind", "lowest": 2}, "lowest"),
    ],
)
def test_goals_that_make_no_sense(fields: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Goal.model_validate(fields)


def test_shares_move_only_when_it_is_worth_it() -> None:
    arms = some_arms()
    moved = next_shares(arms, even_shares(["stable", "rel-1", "rel-2"]))
    assert moved is not None and 0.4 < moved["rel-2"] <= moved["rel-1"]
    assert moved["stable"] == pytest.approx(1 / 30, abs=1e-4)
    assert next_shares(arms, moved) is None


def split_of(luck: random.Random, kept: float) -> float:
    """The evidence of an uneven split, at its highest; ``kept`` of the best arm's units are seen, shares move."""
    names = ["stable", "rel-1", "rel-2"]
    split, highest, nominal = no_split(names), 0.0, even_shares(names)
    for number in range(3000):
        lead = 0.3 + 0.3 * min(1.0, number / 2000)
        shares = {"stable": 0.1, "rel-1": lead, "rel-2": 0.9 - lead}
        if number % 50 == 0:
            nominal = shares
        arm = luck.choices(names, list(shares.values()))[0]
        if arm == "rel-1" and luck.random() >= kept:
            continue
        split.observe(arm, shares[arm], nominal)
        highest = max(highest, split.log_e)
    return highest


def test_an_uneven_split_is_seen_though_shares_move() -> None:
    luck = random.Random(9)
    assert sum(split_of(luck, 1.0) >= math.log(20) for _ in range(12)) <= 1
    assert all(split_of(luck, 0.75) >= math.log(20) for _ in range(4))
