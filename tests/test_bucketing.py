"""Buckets: MurmurHash3 as published, even shares, and units that stay where they are."""

import mmh3
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from llmops.bucketing import BUCKETS, bucket_of, threshold_of

#: (text, seed, hash): from the verification vectors that implementations are checked with.
VECTORS = [
    (b"", 0, 0),
    (b"", 1, 0x514E28B7),
    (b"", 0xFFFFFFFF, 0x81F16F39),
    (b"\xff\xff\xff\xff", 0, 0x76293B50),
    (b"\x21\x43\x65\x87", 0, 0xF55B516B),
    (b"\x21\x43\x65\x87", 0x5082EDEE, 0x2362F9DE),
    (b"\x21\x43\x65", 0, 0x7E4A8634),
    (b"\x21\x43", 0, 0xA0F7B07A),
    (b"\x21", 0, 0x72661CF4),
    (b"\x00\x00\x00\x00", 0, 0x2362F9DE),
    (b"Hello, world!", 0x9747B28C, 0x24884CBA),
    (b"aaaa", 0x9747B28C, 0x5A97808A),
]


#: (salt, unit, bucket)
PLACES = [
    ("ro-1", "user-1", 90218250),
    ("new-search", "ann@acme.com", 3318039394),
    ("salt", "\ud800", 2253279491),
    ("", "x", 1050319643),
]


def test_the_hash_is_the_published_one() -> None:
    for data, seed, wanted in VECTORS:
        assert mmh3.hash(data, seed, False) == wanted, data


def test_a_unit_stays_where_it_was_in_every_version() -> None:
    """Of a Python implementation that earlier versions had."""
    for salt, unit, bucket in PLACES:
        assert bucket_of(salt, unit) == bucket


def test_buckets_are_even() -> None:
    """A fair split fails this once in a thousand; it is always the same one."""
    for salt in ("a", "rollout-7"):
        counts = [0] * 20
        for number in range(20_000):
            counts[bucket_of(salt, f"user-{number}") * 20 // BUCKETS] += 1
        assert chisquare(counts).pvalue > 0.001


def test_two_salts_have_nothing_to_do_with_each_other() -> None:
    both = sum(
        bucket_of("a", f"u{number}") < BUCKETS // 2 and bucket_of("b", f"u{number}") < BUCKETS // 2
        for number in range(10_000)
    )
    assert 2300 < both < 2700


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_share_that_grows_gives_nobody_back(unit: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    bucket = bucket_of("salt", unit)
    assert bucket >= threshold_of(small) or bucket < threshold_of(large)


def test_nobody_at_nothing_and_everybody_at_all() -> None:
    assert threshold_of(0) == 0 and threshold_of(1) == BUCKETS and 0 <= bucket_of("", "\ud800") < BUCKETS
