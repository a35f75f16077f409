"""Histograms: quantiles close to the exact ones, and sums that are the histogram of all."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.telemetry.rollups.histogram import (
    BUCKETS,
    ONE,
    RELATIVE_ERROR,
    at_most,
    bucket_of,
    counts,
    merged,
    packed,
    quantiles_us,
    total,
    unpacked,
    upper_us,
)

durations = st.lists(st.integers(1, 2**32 - 1), min_size=1, max_size=200)
anything = st.lists(st.integers(-5, 2**40), max_size=100)


def histogram(of: list[int]) -> int:
    return sum(ONE[bucket_of(each)] for each in of)


def test_the_promised_error() -> None:
    assert RELATIVE_ERROR <= 0.045


@given(durations, st.floats(0, 1))
def test_a_quantile_is_within_the_promised_error_of_the_exact_one(of: list[int], share: float) -> None:
    exact = sorted(of)[max(1, math.ceil(share * len(of))) - 1]
    (found,) = quantiles_us(histogram(of), [share])
    assert found is not None and abs(found - exact) <= (RELATIVE_ERROR + 1e-9) * exact


@given(durations)
def test_several_quantiles_are_each_what_it_is_alone(of: list[int]) -> None:
    shares = [0.0, 0.5, 0.95, 0.99, 1.0]
    together = histogram(of)
    assert quantiles_us(together, shares) == [quantiles_us(together, [share])[0] for share in shares]


@given(anything, anything)
def test_sums_of_histograms_are_histograms_of_all_and_can_be_taken_apart(first: list[int], second: list[int]) -> None:
    both = histogram(first + second)
    assert histogram(first) + histogram(second) == both and both - histogram(first) == histogram(second)
    assert merged(packed(histogram(first)), packed(histogram(second))) == packed(both)
    assert unpacked(packed(both)) == both and total(both) == len(first) + len(second)


@given(st.integers(0, BUCKETS - 2))
def test_buckets_begin_where_the_ones_before_end(bucket: int) -> None:
    edge = upper_us(bucket)
    below, above = math.ceil(edge) - 1, math.ceil(edge)
    assert bucket_of(below) <= bucket < bucket_of(above) or above <= 1


@pytest.mark.parametrize(("duration_us", "bucket"), [(-3, 0), (0, 0), (1, 0), (2, 8), (2**32 - 1, 255), (2**60, 255)])
def test_edges(duration_us: int, bucket: int) -> None:
    assert bucket_of(duration_us) == bucket


@given(durations, st.integers(1, 2**32))
def test_how_many_are_no_longer_is_right_but_for_one_bucket(of: list[int], limit: int) -> None:
    found = at_most(histogram(of), limit)
    surely = sum(bucket_of(each) < bucket_of(limit) for each in of)
    perhaps = sum(bucket_of(each) <= bucket_of(limit) for each in of)
    assert surely <= found <= perhaps


def test_nothing_has_no_quantiles_and_takes_no_room() -> None:
    assert quantiles_us(0, [0.5, 0.99]) == [None, None] and packed(0) is None and unpacked(None) == 0
    assert counts(0) == {} and len(packed(ONE[200]) or b"") == 2
