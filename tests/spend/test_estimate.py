"""What a call is expected to use: the prompt, the lesser of its bound and what is usual, at the dearest price."""

from typing import Any

import pytest

from llmops.spend.estimate import Estimate, Estimator
from llmops.spend.output_lengths import OutputLengths
from llmops.spend.price_book import PriceBook
from llmops.telemetry.record import MAX_TOKENS
from llmops.types import Deployment
from tests.spend.deployments import deployment
from tests.spend.till import PRICED, UNPRICED, a_call

DEAR = deployment("m", provider="mock", price={"input": 100, "output": 200})
FREE = deployment("m", provider="mock", price={"input": 0, "output": 0})


def estimate(*deployments: Deployment, learnt: int | None = None, **fields: Any) -> Estimate:
    lengths = OutputLengths(100)
    for _ in range(20 if learnt is not None else 0):
        lengths.observe("m", learnt or 0)
    return Estimator(PriceBook(), lengths).estimate(a_call(**fields), deployments or (PRICED,))


@pytest.mark.parametrize(
    ("fields", "prompt", "completion"),
    [
        ({}, 100, 100),
        ({"max_tokens": 30}, 100, 30),
        ({"max_tokens": 5000}, 100, 100),
        ({"max_tokens": 0}, 100, 0),
        ({"max_tokens": -7}, 100, 0),
        ({"learnt": 6}, 100, 6),
        ({"learnt": 6, "max_tokens": 4}, 100, 4),
        ({"choices": 3}, 100, 300),
        ({"choices": 3, "max_tokens": 10}, 100, 30),
        ({"choices": 10**30}, 100, MAX_TOKENS),
        ({"operation": "embeddings"}, 100, 0),
        ({"operation": "count_tokens"}, 0, 0),
        ({"body": b""}, 0, 100),
        ({"body": b"x" * 5}, 2, 100),
    ],
)
def test_tokens(fields: dict[str, Any], prompt: int, completion: int) -> None:
    found = estimate(**fields)
    assert (found.prompt_tokens, found.completion_tokens) == (prompt, completion)
    assert found.tokens == prompt + completion


def test_an_image_counts_as_one_and_not_as_its_letters() -> None:
    body = b'{"url":"data:image/png;base64,' + b"A" * 4_000_000 + b'"}'
    assert 1500 <= estimate(body=body).prompt_tokens < 1600


@pytest.mark.parametrize(
    ("deployments", "nanousd"),
    [
        ((PRICED,), 100 * 150 + 100 * 600),
        ((PRICED, DEAR), 100 * 100_000 + 100 * 200_000),
        ((DEAR, PRICED), 100 * 100_000 + 100 * 200_000),
        ((UNPRICED, PRICED), 100 * 150 + 100 * 600),
        ((UNPRICED,), None),
        ((FREE,), 0),
    ],
)
def test_money_is_that_of_the_dearest_place_the_call_may_go(
    deployments: tuple[Deployment, ...], nanousd: int | None
) -> None:
    assert estimate(*deployments).nanousd == nanousd


def test_counting_tokens_costs_nothing_wherever_it_goes() -> None:
    assert estimate(UNPRICED, operation="count_tokens").nanousd == 0
