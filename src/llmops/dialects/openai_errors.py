"""OpenAI's error shape, shared by Chat Completions, Responses and Embeddings."""

from typing import Any

import msgspec

from ..errors import Kind, LLMOpsError, UpstreamRejected
from .dialect import WireError, plain_error
from .sse import write_event

_TYPES: dict[Kind, str] = {
    "invalid_request": "invalid_request_error",
    "not_found": "invalid_request_error",
    "too_large": "invalid_request_error",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "rate_limit": "rate_limit_error",
    "billing": "insufficient_quota",
    "upstream": "upstream_error",
    "overloaded": "overloaded_error",
    "timeout": "timeout_error",
    "internal": "server_error",
}


def read_error(status: int, body: bytes) -> WireError:
    """Read ``{"error": {"message", "code", "param"}}``; vLLM's and Ollama's flatter variants too."""
    try:
        decoded: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return plain_error(body)
    found = decoded.get("error", decoded) if isinstance(decoded, dict) else None
    if isinstance(found, str):
        return WireError(message=found)
    if not isinstance(found, dict) or not isinstance(found.get("message"), str):
        return plain_error(body)
    code, param = found.get("code"), found.get("param")
    return WireError(
        message=found["message"],
        code=code if isinstance(code, str) else None,
        param=param if isinstance(param, str) else None,
    )


def error_object(error: LLMOpsError) -> dict[str, Any]:
    """The object inside ``{"error": …}``."""
    code = error.upstream_code if isinstance(error, UpstreamRejected) else None
    return {"message": error.message, "type": _TYPES[error.kind], "param": error.param, "code": code or error.code}


def write_error(error: LLMOpsError, request_id: str) -> bytes:
    return msgspec.json.encode({"error": {**error_object(error), "request_id": request_id}})


def write_error_event(error: LLMOpsError, request_id: str) -> bytes:
    """An error inside a stream, the way OpenAI's SDKs look for it: a data event with an ``error`` object."""
    return write_event(write_error(error, request_id)) + b"data: [DONE]\n\n"
