"""Posting JSON to a configured address: once, bounded in size and time; no redirect followed, no proxy setting read."""

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

from ....errors import UpstreamError
from ....providers.transport import Origin, Transport
from ....types import Timeouts
from ....version import __version__
from .receiver import DeliveryFailed

_MOST_ANSWER_BYTES = 64 * 1024
_MOST_WAIT_S = 3600.0
_RETRYABLE = frozenset({408, 425, 429})


async def post(url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float) -> None:
    """Raise `DeliveryFailed` unless the answer is 2xx. Errors name the host at most, never the path: it may be a
    secret.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None
    origin = Origin(parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    fields = {
        "Host": origin.host_header,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Accept-Encoding": "identity",
        "User-Agent": f"llmops-lab/{__version__}",
        "Connection": "close",
        **headers,
    }
    head = f"POST {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
    transport = Transport(Timeouts(connect_s=timeout_s, first_byte_s=timeout_s, idle_s=timeout_s, total_s=timeout_s))
    try:
        async with asyncio.timeout(timeout_s):
            exchange = await transport.request(origin, head.encode("ascii") + body)
            status, wait_s = exchange.status, _retry_after_s(exchange.response_headers)
            await exchange.body(_MOST_ANSWER_BYTES)
    except TimeoutError as exc:
        raise DeliveryFailed(f"no answer within {timeout_s:g} s") from exc
    except UpstreamError as exc:
        raise DeliveryFailed(f"{type(exc).__name__}: {origin.host_header}") from exc
    finally:
        await transport.aclose()
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise DeliveryFailed(f"answered with status {status}; redirects are not followed", permanent=True)
    permanent = status < 500 and status not in _RETRYABLE
    raise DeliveryFailed(f"answered with status {status}", permanent=permanent, wait_s=wait_s)


def _retry_after_s(headers: Mapping[bytes, bytes]) -> float | None:
    """Seconds alone: the form with a date would be of the receiver's clock."""
    raw = headers.get(b"retry-after", b"").strip()
    return min(float(raw), _MOST_WAIT_S) if raw.isdigit() and len(raw) < 10 else None
