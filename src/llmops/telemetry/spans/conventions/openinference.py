"""OpenInference (Arize): ``openinference.span.kind``, ``llm.*`` and lists that are flattened into numbered names."""

from .listed import Side
from .providers import provider
from .texts import text
from .values import Said, count, name, one_of, usd, version

_KINDS = ("llm", "embedding", "chain", "retriever", "reranker", "tool", "agent", "guardrail", "evaluator", "prompt")

NAMES = (
    Said("openinference.span.kind", "step", one_of({kind.upper(): kind for kind in _KINDS} | {k: k for k in _KINDS})),
    Said("llm.provider", "provider", provider),
    Said("llm.system", "provider", provider),
    Said("llm.request.model_name", "model", name),
    Said("llm.model_name", "model", name),
    Said("embedding.model_name", "model", name),
    Said("reranker.model_name", "model", name),
    Said("llm.response.model_name", "response_model", name),
    Said("prompt.id", "prompt", name),
    Said("llm.prompt_template.version", "prompt_version", version),
    Said("tool.name", "tool", name),
    Said("llm.finish_reason", "finish_reason", name),
    Said("llm.token_count.prompt", "input_tokens", count),
    Said("llm.token_count.completion", "output_tokens", count),
    Said("llm.token_count.prompt_details.cache_read", "cached_tokens", count),
    Said("llm.token_count.prompt_details.cache_write", "cache_write_tokens", count),
    Said("llm.token_count.completion_details.reasoning", "reasoning_tokens", count),
    Said("llm.cost.total", "cost_nanousd", usd),
    Said("llm.cost.prompt", "_cost_in", usd),
    Said("llm.cost.completion", "_cost_out", usd),
    Said("reranker.query", "input_text", text),
    Said("input.value", "input_text", text),
    Said("output.value", "output_text", text),
)

LISTS = (
    Side("llm.input_messages.", "input_text", "chat"),
    Side("llm.output_messages.", "output_text", "chat"),
    Side("llm.prompts.", "input_text", "text_completion", ".prompt.text"),
    Side("llm.choices.", "output_text", "text_completion"),
    Side("embedding.embeddings.", "input_text", "embeddings"),
    Side("retrieval.documents.", "output_text", "retrieval"),
    Side("reranker.output_documents.", "output_text"),
)
