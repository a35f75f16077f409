"""Published prices: computed by hand for some models, and compared with genai-prices' own arithmetic for many.

Hand-computed costs are those of a day in the past, so that a newer list does not change them.
"""

import re
import subprocess
import sys
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import genai_prices
import pytest
from genai_prices.data import providers
from genai_prices.types import ModelPrice
from hypothesis import given
from hypothesis import strategies as st

from llmops.providers.openai import PRESETS
from llmops.spend.price import Price
from llmops.spend.published import published
from llmops.types import Usage
from tests.serving import environment

ADDRESSES = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
    "google": "https://generativelanguage.googleapis.com/v1beta",
    "azure": "https://example.openai.azure.com",
    "perplexity": "https://api.perplexity.ai",
    "x-ai": "https://api.x.ai/v1",
    **{name: PRESETS[name].base_url for name in ("openrouter", "groq", "mistral", "deepseek")},
}


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


THEN = at("2025-11-01T12:00:00")


def price_of(seller: str, model: str, at_s: float = THEN) -> Price | None:
    return published("azure" if seller == "azure" else "openai", ADDRESSES[seller], model, at_s).price


@pytest.mark.parametrize(
    ("seller", "model", "usage", "nanousd"),
    [
        # 2,000 x 150 + 8,000 x 75 + 500 x 600
        ("openai", "gpt-4o-mini", Usage(prompt=10_000, cached=8_000, completion=500), 1_200_000),
        # 1,000 x 2,000 + 5,000 x 8,000: reasoning is part of the answer and has no price of its own
        ("openai", "o3", Usage(prompt=1_000, completion=5_000, reasoning=4_800), 42_000_000),
        ("openai", "text-embedding-3-small", Usage(prompt=7), 140),
        # 100 x 2,500 + 200 x 32,000 + 100 x 10,000 + 400 x 64,000
        ("openai", "gpt-audio", Usage(prompt=300, prompt_audio=200, completion=500, completion_audio=400), 33_250_000),
        # 1,000 x 3,000 + 8,000 x 300 + 2,000 x 3,750 + 1,000 x 6,000 + 400 x 15,000
        (
            "anthropic",
            "claude-sonnet-4-5",
            Usage(prompt=12_000, cached=8_000, cache_write=3_000, cache_write_1h=1_000, completion=400),
            24_900_000,
        ),
        # 200,000 x 1,250 + 1,000 x 10,000, and one token more doubles the input and makes the answer half as dear again
        ("google", "gemini-2.5-pro", Usage(prompt=200_000, completion=1_000), 260_000_000),
        ("google", "gemini-2.5-pro", Usage(prompt=200_001, completion=1_000), 515_002_500),
        ("google", "gemini-2.5-pro", Usage(prompt=200_001, cached=100_000), 275_002_500),
        # 400 x 300 + 200 x 30 + 300 x 1,000 + 100 x 100 + 50 x 2,500
        (
            "google",
            "models/gemini-2.5-flash",
            Usage(prompt=1_000, cached=300, prompt_audio=400, cached_audio=100, completion=50),
            561_000,
        ),
        # 100 x 2,000 + 400 x 8,000 + 600 x 3,000: here reasoning has a price of its own
        ("perplexity", "sonar-deep-research", Usage(prompt=100, completion=1_000, reasoning=600), 5_200_000),
    ],
)
def test_a_call_costs_what_the_provider_bills(seller: str, model: str, usage: Usage, nanousd: int) -> None:
    price = price_of(seller, model)
    assert price is not None
    assert price.cost(usage) == nanousd


def test_a_price_per_request_is_added_to_the_tokens() -> None:
    price = price_of("perplexity", "sonar")
    assert price is not None
    assert price.base.per_request > 0
    assert price.cost(Usage()) == int(price.base.per_request * 10**9)


