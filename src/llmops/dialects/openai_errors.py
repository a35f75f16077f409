"""OpenAI's error shape, shared by Chat Completions, Responses and Embeddings."""

from typing import Any

import msgspec

from ..errors import (
    Kind,
    LLMOpsError,
    UpstreamCredential,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamUnavailable,
)
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
NOTHING_LEFT = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
"""The account is used up: waiting does not help."""


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
    code, kind, param = found.get("code"), found.get("type"), found.get("param")
    if isinstance(kind, str) and kind in NOTHING_LEFT:
        code = kind
    return WireError(
        message=found["message"],
        code=code if isinstance(code, str) else None,
        param=param if isinstance(param, str) else None,
    )


def event_error(said: WireError) -> UpstreamError:
    """The error that an error inside a 200 answer stands for. Its code tells what the status line would have: of the
    account or the credential (the provider's words, which may quote it, are kept from the caller), or of patience."""
    if said.code in NOTHING_LEFT:
        return UpstreamCredential(
            "the account behind the deployment's API key has nothing left at the provider (said inside its answer); "
            "check its plan and billing",
            upstream_status=429,
        )
    if said.code == "invalid_api_key":
        return UpstreamCredential(
            "the provider refused the gateway's credential inside its answer; check the deployment's API key",
            upstream_status=401,
        )
    message = f"the upstream reported an error in its stream: {said.message}"
    if said.code == "rate_limit_exceeded":
        return UpstreamRateLimited(message, upstream_status=429)
    return UpstreamUnavailable(message, upstream_status=200)


def error_object(error: LLMOpsError) -> dict[str, Any]:
    """The object inside ``{"error": …}``."""
    code = error.upstream_code if isinstance(error, UpstreamRejected) else None
    return {"message": error.message, "type": _TYPES[error.kind], "param": error.param, "code": code or error.code}


def write_error(error: LLMOpsError, request_id: str) -> bytes:
    return msgspec.json.encode({"error": {**error_object(error), "request_id": request_id}})


def write_error_event(error: LLMOpsError, request_id: str) -> bytes:
    """An error inside a stream, the way OpenAI's SDKs look for it: a data event with an ``error`` object."""
    return write_event(write_error(error, request_id)) + b"data: [DONE]\n\n"
