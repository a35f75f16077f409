"""OpenLLMetry (Traceloop): ``traceloop.*``, and what its instrumentations wrote before ``gen_ai.*``."""

from .listed import Side
from .texts import text
from .values import Said, count, name, one_of, version

_KINDS = {"workflow": "chain", "task": "chain", "agent": "agent", "tool": "tool"}
_REQUESTS = {"chat": "llm", "completion": "llm", "embedding": "embedding", "rerank": "reranker"}
_OPERATIONS = {"chat": "chat", "completion": "text_completion", "embedding": "embeddings"}
_OF = "traceloop.association.properties."

NAMES = (
    Said("llm.request.type", "step", one_of(_REQUESTS)),
    Said("traceloop.span.kind", "step", one_of(_KINDS)),
    Said("llm.request.type", "operation", one_of(_OPERATIONS)),
    Said("llm.request.model", "model", name),
    Said("llm.response.model", "response_model", name),
    *(Said(_OF + key, "session", name) for key in ("session_id", "sessionId", "conversation_id", "chat_id")),
    *(Said(_OF + key, "user", name) for key in ("user_id", "userId")),
    Said("gen_ai.user", "user", name),
    Said("llm.user", "user", name),
    Said(_OF + "release_id", "release_id", name),
    Said("traceloop.prompt.key", "prompt", name),
    Said("traceloop.prompt.version", "prompt_version", version),
    Said("traceloop.entity.name", "_entity", name),
    Said("gen_ai.response.finish_reason", "finish_reason", name),
    Said("gen_ai.completion.0.finish_reason", "finish_reason", name),
    Said("llm.response.finish_reason", "finish_reason", name),
    Said("llm.usage.prompt_tokens", "input_tokens", count),
    Said("llm.usage.completion_tokens", "output_tokens", count),
    Said("gen_ai.usage.cache_read_input_tokens", "cached_tokens", count),
    Said("gen_ai.usage.cache_creation_input_tokens", "cache_write_tokens", count),
    Said("gen_ai.usage.reasoning_tokens", "reasoning_tokens", count),
    Said("llm.usage.reasoning_tokens", "reasoning_tokens", count),
    Said("traceloop.entity.input", "input_text", text),
    Said("traceloop.entity.output", "output_text", text),
)

LISTS = (
    Side("gen_ai.prompt.", "input_text"),
    Side("gen_ai.completion.", "output_text"),
    Side("llm.prompts.", "input_text"),
    Side("llm.completions.", "output_text"),
)
