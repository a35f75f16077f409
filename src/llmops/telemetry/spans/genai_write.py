"""`Facts` as attributes: how the gateway's own spans speak, in OpenTelemetry's GenAI conventions.

``1.41`` is what most tools read today; ``latest`` has the names of semantic-conventions-genai. What neither has a name
for is under ``llmops.``. `facts_of` reads all of it back. Captured text is not written: its raw form is elsewhere.
"""

from typing import Any, Literal

from .conventions.genai import STEPS
from .facts import Facts
from .span import Attributes

Semconv = Literal["1.41", "latest"]

OPERATIONS = {
    "chat": "chat",
    "responses": "chat",
    "messages": "chat",
    "embeddings": "embeddings",
    "count_tokens": "count_tokens",
}
"""``gen_ai.operation.name`` of the gateway's operations; counting tokens has no name in the conventions."""

PROVIDERS = {"azure": "azure.ai.openai", "gemini": "gcp.gemini", "cache": None, "none": None}
"""``gen_ai.provider.name`` of those of the gateway's providers that are called otherwise there."""

_MICRO = 1_000_000

_SHARED = (
    ("operation", "gen_ai.operation.name"),
    ("provider", "gen_ai.provider.name"),
    ("model", "gen_ai.request.model"),
    ("response_model", "gen_ai.response.model"),
    ("session", "gen_ai.conversation.id"),
    ("session", "session.id"),
    ("user", "user.id"),
    ("tool", "gen_ai.tool.name"),
    ("input_tokens", "gen_ai.usage.input_tokens"),
    ("output_tokens", "gen_ai.usage.output_tokens"),
    ("cached_tokens", "gen_ai.usage.cache_read.input_tokens"),
    ("reasoning_tokens", "gen_ai.usage.reasoning.output_tokens"),
    ("prompt", "gen_ai.prompt.name"),
    ("release_id", "llmops.release_id"),
    ("cost_nanousd", "llmops.cost_nanousd"),
)
_NAMES: dict[Semconv, tuple[tuple[str, str], ...]] = {
    "1.41": (
        *_SHARED,
        ("cache_write_tokens", "gen_ai.usage.cache_creation.input_tokens"),
        ("prompt_version", "llmops.prompt_version"),
    ),
    "latest": (
        *_SHARED,
        ("cache_write_tokens", "gen_ai.usage.cache_write.input_tokens"),
        ("prompt_version", "gen_ai.prompt.version"),
    ),
}


def attributes_of(facts: Facts, semconv: Semconv = "1.41") -> Attributes:
    """The attributes that say these facts; what is None is left out."""
    attributes: Attributes = {}
    for fact, name in _NAMES[semconv]:
        value: Any = getattr(facts, fact)
        if value is not None:
            attributes[name] = value
    if facts.finish_reason is not None:
        attributes["gen_ai.response.finish_reasons"] = [facts.finish_reason]
    if facts.ttft_us is not None:
        attributes["gen_ai.response.time_to_first_chunk"] = facts.ttft_us / _MICRO
    if facts.step != "other" and STEPS.get(facts.operation or "") != facts.step:
        attributes["llmops.step"] = facts.step
    return attributes


def span_name(facts: Facts) -> str:
    """``chat gpt-4o``, ``execute_tool search``: the operation and what it is done with."""
    target = facts.tool if facts.operation == "execute_tool" else facts.model
    operation = facts.operation or facts.step
    return f"{operation} {target}" if target is not None else operation


def operation_name(operation: str) -> str:
    return OPERATIONS.get(operation, operation)


def provider_name(provider: str | None) -> str | None:
    """None where nothing was asked of a provider."""
    return PROVIDERS.get(provider, provider) if provider is not None else None
