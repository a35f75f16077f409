"""What stands beside every convention: our own names, sessions and users as OpenTelemetry says them, and Langfuse's.

Our own are first in everything: they are what this gateway and `llmops.tracing` write.
"""

from .texts import messages, text
from .values import Said, count, field, name, nanousd, one_of, usd, version

_STEPS = (
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
)
_OBSERVATIONS = {"generation": "llm", "span": "chain"} | {
    kind: kind for kind in ("embedding", "agent", "tool", "chain", "retriever", "evaluator", "guardrail")
}

OURS = (
    Said("llmops.step", "step", one_of({step: step for step in _STEPS})),
    Said("llmops.release_id", "release_id", name),
    Said("llmops.prompt", "prompt", name),
    Said("llmops.prompt_version", "prompt_version", version),
    Said("llmops.session", "session", name),
    Said("llmops.user", "user", name),
    Said("llmops.cost_nanousd", "cost_nanousd", nanousd),
    Said("llmops.input", "input_text", text),
    Said("llmops.output", "output_text", text),
)

GENERAL = (
    Said("session.id", "session", name),
    Said("user.id", "user", name),
    Said("enduser.id", "user", name),
    Said("enduser.pseudo.id", "user", name),
)

LANGFUSE = (
    Said("langfuse.observation.type", "step", one_of(_OBSERVATIONS)),
    Said("langfuse.session.id", "session", name),
    Said("langfuse.user.id", "user", name),
    Said("langfuse.release", "release_id", name),
    Said("langfuse.observation.prompt.name", "prompt", name),
    Said("langfuse.observation.prompt.version", "prompt_version", version),
    Said("langfuse.observation.model.name", "model", name),
    Said("langfuse.observation.usage_details", "input_tokens", field("input", count)),
    Said("langfuse.observation.usage_details", "output_tokens", field("output", count)),
    Said("langfuse.observation.cost_details", "cost_nanousd", field("total", usd)),
    Said("langfuse.observation.input", "input_text", messages),
    Said("langfuse.observation.output", "output_text", messages),
)

OTHERS = (
    Said("mcp.method.name", "step", one_of({"tools/call": "tool"})),
    Said("db.system", "_database", name),
    Said("db.system.name", "_database", name),
)
