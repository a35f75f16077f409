"""Prices in the configuration: read exactly, and refused with the reason where they cannot be meant."""

from decimal import Decimal
from pathlib import Path

import pytest

from llmops.config import load_settings
from llmops.deployments import build_prices
from llmops.errors import ConfigError
from llmops.settings import Settings, masked
from llmops.types import Usage
from tests.spend.deployments import deployment


def load(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "gateway.yaml"
    file.write_text(text)
    return load_settings(file)


def test_numbers_are_read_as_they_are_written(tmp_path: Path) -> None:
    settings = load(
        tmp_path, "prices: {m: {input: 0.1, output: 0.0375, cached_input: '0.000000000001', per_request: 5}}"
    )
    price = settings.prices["m"]
    assert (price.input, price.output) == (Decimal("0.1"), Decimal("0.0375"))
    assert (price.cached_input, price.per_request) == (Decimal("0.000000000001"), Decimal(5))
    assert price.cache_write is None


def test_every_key_reaches_the_cost(tmp_path: Path) -> None:
    text = """
prices:
  "house-*":
    {input: 1, output: 2, cached_input: 3, cache_write: 4, cache_write_1h: 5, input_audio: 6, cached_audio: 7,
     output_audio: 8, reasoning: 9, per_request: 0.00000001}
"""
    price = build_prices(load(tmp_path, text)).find(deployment(provider="mock"), "house-model", 0.0)
    assert price is not None
    usage = Usage(
        prompt=100_000 + 10_000 + 1_000 + 100 + 10 + 1,
        cached=10_000 + 1,
        cache_write=1_100,
        cache_write_1h=100,
        prompt_audio=10 + 1,
        cached_audio=1,
        completion=400 + 20 + 3,
        completion_audio=20,
        reasoning=3,
    )
    micro = 100_000 + 3 * 10_000 + 4 * 1_000 + 5 * 100 + 6 * 10 + 7 * 1 + 2 * 400 + 8 * 20 + 9 * 3
    assert price.cost(usage) == micro * 1000 + 10


def test_a_deployments_price_wins(tmp_path: Path) -> None:
    text = "prices: {m: {input: 1, output: 1}}\nmodels: {m: [{provider: mock, price: {input: 2, output: 2}}]}"
    settings = load(tmp_path, text)
    own = settings.models["m"].deployments[0].model_dump(exclude_none=True)
    price = build_prices(settings).find(deployment("m", **own), "m", 0.0)
    assert price is not None
    assert price.cost(Usage(prompt=1)) == 2000


def test_the_shown_configuration_has_the_prices(tmp_path: Path) -> None:
    shown = masked(load(tmp_path, "prices: {m: {input: 0.10, output: 2}}"))
    assert Decimal(shown["prices"]["m"]["input"]) == Decimal("0.1")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("prices: {m: {input: -1, output: 1}}", "prices.m.input: -1: must be greater than or equal to 0"),
        ("prices: {m: {input: 1000001, output: 1}}", "prices.m.input: 1000001: must be less than or equal to 1000000"),
        ("prices: {m: {input: 1, output: 1, per_request: 10001}}", "per_request: 10001: must be less than or equal"),
        ("prices: {m: {input: .nan, output: 1}}", "prices.m.input: nan: must be a finite number"),
        ("prices: {m: {input: .inf, output: 1}}", "prices.m.input: inf: must be"),
        ("prices: {m: {input: free, output: 1}}", "prices.m.input: 'free': must be a valid decimal"),
        ("prices: {m: {input: true, output: 1}}", "prices.m.input: True: must be a number, in USD per million tokens"),
        ("prices: {m: {input: 1e-13, output: 1}}", "should have no more than 12 decimal places"),
        ("prices: {m: {input: 1}}", "prices.m.output: is missing"),
        ("prices: {m: {input: 1, output: 1, cached: 1}}", "prices.m.cached: unknown key; did you mean 'cached_input'?"),
        ("prices: {m: 5}", "prices.m: 5: must be a valid dictionary"),
        ("prices: {'': {input: 1, output: 1}}", "'' is not a usable model name"),
        ("models: {m: [{provider: mock, price: {input: -1, output: 1}}]}", "models.m.deployments.0.price.input: -1"),
        ("models: {m: [{provider: mock, price: {inptu: 1, output: 1}}]}", "did you mean 'input'?"),
    ],
)
def test_a_price_that_cannot_be_meant_is_refused(text: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, text)
    assert problem in str(refused.value).replace("Decimal('", "").replace("')", "")
