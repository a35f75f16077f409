"""One model's price: exact to the nano-dollar, rounded once, and never negative."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.spend.price import MAX_COST_NANOUSD, Price
from llmops.types import Rates, Usage


def rates(**given: str) -> Rates:
    return Rates(**{"input": Decimal(0), "output": Decimal(0), **{name: Decimal(rate) for name, rate in given.items()}})


def price(**given: str) -> Price:
    return Price(rates(**given))


@pytest.mark.parametrize(
    ("given_rates", "usage", "nanousd"),
    [
        ({"input": "0.15", "output": "0.6"}, {"prompt": 1000, "completion": 100}, 210_000),
        ({"input": "1", "output": "2"}, {}, 0),
        ({"input": "2", "cached_input": "0.5"}, {"prompt": 10, "cached": 4}, 6 * 2000 + 4 * 500),
        ({"input": "2"}, {"prompt": 10, "cached": 4, "cache_write": 3}, 20_000),
        ({"input": "2", "cache_write": "3"}, {"prompt": 10, "cache_write": 4, "cache_write_1h": 4}, 24_000),
        (
            {"input": "2", "cache_write": "3", "cache_write_1h": "5"},
            {"prompt": 10, "cache_write": 4, "cache_write_1h": 1},
            6 * 2000 + 3 * 3000 + 5000,
        ),
        ({"output": "4"}, {"completion": 10, "reasoning": 7}, 40_000),
        ({"output": "4", "reasoning": "1"}, {"completion": 10, "reasoning": 7}, 3 * 4000 + 7 * 1000),
        ({"input": "2", "input_audio": "8"}, {"prompt": 10, "prompt_audio": 3}, 7 * 2000 + 3 * 8000),
        (
            {"input": "2", "output": "4"},
            {"prompt": 10, "prompt_audio": 3, "completion": 5, "completion_audio": 5},
            40_000,
        ),
        ({"output": "4", "output_audio": "9"}, {"completion": 10, "completion_audio": 6}, 4 * 4000 + 6 * 9000),
        ({"input": "2", "per_request": "0.005"}, {"prompt": 1}, 5_002_000),
    ],
)
def test_each_kind_of_token_has_its_rate(given_rates: Any, usage: Any, nanousd: int) -> None:
    assert price(**given_rates).cost(Usage(**usage)) == nanousd


@pytest.mark.parametrize(
    ("given_rates", "cached_audio_rate"),
    [
        ({"input": "2"}, 2000),
        ({"input": "2", "cached_input": "1"}, 1000),
        ({"input": "2", "input_audio": "8"}, 8000),
        ({"input": "2", "cached_input": "1", "input_audio": "8"}, 8000),
        ({"input": "2", "cached_input": "1", "input_audio": "8", "cached_audio": "3"}, 3000),
    ],
)
def test_cached_audio_without_a_rate_costs_what_audio_does_and_otherwise_what_is_cached(
    given_rates: Any, cached_audio_rate: int
) -> None:
    usage = Usage(prompt=5, cached=5, prompt_audio=5, cached_audio=5)
    assert price(**given_rates).cost(usage) == 5 * cached_audio_rate


def test_audio_that_must_have_been_cached_is_not_counted_twice() -> None:
    """OpenAI reports cached and audio tokens, but not how much of the one is the other."""
    assert price(input="2", cached_input="1", input_audio="8", cached_audio="3").cost(
        Usage(prompt=10, cached=8, prompt_audio=6)
    ) == (4 * 1000 + 4 * 3000 + 2 * 8000)


@pytest.mark.parametrize(
    ("tokens", "nanousd"), [(1, 38), (2, 75), (3, 113), (4, 150), (1001, 37_538)], ids=lambda value: str(value)
)
def test_the_sum_is_rounded_once_half_up(tokens: int, nanousd: int) -> None:
    """37.5 nano-dollars a token."""
    assert price(input="0.0375").cost(Usage(prompt=tokens)) == nanousd


def test_halves_of_two_kinds_make_a_whole_before_rounding() -> None:
    assert price(input="0.0005", output="0.0005").cost(Usage(prompt=1, completion=1)) == 1


def test_a_tier_applies_to_all_tokens_of_a_call_beyond_its_start() -> None:
    tiered = Price(rates(input="1", output="4"), {200: rates(input="2", output="6"), 500: rates(input="3", output="9")})
    cost = {prompt: tiered.cost(Usage(prompt=prompt, completion=10)) for prompt in (200, 201, 500, 501)}
    assert cost == {200: 240_000, 201: 462_000, 500: 1_060_000, 501: 1_593_000}
    assert tiered.estimate(201, 10) == 462_000


@pytest.mark.parametrize("bad", ["-1", "-0.000001", "NaN", "Infinity"])
def test_what_is_no_price_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="is not a price"):
        price(input=bad)


_AMOUNTS = st.integers(-(2**70), 2**70) | st.integers(-10, 10)
_USAGES = st.builds(
    Usage,
    **dict.fromkeys(
        (
            "prompt",
            "completion",
            "cached",
            "cache_write",
            "reasoning",
            "prompt_audio",
            "cached_audio",
            "completion_audio",
            "cache_write_1h",
        ),
        _AMOUNTS,
    ),
)
_RATE = st.decimals(0, 1_000_000, places=12)


@given(_USAGES, st.builds(Rates, input=_RATE, output=_RATE, cached_input=_RATE, cached_audio=_RATE, reasoning=_RATE))
def test_no_usage_costs_less_than_nothing_or_more_than_fits(usage: Usage, some: Rates) -> None:
    assert 0 <= Price(some).cost(usage) <= MAX_COST_NANOUSD
    assert 0 <= Price(some, {3: some}).cost(usage) <= MAX_COST_NANOUSD


_COUNT = st.integers(0, 10**7)


@given(_COUNT, _COUNT, _COUNT, _COUNT, _RATE, _RATE, _RATE, _RATE)
def test_the_cost_is_the_rounded_exact_sum(
    text: int, cached: int, write: int, answer: int, a: Decimal, b: Decimal, c: Decimal, d: Decimal
) -> None:
    """Against fractions, which cannot be wrong."""
    usage = Usage(prompt=text + cached + write, cached=cached, cache_write=write, completion=answer)
    exact = 1000 * (text * Fraction(a) + cached * Fraction(b) + write * Fraction(c) + answer * Fraction(d))
    expected = int(exact + Fraction(1, 2))
    assert Price(Rates(input=a, cached_input=b, cache_write=c, output=d)).cost(usage) == expected
