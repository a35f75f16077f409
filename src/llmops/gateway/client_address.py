"""Whose address a request comes from, also behind a proxy.

A connection from a trusted proxy carries the caller's address in ``X-Forwarded-For``, to which every proxy adds the one
it was called from: read from the right, the first that is not a trusted proxy is the caller. What stands left of it was
the caller's to write, and is not believed. Loopback is trusted unless configured otherwise, so that a proxy on this
machine does not make the whole world look like this machine.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from .asgi import Scope

Network = IPv4Network | IPv6Network


class ClientAddress:
    """Finds the caller's address. ``trusted`` are networks such as ``10.0.0.0/8``."""

    def __init__(self, trusted: Sequence[str]) -> None:
        self._trusted = tuple(ip_network(each, strict=False) for each in trusted)
        self._is_trusted = lru_cache(maxsize=4096)(self._look_up)

    def of(self, scope: Scope, headers: dict[bytes, bytes]) -> str | None:
        """The caller's address; None for one without, such as on a Unix socket."""
        client = scope.get("client")
        peer: str | None = client[0] if client else None
        forwarded = headers.get(b"x-forwarded-for")
        if forwarded is None or peer is None or not self._is_trusted(peer):
            return peer
        caller = peer
        for part in reversed(forwarded.decode("latin-1").split(",")):
            address = _address_of(part.strip())
            if address is None:  # nobody's address: the last proxy that could be believed is the best guess
                return caller
            caller = address
            if not self._is_trusted(caller):
                return caller
        return caller

    def _look_up(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
        return any((mapped or parsed) in network for network in self._trusted)


def _address_of(text: str) -> str | None:
    """An address as proxies write it: plain, with a port, or IPv6 in brackets."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return None
