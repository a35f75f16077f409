"""Upstream HTTP statuses as errors of our own tree, and the forms in which upstreams ask for patience."""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from ..dialects.dialect import WireError
from ..dialects.openai_errors import NOTHING_LEFT
from ..errors import (
    UpstreamBroken,
    UpstreamCredential,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)

_MAX_RETRY_AFTER_S = 24 * 3600.0


def error_for(status: int, headers: Mapping[bytes, bytes], said: WireError) -> UpstreamError:
    """The error for an answer that is not a success.

    401, 402, 403 and a 429 that means a used-up quota are about the gateway's own credential: the caller sees a 502,
    and the provider's words (which may quote the credential) are kept from it. Other 4xx are the caller's and keep
    their status and message.
    """
    patience = retry_after_s(headers)
    if status == 402 or (status == 429 and said.code in NOTHING_LEFT):  # waiting does not help
        return UpstreamCredential(
            f"the account behind the deployment's API key has nothing left at the provider (HTTP {status}); "
            "check its plan and billing",
            upstream_status=status,
        )
    if status == 429:
        return UpstreamRateLimited(
            f"the provider asks to slow down: {said.message}", retry_after_s=patience, upstream_status=status
        )
    if status in (401, 403) or said.code == "API_KEY_INVALID":  # Gemini calls a bad key a bad request
        return UpstreamCredential(
            f"the provider refused the gateway's credential (HTTP {status}); check the deployment's API key",
            upstream_status=status,
        )
    if status in (408, 504):
        return UpstreamTimeout(f"the provider timed out: {said.message}", upstream_status=status)
    if 400 <= status < 500:
        return UpstreamRejected(said.message, upstream_status=status, param=said.param, code=said.code)
    if status >= 500:
        return UpstreamUnavailable(
            f"the provider answered HTTP {status}: {said.message}", retry_after_s=patience, upstream_status=status
        )
    if 300 <= status < 400:
        return UpstreamBroken(
            f"the provider answered with a redirect (HTTP {status}), which is never followed; "
            "correct the deployment's base_url",
            upstream_status=status,
        )
    return UpstreamBroken(f"the provider answered HTTP {status}, which is no answer to a call", upstream_status=status)


def retry_after_s(headers: Mapping[bytes, bytes]) -> float | None:
    """Seconds to wait from ``retry-after-ms``, ``x-ms-retry-after-ms`` or ``retry-after`` (seconds or an HTTP date).

    None where there is none or it cannot be read; never negative, never more than a day.
    """
    for name in (b"retry-after-ms", b"x-ms-retry-after-ms"):
        if (seconds := _number(headers.get(name))) is not None:
            return _clamp(seconds / 1000)
    value = headers.get(b"retry-after")
    if (seconds := _number(value)) is not None:
        return _clamp(seconds)
    if value:
        try:
            return _clamp(parsedate_to_datetime(value.decode("latin-1")).timestamp() - time.time())
        except (ValueError, TypeError, OverflowError):
            return None
    return None


def _number(value: bytes | None) -> float | None:
    try:
        number = float(value) if value else None
    except ValueError:
        return None
    return number if number is None or number == number else None


def _clamp(seconds: float) -> float:
    return min(max(seconds, 0.0), _MAX_RETRY_AFTER_S)
