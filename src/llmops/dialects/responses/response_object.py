"""The ``response`` object and its items, as this gateway writes them: in complete replies and in a stream's events.

The object echoes no request: fields that repeat the caller's settings carry OpenAI's defaults, as every field that
the official SDKs require must be there. Ids of items are derived from the answer's id, so that they are repeatable.
"""

from typing import Any

from ...types import Usage
from ..call_proof import write_proof
from ..conversation import FinishReason, Reasoning, ToolCall
from .sealing import seal

_INCOMPLETE: dict[FinishReason, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}


def response_status(finish: FinishReason) -> str:
    if finish == "error":
        return "failed"
    return "incomplete" if finish in _INCOMPLETE else "completed"


def response_object(
    answer_id: str,
    model: str,
    created_s: int,
    output: list[dict[str, Any]],
    *,
    finish: FinishReason | None,
    usage: Usage | None = None,
) -> dict[str, Any]:
    """``finish`` None is an answer still in progress."""
    failed = {"code": "server_error", "message": "the model stopped because of an error"} if finish == "error" else None
    reason = _INCOMPLETE.get(finish) if finish else None
    return {
        "id": answer_id,
        "object": "response",
        "created_at": created_s,
        "status": response_status(finish) if finish else "in_progress",
        "background": False,
        "error": failed,
        "incomplete_details": {"reason": reason} if reason else None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": False,
        "temperature": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": None,
        "truncation": "disabled",
        "usage": write_usage(usage) if usage is not None and usage.source != "none" else None,
        "user": None,
        "metadata": {},
    }


def write_usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }


def numbered_id(prefix: str, answer_id: str, number: int) -> str:
    """``msg_<answer>`` for the first item of its kind, ``msg_<answer>_1`` for the next."""
    return f"{prefix}_{answer_id}_{number}" if number else f"{prefix}_{answer_id}"


def text_content(text: str, logprobs: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}


def refusal_content(text: str) -> dict[str, Any]:
    return {"type": "refusal", "refusal": text}


def message_item(item_id: str, content: list[dict[str, Any]], status: str) -> dict[str, Any]:
    return {"type": "message", "id": item_id, "status": status, "role": "assistant", "content": content}


def call_item(call: ToolCall, status: str) -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": f"fc_{call.id}",
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
        "status": status,
        **write_proof(call.signature),
    }


def reasoning_item(item_id: str, thought: Reasoning) -> dict[str, Any]:
    summary = [{"type": "summary_text", "text": thought.text}] if thought.text else []
    return {
        "type": "reasoning",
        "id": item_id,
        "summary": summary,
        "encrypted_content": seal(thought.signature, thought.encrypted),
    }
