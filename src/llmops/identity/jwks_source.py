"""Where an issuer's keys are read from: its JWKS address, or a file.

The address is the configuration's and nothing else's: no redirect is followed, no proxy variable read, no name in a
token looked at. An answer is bounded in size and time.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import UpstreamError
from ..jwt_settings import JwtIssuerSettings
from ..providers.transport import Origin, Transport
from ..types import Timeouts
from ..version import __version__
from .jwks import KeySet, UnusableKeys, read_jwks, read_pem

LIMIT_BYTES = 256 * 1024
_LIMIT_S = 5.0
_TIMEOUTS = Timeouts(connect_s=_LIMIT_S, first_byte_s=_LIMIT_S, idle_s=_LIMIT_S, total_s=_LIMIT_S)


async def read_keys(issuer: JwtIssuerSettings) -> tuple[bytes, KeySet]:
    """What the source says now, and the keys in it; `UnusableKeys` when there are none to be had."""
    if issuer.jwks_url is None:
        return await asyncio.to_thread(read_file, issuer)
    raw = await _fetch(issuer.jwks_url)
    return raw, _understood(raw, read_jwks, issuer.jwks_url)


def read_file(issuer: JwtIssuerSettings) -> tuple[bytes, KeySet]:
    """The same for an issuer with a file; blocks."""
    path, reader = (issuer.jwks_file, read_jwks) if issuer.jwks_file is not None else (issuer.public_key_file, read_pem)
    assert path is not None
    raw = _read(path)
    return raw, _understood(raw, reader, str(path))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(LIMIT_BYTES + 1)
    except OSError as exc:
        raise UnusableKeys(f"{path} cannot be read: {exc.strerror or exc}") from exc
    if len(raw) > LIMIT_BYTES:
        raise UnusableKeys(f"{path} is larger than {LIMIT_BYTES} bytes")
    return raw


def _understood(raw: bytes, reader: Callable[[bytes], KeySet], where: str) -> KeySet:
    try:
        return reader(raw)
    except UnusableKeys as exc:
        raise UnusableKeys(f"{where} {exc.message}") from exc


async def _fetch(url: str) -> bytes:
    parts = urlsplit(url)
    assert parts.hostname is not None
    origin = Origin(parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request = (
        f"GET {target} HTTP/1.1\r\nHost: {origin.host_header}\r\nAccept: application/json\r\n"
        f"Accept-Encoding: identity\r\nUser-Agent: llmops-lab/{__version__}\r\nConnection: close\r\n\r\n"
    )
    transport = Transport(_TIMEOUTS)  # for this once: nothing is kept open for ten minutes
    try:
        async with asyncio.timeout(_LIMIT_S):
            exchange = await transport.request(origin, request.encode("ascii"))
            if exchange.status != 200:
                raise UnusableKeys(f"{url} answered with status {exchange.status}; redirects are not followed")
            return await exchange.body(LIMIT_BYTES)
    except TimeoutError as exc:
        raise UnusableKeys(f"{url} did not answer within {_LIMIT_S:g} s") from exc
    except UpstreamError as exc:
        raise UnusableKeys(f"{url}: {exc.message}") from exc
    finally:
        await transport.aclose()
