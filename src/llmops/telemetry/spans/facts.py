"""What a span says about LLM work, in one vocabulary, whichever convention it is written in.

The columns of the trace store and the figures of the dashboard are made of these; the span itself is kept beside them.
A fact that a span does not state is None, never a guess.
"""

from typing import Literal

import msgspec

Step = Literal[
    "llm",
    "embedding",
    "retriever",
    "reranker",
    "tool",
    "agent",
    "chain",
    "guardrail",
    "evaluator",
    "prompt",
    "gateway",
    "other",
]
"""What kind of work it is. ``gateway``: a step inside this gateway, such as its limits or its cache."""

Convention = Literal["genai", "openinference", "openllmetry", "none"]


class Facts(msgspec.Struct, kw_only=True, gc=False):
    """Tokens as in `types.Usage`: input includes cached, output includes reasoning. ``cost_nanousd`` is what the span
    itself states (of a gateway's call: what was charged). ``input_text`` and ``output_text`` only where content is
    captured."""

    convention: Convention = "none"
    step: Step = "other"
    operation: str | None = None
    provider: str | None = None
    model: str | None = None
    response_model: str | None = None
    service: str | None = None
    session: str | None = None
    user: str | None = None
    release_id: str | None = None
    prompt: str | None = None
    prompt_version: str | None = None
    tool: str | None = None
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_nanousd: int | None = None
    ttft_us: int | None = None
    input_text: str | None = None
    output_text: str | None = None
