"""Which price a call has: the deployment's own, the configured one, the published one, or none."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from llmops.spend.price_book import PriceBook
from llmops.types import Deployment, Rates, Usage
from tests.spend.deployments import deployment

NOW = datetime(2025, 11, 1, 12, tzinfo=UTC).timestamp()
USAGE = Usage(prompt=1_000_000)
GIVEN = {"input": 7, "output": 0}


def rates(usd: str) -> Rates:
    return Rates(input=Decimal(usd), output=Decimal(0))


def dollars(book: PriceBook, place: Deployment, model: str = "gpt-4o", at_s: float = NOW) -> float | None:
    """The cost of a million tokens of input; None where the model is unpriced."""
    price = book.find(place, model, at_s)
    return None if price is None else price.cost(USAGE) / 10**9


@pytest.mark.parametrize(
    ("wanted", "model", "usd"),
    [
        ({"provider": "openai"}, "gpt-4o", 2.5),
        ({"provider": "openai", "preset": "openai"}, "gpt-4o", 2.5),
        ({"provider": "openai", "base_url": "https://api.openai.com"}, "gpt-4o", 2.5),
        ({"provider": "anthropic"}, "claude-opus-4-5", 5),
        ({"provider": "gemini"}, "gemini-2.5-flash", 0.3),
        ({"provider": "azure", "base_url": "https://x.openai.azure.com"}, "gpt-4o", 2.5),
        ({"provider": "azure", "base_url": "https://models.example.org"}, "gpt-4o", 2.5),
        ({"provider": "openai", "preset": "openrouter"}, "openai/gpt-4o", 2.5),
        ({"provider": "openai", "preset": "groq"}, "llama-3.3-70b-versatile", 0.59),
        ({"provider": "openai", "preset": "mistral"}, "mistral-large-latest", 2),
        ({"provider": "openai", "preset": "deepseek"}, "deepseek-chat", 0.27),
        ({"provider": "openai", "base_url": "https://api.x.ai/v1"}, "grok-3-mini", 0.3),
        ({"provider": "mock"}, "any-name", 0.15),
    ],
)
def test_a_deployment_has_the_price_of_the_provider_that_it_calls(wanted: Any, model: str, usd: float) -> None:
    assert dollars(PriceBook(), deployment(**wanted), model) == usd


@pytest.mark.parametrize(
    "wanted",
    [
        *({"provider": "openai", "preset": preset} for preset in ("vllm", "ollama", "tgi", "llamacpp")),
        {"provider": "openai", "base_url": "http://gpu-1.example.org:8000/v1"},
        {"provider": "openai", "preset": "groq", "base_url": "http://127.0.0.1:9000/v1"},
        {"provider": "anthropic", "base_url": "http://127.0.0.1:9000"},
        {"provider": "gemini", "base_url": "http://127.0.0.1:9000"},
    ],
)
def test_the_same_name_on_ones_own_machine_is_unpriced_until_it_is_given_a_price(wanted: Any) -> None:
    for model in ("gpt-4o", "claude-opus-4-5", "gemini-2.5-flash"):
        assert dollars(PriceBook(), deployment(**wanted), model) is None
    assert dollars(PriceBook({"gpt-4o": rates("0.5")}), deployment(**wanted)) == 0.5
    assert dollars(PriceBook(), deployment(**wanted, price=GIVEN)) == 7


def test_unknown_models_are_unpriced_and_not_free() -> None:
    assert dollars(PriceBook(), deployment(provider="openai"), "no-such-model") is None
    assert dollars(PriceBook(), deployment(provider="openai"), "x" * 1_000_000) is None
    assert dollars(PriceBook(), deployment(provider="openai"), "") is None


def test_a_price_of_zero_is_a_price() -> None:
    assert dollars(PriceBook({"*:free": rates("0")}), deployment(provider="openai", preset="openrouter"), "m:free") == 0


def test_the_deployments_own_price_wins_then_the_name_then_the_longest_pattern() -> None:
    book = PriceBook({"gpt-4o": rates("1"), "gpt-*": rates("2"), "gpt-4o-*": rates("3"), "*": rates("4")})
    plain, own = deployment(provider="openai"), deployment(provider="openai", price=GIVEN)
    assert dollars(book, own, "gpt-4o") == 7
    assert [dollars(book, plain, name) for name in ("gpt-4o", "gpt-5", "gpt-4o-mini", "o3")] == [1, 2, 3, 4]
    assert dollars(book, deployment(provider="mock"), "mock") == 4


def test_configured_prices_go_by_the_public_name_and_published_ones_by_the_upstreams() -> None:
    alias = deployment("fast", provider="openai", model="gpt-4o-mini")
    assert dollars(PriceBook(), alias, "fast") == 0.15
    assert dollars(PriceBook({"fast": rates("1")}), alias, "fast") == 1
    assert dollars(PriceBook({"gpt-4o-mini": rates("1")}), alias, "fast") == 0.15


def test_a_price_takes_effect_on_its_date_without_a_restart() -> None:
    book, place = PriceBook(), deployment(provider="openai")
    change = datetime(2025, 6, 10, tzinfo=UTC).timestamp()
    asked = [change - 86_400, change - 0.001, change, change + 86_400, change - 1]
    assert [dollars(book, place, "o3", at_s) for at_s in asked] == [10, 10, 2, 2, 10]


def test_a_price_is_worked_out_once_while_it_holds() -> None:
    book, place = PriceBook(), deployment(provider="openai")
    assert book.find(place, "o3", NOW) is book.find(place, "o3", NOW + 3600)


def test_names_that_clients_make_up_do_not_fill_the_memory() -> None:
    book, place = PriceBook(capacity=2), deployment(provider="openai")
    first, often = book.find(place, "gpt-4o-2024-08-06", NOW), book.find(place, "gpt-4o", NOW)
    for number in range(5):
        book.find(place, f"gpt-4o-{number}", NOW)
        assert book.find(place, "gpt-4o", NOW) is often, "what is used stays"
    assert book.find(place, "gpt-4o-2024-08-06", NOW) is not first, "what is not used goes"


def test_two_deployments_of_one_model_keep_their_own_prices() -> None:
    book = PriceBook()
    assert dollars(book, deployment(provider="openai")) == 2.5
    assert dollars(book, deployment(provider="openai", price=GIVEN)) == 7
    assert dollars(book, deployment(provider="openai", preset="vllm")) is None
