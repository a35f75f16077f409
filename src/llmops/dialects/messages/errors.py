"""Anthropic's error shape, as a body and as an event of a stream.

``{"type": "error", "error": {"type": …, "message": …}, "request_id": …}``
"""

import msgspec

from ...errors import (
    Kind,
    LLMOpsError,
    UpstreamBroken,
    UpstreamCredential,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from ..dialect import WireError, plain_error
from ..sse import write_event

_TYPES: dict[Kind, str] = {
    "invalid_request": "invalid_request_error",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "not_found": "not_found_error",
    "too_large": "request_too_large",
    "rate_limit": "rate_limit_error",
    "billing": "billing_error",
    "upstream": "api_error",
    "overloaded": "overloaded_error",
    "timeout": "timeout_error",
    "internal": "api_error",
}
_REFUSED = {"authentication_error": 401, "billing_error": 402, "permission_error": 403}
_REJECTED = {"invalid_request_error": 400, "not_found_error": 404, "request_too_large": 413}


class _Error(msgspec.Struct):
    message: str
    type: str | None = None


class _Body(msgspec.Struct):
    error: _Error


_BODY = msgspec.json.Decoder(_Body)


def read_error(status: int, body: bytes) -> WireError:
    """Read an error body; its ``error.type`` is the code."""
    try:
        error = _BODY.decode(body).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return plain_error(body)
    return WireError(message=error.message, code=error.type)


def stream_error(data: bytes) -> UpstreamError:
    """The error that an ``error`` event stands for: its status line was 200 long ago, so its type must tell."""
    said = read_error(200, data)
    message = f"the upstream reported an error in its stream: {said.message}"
    match said.code:
        case "overloaded_error" | "api_error":
            return UpstreamUnavailable(message, upstream_status=200)
        case "rate_limit_error":
            return UpstreamRateLimited(message, upstream_status=200)
        case "timeout_error":
            return UpstreamTimeout(message, upstream_status=200)
        case str(code) if code in _REFUSED:
            return UpstreamCredential(
                "the provider refused the gateway's credential in its stream; check the deployment's API key",
                upstream_status=_REFUSED[code],
            )
        case str(code) if code in _REJECTED:
            return UpstreamRejected(message, upstream_status=_REJECTED[code], code=code)
    return UpstreamBroken(message, upstream_status=200)


def write_error(error: LLMOpsError, request_id: str) -> bytes:
    """Anthropic's shape has no field for the place of an error, so a message that does not name it is led by it."""
    message = error.message
    if error.param and error.param not in message:
        message = f"{error.param}: {message}"
    body = {"type": "error", "error": {"type": _TYPES[error.kind], "message": message}, "request_id": request_id}
    return msgspec.json.encode(body)


def write_error_event(error: LLMOpsError, request_id: str) -> bytes:
    return write_event(write_error(error, request_id), b"error")
