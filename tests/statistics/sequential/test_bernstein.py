"""The mean of a bounded stream, and two of them apart: covered at all times, under adaptive sampling as well."""

import math
import random

import msgspec
import pytest

from llmops.statistics.sequential.bernstein import BoundedStream, log_apart


def a_stream(values: list[float]) -> BoundedStream:
    stream = BoundedStream()
    for value in values:
        stream.observe(value)
    return stream


def test_before_data_nothing_is_known() -> None:
    empty = BoundedStream()
    assert empty.interval(0.05) == (0.0, 1.0) and empty.mean is None
    assert log_apart(empty, empty) == pytest.approx(0.0)


def test_an_e_value_by_hand() -> None:
    """One value of 1 against the mean 0: the mixture of exp(l - psi(l) / 4)."""
    bets = [0.9 * 0.7**number for number in range(16)]
    wealth = [math.exp(bet - (-math.log1p(-bet) - bet) / 4) for bet in bets]
    assert a_stream([1.0]).log_above(0.0) == pytest.approx(math.log(sum(wealth) / 16))


def test_bounds_agree_with_the_evidence() -> None:
    luck = random.Random(2)
    stream = a_stream([luck.betavariate(6, 2) for _ in range(400)])
    found = stream.interval(0.05)
    assert found.lower < 0.75 < found.upper and found.upper - found.lower < 0.15
    assert stream.log_above(found.lower) == pytest.approx(math.log(40), abs=1e-3)
    assert stream.log_below(found.upper) == pytest.approx(math.log(40), abs=1e-3)


def test_the_mean_is_covered_at_all_times() -> None:
    luck, missed, runs = random.Random(3), 0, 150
    for _ in range(runs):
        stream = BoundedStream()
        for _ in range(400):
            stream.observe(float(luck.random() < 0.1))
            if max(stream.log_above(0.1), stream.log_below(0.1)) >= math.log(2 / 0.1):
                missed += 1
                break
    assert missed / runs <= 0.1


def test_the_evidence_of_two_is_the_least_over_all_means() -> None:
    luck = random.Random(4)
    better = a_stream([float(luck.random() < 0.8) for _ in range(300)])
    other = a_stream([float(luck.random() < 0.6) for _ in range(200)])
    for margin in (0.0, 0.05):
        grid = [number / 2000 * (1 - margin) for number in range(2001)]
        least = min(better.log_above(mean) + other.log_below(mean + margin) for mean in grid)
        assert log_apart(better, other, margin) == pytest.approx(least, abs=1e-3)
    assert log_apart(better, other, 0.05) > log_apart(better, other) > 3 > 0.1 > log_apart(other, better)


def test_a_small_spread_tells_apart_sooner() -> None:
    luck = random.Random(6)
    calm = [a_stream([luck.uniform(mean - 0.1, mean + 0.1) for _ in range(200)]) for mean in (0.7, 0.6)]
    wild = [a_stream([float(luck.random() < mean) for _ in range(200)]) for mean in (0.7, 0.6)]
    assert log_apart(*calm) > 5 > log_apart(*wild)


def test_it_is_kept_and_goes_on() -> None:
    stream = a_stream([0.2, 0.9, 0.4])
    again = msgspec.json.decode(msgspec.json.encode(stream), type=BoundedStream)
    stream.observe(0.5)
    again.observe(0.5)
    assert again == stream


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_a_value_out_of_range_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        BoundedStream().observe(value)
