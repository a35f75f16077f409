"""Gemini's error shape (``google.rpc.Status``), alone or as a one-element list, and what an error event means.

Of the ``details`` only the reason API_KEY_INVALID is read: Google answers a wrong key with 400 INVALID_ARGUMENT, and
without it the gateway's own fault would look like the caller's. RetryInfo is not read.
"""

from typing import Any

import msgspec

from ...errors import (
    UpstreamCredential,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from ..dialect import WireError, plain_error

INVALID_KEY = "API_KEY_INVALID"

#: HTTP statuses of Google's canonical codes, for an error that names only its status.
_STATUSES = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
_RETRYABLE_4XX = (409, 499)  # aborted or cancelled on the provider's side


def read_error(status: int, body: bytes) -> WireError:
    """Read ``{"error": {"code", "message", "status"}}``; the code is Google's status word, or API_KEY_INVALID."""
    found = _find(body)
    if found is None or not isinstance(found.get("message"), str):
        return plain_error(body)
    word = found.get("status")
    code = INVALID_KEY if _has_invalid_key(found.get("details")) else word if isinstance(word, str) else None
    return WireError(message=found["message"], code=code)


def event_error(body: bytes) -> UpstreamError:
    """The error that an ``error`` object inside a 200 answer stands for."""
    said = read_error(200, body)
    status = _status(_find(body) or {})
    if said.code == INVALID_KEY or status in (401, 403):
        return UpstreamCredential(
            "the provider refused the gateway's credential; check the deployment's API key", upstream_status=status
        )
    if status == 429:
        return UpstreamRateLimited(f"the provider asks to slow down: {said.message}", upstream_status=status)
    if status in (408, 504):
        return UpstreamTimeout(f"the provider timed out: {said.message}", upstream_status=status)
    if 400 <= status < 500 and status not in _RETRYABLE_4XX:
        return UpstreamRejected(said.message, upstream_status=status, code=said.code)
    return UpstreamUnavailable(f"the upstream reported an error in its answer: {said.message}", upstream_status=status)


def _find(body: bytes) -> dict[str, Any] | None:
    try:
        decoded: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    match decoded:
        case {"error": dict(found)} | [{"error": dict(found)}]:
            return found
    return None


def _has_invalid_key(details: Any) -> bool:
    return isinstance(details, list) and any(
        isinstance(detail, dict) and detail.get("reason") == INVALID_KEY for detail in details
    )


def _status(found: dict[str, Any]) -> int:
    code, word = found.get("code"), found.get("status")
    if isinstance(code, int) and 400 <= code < 600:
        return code
    return _STATUSES.get(word, 500) if isinstance(word, str) else 500
