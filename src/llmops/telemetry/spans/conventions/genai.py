"""OpenTelemetry's GenAI conventions: 1.41, the newer names of semantic-conventions-genai, and those up to 1.36.

Newer names stand before older ones and win where a span carries both, as instrumentations in transition do. The span
events of 1.36 and before are read in ``events``.
"""

from .providers import provider
from .texts import messages, text
from .values import Said, count, currency, first_name, name, one_of, seconds, usd, version

STEPS = {
    "chat": "llm",
    "generate_content": "llm",
    "text_completion": "llm",
    "fetch_response": "llm",
    "embeddings": "embedding",
    "retrieval": "retriever",
    "search_memory": "retriever",
    "execute_tool": "tool",
    "create_agent": "agent",
    "invoke_agent": "agent",
    "plan": "agent",
    "invoke_workflow": "chain",
    "apply_guardrail": "guardrail",
}
"""The kind of work of each ``gen_ai.operation.name``."""

NAMES = (
    Said("gen_ai.operation.name", "step", one_of(STEPS)),
    Said("gen_ai.operation.name", "operation", name),
    Said("gen_ai.provider.name", "provider", provider),
    Said("gen_ai.system", "provider", provider),
    Said("gen_ai.request.model", "model", name),
    Said("gen_ai.response.model", "response_model", name),
    Said("gen_ai.conversation.id", "session", name),
    Said("gen_ai.prompt.name", "prompt", name),
    Said("gen_ai.prompt.version", "prompt_version", version),
    Said("gen_ai.tool.name", "tool", name),
    Said("gen_ai.response.finish_reasons", "finish_reason", first_name),
    Said("gen_ai.usage.input_tokens", "input_tokens", count),
    Said("gen_ai.usage.prompt_tokens", "input_tokens", count),
    Said("gen_ai.usage.output_tokens", "output_tokens", count),
    Said("gen_ai.usage.completion_tokens", "output_tokens", count),
    Said("gen_ai.usage.cache_read.input_tokens", "cached_tokens", count),
    Said("gen_ai.usage.cache_write.input_tokens", "cache_write_tokens", count),
    Said("gen_ai.usage.cache_creation.input_tokens", "cache_write_tokens", count),
    Said("gen_ai.usage.reasoning.output_tokens", "reasoning_tokens", count),
    Said("gen_ai.usage.cost.amount", "_amount", usd),
    Said("gen_ai.usage.cost.currency", "_currency", currency),
    Said("gen_ai.usage.cost", "cost_nanousd", usd),
    Said("gen_ai.response.time_to_first_chunk", "ttft_us", seconds),
    Said("gen_ai.input.messages", "input_text", messages),
    Said("gen_ai.tool.call.arguments", "input_text", text),
    Said("gen_ai.retrieval.query.text", "input_text", text),
    Said("gen_ai.prompt", "input_text", messages),
    Said("gen_ai.output.messages", "output_text", messages),
    Said("gen_ai.tool.call.result", "output_text", text),
    Said("gen_ai.retrieval.documents", "output_text", messages),
    Said("gen_ai.completion", "output_text", messages),
)
