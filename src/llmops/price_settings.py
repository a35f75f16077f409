"""The shape of a price in the configuration: USD per million tokens, each kind of token with a rate of its own.

Kept apart from `settings` because models by name and single deployments share it. Numbers are read exactly as they are
written: ``0.1`` in YAML is one tenth, not the nearest binary fraction.
"""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _no_flag(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a number, in USD per million tokens")
    return value


_DIGITS = 12
Rate = Annotated[Decimal, BeforeValidator(_no_flag), Field(ge=0, le=1_000_000, decimal_places=_DIGITS)]
Fee = Annotated[Decimal, BeforeValidator(_no_flag), Field(ge=0, le=10_000, decimal_places=_DIGITS)]


class PriceSettings(BaseModel):
    """What one call costs, in USD per million tokens. A rate of 0 is free; no rate is ever assumed to be 0."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Rate = Field(description="Prompt.")
    output: Rate = Field(description="Answer, reasoning included. For embeddings: 0.")
    cached_input: Rate | None = Field(None, description="Prompt read from the provider's cache; default: `input`.")
    cache_write: Rate | None = Field(None, description="Prompt written to that cache; default: `input`.")
    cache_write_1h: Rate | None = Field(None, description="Written to be kept an hour; default: `cache_write`.")
    input_audio: Rate | None = Field(None, description="Audio in the prompt; default: `input`.")
    cached_audio: Rate | None = Field(
        None, description="Audio read from the cache; default: `input_audio` where that is set, else `cached_input`."
    )
    output_audio: Rate | None = Field(None, description="Audio in the answer; default: `output`.")
    reasoning: Rate | None = Field(None, description="Reasoning in the answer; default: `output`.")
    per_request: Fee = Field(Decimal(0), description="Each call, in USD, whatever its tokens.")