SOLD = [
    *(("openai", name) for name in ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "o3", "o4-mini", "gpt-5", "gpt-5-mini")),
    *(("openai", name) for name in ("gpt-audio", "gpt-4o-mini-realtime-preview", "text-embedding-3-large")),
    *(("anthropic", name) for name in ("claude-sonnet-4-5", "claude-opus-4-5", "claude-3-5-haiku-latest")),
    *(("google", name) for name in ("gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.0-flash", "gemini-3-pro-preview")),
    ("azure", "gpt-4o"),
    ("openrouter", "openai/gpt-4o"),
    ("groq", "llama-3.3-70b-versatile"),
    ("mistral", "mistral-large-latest"),
    ("deepseek", "deepseek-chat"),
    ("deepseek", "deepseek-reasoner"),
    ("perplexity", "sonar-deep-research"),
    ("x-ai", "grok-4-0709"),
]


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Counts as a provider reports them: parts never exceed the whole, short and long prompts alike."""
    count = st.integers(0, 50) | st.integers(0, 300_000)
    text, cached_text, audio, cached_audio, write, write_1h = (draw(count) for _ in range(6))
    answer, reasoning, audio_out = (draw(count) for _ in range(3))
    return Usage(
        prompt=text + cached_text + audio + cached_audio + write + write_1h,
        cached=cached_text + cached_audio,
        cache_write=write + write_1h,
        cache_write_1h=write_1h,
        prompt_audio=audio + cached_audio,
        cached_audio=cached_audio,
        completion=answer + reasoning + audio_out,
        reasoning=reasoning,
        completion_audio=audio_out,
    )


@pytest.mark.parametrize(("seller", "model"), SOLD)
@given(usage=usages(), at_s=st.integers(int(at("2024-01-01")), int(at("2027-12-31"))))
def test_agrees_with_the_packages_own_arithmetic_to_the_nano_dollar(
    seller: str, model: str, usage: Usage, at_s: int
) -> None:
    theirs = genai_prices.calc_price(
        genai_prices.Usage(
            input_tokens=usage.prompt,
            cache_read_tokens=usage.cached,
            cache_write_tokens=usage.cache_write,
            cache_write_1h_tokens=usage.cache_write_1h,
            input_audio_tokens=usage.prompt_audio,
            cache_audio_read_tokens=usage.cached_audio,
            output_tokens=usage.completion,
            output_audio_tokens=usage.completion_audio,
            output_reasoning_tokens=usage.reasoning,
        ),
        model,
        provider_id=seller,
        genai_request_timestamp=datetime.fromtimestamp(at_s, UTC),
    )
    price = price_of(seller, model, at_s)
    assert price is not None
    nanousd = (theirs.total_price * 10**9).quantize(Decimal(1), ROUND_HALF_UP)
    assert price.cost(usage) == int(nanousd)


def test_every_price_of_the_list_can_be_compiled_or_is_unknown() -> None:
    """None of the known sellers' models raises, and none of those with a rate for tokens is unpriced."""
    for seller in providers:
        if seller.id in ADDRESSES:
            for model in seller.models:
                listed = [model.prices] if isinstance(model.prices, ModelPrice) else [p.prices for p in model.prices]
                price = price_of(seller.id, model.id)
                if all(prices.input_mtok is not None for prices in listed) and seller.find_model(model.id) is model:
                    assert price is not None, (seller.id, model.id)
                if not any(vars(prices) for prices in listed) and seller.find_model(model.id) is model:
                    assert price is None, "a model without prices is unknown, not free"


def test_a_price_changes_on_its_date() -> None:
    """o3 became five times cheaper on 10 June 2025."""
    before, after = at("2025-06-09T23:59:59"), at("2025-06-10T00:00:00")
    old, new = (published("openai", ADDRESSES["openai"], "o3", at_s) for at_s in (before, after))
    usage = Usage(prompt=1_000, completion=5_000)
    assert old.price is not None and new.price is not None
    assert (old.price.cost(usage), new.price.cost(usage)) == (210_000_000, 42_000_000)
    assert old.until_s == after == new.since_s


def test_a_price_changes_at_its_time_of_day() -> None:
    """DeepSeek's discount, from 16:30 to 00:30 UTC."""

    def quote(text: str) -> tuple[int, float, float]:
        found = published("openai", ADDRESSES["deepseek"], "deepseek-chat", at(text))
        assert found.price is not None
        return found.price.cost(Usage(prompt=1000)), found.since_s, found.until_s

    full = (270_000, at("2025-11-01T00:30:00"), at("2025-11-01T16:30:00"))
    cheap = (135_000, at("2025-11-01T16:30:00"), at("2025-11-02T00:30:00"))
    assert quote("2025-11-01T00:30:00") == quote("2025-11-01T16:29:59.999") == full
    assert quote("2025-11-01T16:30:00") == quote("2025-11-02T00:29:59.999") == cheap


@given(st.sampled_from(SOLD), st.floats(0, 4_000_000_000))
def test_a_quote_holds_at_the_time_it_was_asked_for(sold: tuple[str, str], at_s: float) -> None:
    quote = published("openai", ADDRESSES[sold[0]], sold[1], at_s)
    assert quote.since_s <= at_s < quote.until_s


@pytest.mark.parametrize("at_s", [-1e18, -1.0, 0.0, 1e18])
def test_a_clock_that_jumps_is_no_reason_to_fail(at_s: float) -> None:
    assert price_of("openai", "o3", at_s) is not None
    assert price_of("deepseek", "deepseek-chat", at_s) is not None


def test_the_known_addresses_are_those_of_the_sellers_meant() -> None:
    for name, address in ADDRESSES.items():
        assert next(seller.id for seller in providers if re.match(seller.api_pattern, address)) == name


def test_the_list_is_read_when_first_needed_and_the_network_is_never_asked(tmp_path: Path) -> None:
    script = """
import sys
import llmops.app
from llmops.spend.price_book import PriceBook
assert not [name for name in sys.modules if name.startswith("genai_prices")], "read before it was needed"
def no_network(event, args):
    assert not event.startswith("socket."), event
sys.addaudithook(no_network)
PriceBook.warm()
assert "genai_prices.data" in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment(), check=True, timeout=30)
    assert not list(tmp_path.iterdir())
