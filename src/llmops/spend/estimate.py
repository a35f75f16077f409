"""What a call will probably use, before it is made: tokens in, tokens out, and the money that both cost at most."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from ..telemetry.record import MAX_TOKENS
from ..tokens import estimate_prompt
from ..types import Call, Deployment, Usage
from .output_lengths import OutputLengths


class Price(Protocol):
    """What a model costs."""

    def cost(self, usage: Usage) -> int: ...
    def estimate(self, prompt_tokens: int, completion_tokens: int) -> int: ...


class Prices(Protocol):
    """Finds the price of a deployment's model at a time; None where nobody knows it."""

    def find(self, deployment: Deployment, requested_model: str, at_s: float) -> Price | None: ...


class Estimate(msgspec.Struct, frozen=True, gc=False):
    """``nanousd`` is None when no deployment of the model has a known price."""

    prompt_tokens: int
    completion_tokens: int
    nanousd: int | None

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


NOTHING = Estimate(0, 0, 0)


class Estimator:
    def __init__(self, prices: Prices, lengths: OutputLengths) -> None:
        self._prices = prices
        self._lengths = lengths

    def estimate(self, call: Call, deployments: Sequence[Deployment]) -> Estimate:
        """The prompt's estimate plus, for each choice, the lesser of ``max_tokens`` and what answers usually have;
        at the price of the dearest deployment that may take the call."""
        if call.operation == "count_tokens":
            return NOTHING
        view = call.view
        prompt = estimate_prompt(call.body)
        completion = 0
        if call.operation != "embeddings":
            completion = self._lengths.estimate(call.model or "")
            if view.max_tokens is not None and view.max_tokens < completion:
                completion = max(0, view.max_tokens)
            if view.choices > 1:
                completion = min(completion * view.choices, MAX_TOKENS)
        nanousd: int | None = None
        for deployment in deployments:
            price = self._prices.find(deployment, view.model, call.started_at_s)
            if price is not None:
                nanousd = max(nanousd or 0, price.estimate(prompt, completion))
        return Estimate(prompt, completion, nanousd)
