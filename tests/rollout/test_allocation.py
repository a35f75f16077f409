"""Shares of an experiment's arms, and the arm that a unit is in."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.rollout.allocation import Beta, draw_of, even_shares, likely_best, posterior, top_two_shares

UNITS = [f"acme\0session-{number}" for number in range(20_000)]


def test_shares_are_those_that_draws_from_the_posteriors_give() -> None:
    arms = [posterior(40, 28), posterior(60, 45.5), posterior(90, 70), posterior(20, 9)]
    luck, best, drawn, n = random.Random(5), Counter[int](), Counter[int](), 4000

    def leads() -> int:
        draws = [luck.betavariate(each.a, each.b) for each in arms]
        return draws.index(max(draws))

    for _ in range(n):
        first = leads()
        best[first] += 1
        if luck.random() < 0.5:
            drawn[first] += 1
            continue
        while (second := leads()) == first:
            pass
        drawn[second] += 1
    assert likely_best(arms) == pytest.approx([best[number] / n for number in range(4)], abs=0.03)
    shares = top_two_shares({str(number): each for number, each in enumerate(arms)}, 0.0)
    assert list(shares.values()) == pytest.approx([drawn[number] / n for number in range(4)], abs=0.03)


@given(
    st.lists(
        st.tuples(st.integers(0, 10**7), st.floats(0, 1)).map(lambda each: posterior(each[0], each[0] * each[1])),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=60, deadline=None)
def test_shares_add_up_and_nobody_starves(arms: list[Beta]) -> None:
    named = {f"rel-{number}": each for number, each in enumerate(arms)}
    shares = top_two_shares(named)
    assert shares == top_two_shares(named)
    assert sum(shares.values()) == pytest.approx(1, abs=1e-9)
    assert min(shares.values()) >= 0.1 / len(arms) - 1e-5


def test_equal_evidence_gives_even_shares_and_a_clear_lead_half() -> None:
    assert top_two_shares(dict.fromkeys("abcd", posterior(0, 0.0))) == pytest.approx(even_shares("abcd"), abs=1e-4)
    shares = top_two_shares({"a": posterior(2000, 1600), "b": posterior(2000, 1500), "c": posterior(2000, 1000)}, 0.0)
    assert shares == pytest.approx({"a": 0.5, "b": 0.5, "c": 0.0}, abs=0.01)


@pytest.mark.parametrize("shares", [{"a": 0.2, "b": 0.5, "c": 0.05, "d": 0.25}, even_shares("abcde"), {"a": 1.0}])
def test_arms_get_their_shares(shares: dict[str, float]) -> None:
    seen = Counter(map(draw_of("ro-1", shares).choose, UNITS))
    for arm, share in shares.items():
        assert seen[arm] / len(UNITS) == pytest.approx(share, abs=0.012)


def test_a_unit_stays_and_shares_that_move_take_along_few() -> None:
    before = {"a": 0.25, "b": 0.25, "c": 0.25, "d": 0.25}
    first = [draw_of("ro-1", before).choose(unit) for unit in UNITS]
    assert first == [draw_of("ro-1", dict(reversed(before.items()))).choose(unit) for unit in UNITS]
    after = [draw_of("ro-1", {"a": 0.4, "b": 0.2, "c": 0.2, "d": 0.2}).choose(unit) for unit in UNITS]
    moved = [(old, new) for old, new in zip(first, after, strict=True) if old != new]
    assert {new for _, new in moved} == {"a"}
    assert len(moved) / len(UNITS) == pytest.approx(0.15, abs=0.01)


def test_two_experiments_know_nothing_of_each_other() -> None:
    first, second = (draw_of(salt, even_shares("ab")) for salt in ("ro-1", "ro-2"))
    both = Counter((first.choose(unit), second.choose(unit)) for unit in UNITS)
    assert [both[pair] / len(UNITS) for pair in both] == pytest.approx([0.25] * 4, abs=0.012)


def test_an_arm_without_a_share_gets_nobody() -> None:
    assert {draw_of("ro-1", {"a": 1.0, "b": 0.0}).choose(unit) for unit in UNITS[:500]} == {"a"}
    with pytest.raises(ValueError, match="one has to be above 0"):
        draw_of("ro-1", {"a": 0.0})
