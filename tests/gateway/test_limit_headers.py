"""``x-ratelimit-*`` headers, in the form that OpenAI's clients read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.gateway.limit_headers import duration, limit_headers
from llmops.types import Allowance, Headroom


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, b"0s"),
        (-1, b"0s"),
        (0.0001, b"1ms"),
        (0.12, b"120ms"),
        (0.1201, b"121ms"),
        (1, b"1s"),
        (1.01, b"2s"),
        (6.0, b"6s"),
        (59.5, b"1m"),
        (60, b"1m"),
        (90, b"1m30s"),
        (3600, b"1h"),
        (3661, b"1h1m1s"),
        (7205, b"2h5s"),
        (100_000, b"27h46m40s"),
    ],
)
def test_spans_of_time(seconds: float, text: bytes) -> None:
    assert duration(seconds) == text


@given(st.floats(0, 1e7))
def test_a_span_is_never_understated(seconds: float) -> None:
    text, found = duration(seconds).decode(), 0.0
    if text.endswith("ms"):
        text, found = "", int(text[:-2]) / 1000
    for unit, size in (("h", 3600), ("m", 60), ("s", 1)):
        number, mark, rest = text.partition(unit)
        if mark:
            found, text = found + int(number) * size, rest
    assert text == "" and seconds <= found + 1e-9 and found <= seconds + 1.001


def test_both_kinds_of_rates() -> None:
    headroom = Headroom(requests=Allowance(60, 59, 1.0), tokens=Allowance(1000, 0, 42.5))
    assert limit_headers(headroom) == [
        (b"x-ratelimit-limit-requests", b"60"),
        (b"x-ratelimit-remaining-requests", b"59"),
        (b"x-ratelimit-reset-requests", b"1s"),
        (b"x-ratelimit-limit-tokens", b"1000"),
        (b"x-ratelimit-remaining-tokens", b"0"),
        (b"x-ratelimit-reset-tokens", b"43s"),
    ]


def test_a_rate_that_does_not_apply_has_no_headers() -> None:
    assert limit_headers(Headroom()) == []
    assert len(limit_headers(Headroom(tokens=Allowance(1, 1, 0)))) == 3
