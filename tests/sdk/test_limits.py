"""Limits and budgets reach the SDKs as the exceptions that their users catch."""

from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest

from .conftest import MODEL

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
Front = Callable[..., Any]
BUDGET = {"usd": "0.5", "name": "team"}
ONE = {"requests_per_second": 0.01, "burst": 1, "name": "one"}


async def test_over_a_limit_is_a_rate_limit_error(front: Front) -> None:
    road = await front({"provider": "mock"}, limits={"rules": [{**ONE, "per": "model"}]})
    first = await road.openai.chat.completions.with_raw_response.create(model=MODEL, messages=HELLO)
    assert first.headers["x-ratelimit-remaining-requests"] == "0"
    with pytest.raises(openai.RateLimitError) as caught:
        await road.openai.chat.completions.create(model=MODEL, messages=HELLO)
    assert caught.value.code == "rate_limit_exceeded" and "the limit 'one' of 0.01 requests" in caught.value.message
    assert int(caught.value.response.headers["retry-after"]) > 90
    with pytest.raises(openai.RateLimitError):
        await road.openai.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    with pytest.raises(openai.RateLimitError):
        await road.openai.responses.create(model=MODEL, input="Hello")
    with pytest.raises(openai.RateLimitError):
        await road.openai.embeddings.create(model=MODEL, input="Hello")
    with pytest.raises(anthropic.RateLimitError, match="the limit 'one'"):
        await road.anthropic.messages.create(model=MODEL, max_tokens=9, messages=HELLO)
    with pytest.raises(anthropic.RateLimitError):
        async with road.anthropic.messages.stream(model=MODEL, max_tokens=9, messages=HELLO):
            pass


async def test_an_sdk_that_retries_gets_through_when_it_may(front: Front) -> None:
    """A client waits for as long as ``Retry-After`` says."""
    road = await front({"provider": "mock"}, limits={"requests_per_second": 1})
    client = road.openai.with_options(max_retries=2)
    for _ in range(2):
        await client.chat.completions.create(model=MODEL, messages=HELLO)
    assert [line["status"] for line in await road.gateway.records()] == [200, 429, 200]


async def test_over_a_budget_is_a_402(front: Front) -> None:
    dear = {"provider": "mock", "price": {"input": 0, "output": 0, "per_request": 1}}
    road = await front(dear, budgets=[BUDGET])
    with pytest.raises(openai.APIStatusError) as caught:
        await road.openai.chat.completions.create(model=MODEL, messages=HELLO)
    assert caught.value.status_code == 402 and caught.value.type == "insufficient_quota"
    assert "the budget 'team' of $0.50 is used up" in caught.value.message
    with pytest.raises(anthropic.APIStatusError) as refused:
        await road.anthropic.messages.create(model=MODEL, max_tokens=9, messages=HELLO)
    assert refused.value.status_code == 402 and "it resets at" in refused.value.message
