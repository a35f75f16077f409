"""An application's side of HTTP: requests to the gateway over kept-alive connections, on the loop that plays.

It uses the transport of the providers, so that nothing else has to be installed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from ..providers.transport import Origin, Transport
from ..types import Timeouts

_LIMIT_BYTES = 10_000_000
_PATIENCE = Timeouts(connect_s=60, first_byte_s=300, idle_s=300, total_s=600)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Answer:
    """A response, read to its end. ``trace_id`` is the call's."""

    status: int
    body: bytes
    trace_id: str

    @property
    def is_well(self) -> bool:
        return self.status < 400

    def json(self) -> Any:
        """Its body; None where that is none, as with streams."""
        try:
            return msgspec.json.decode(self.body)
        except msgspec.DecodeError:
            return None


class Client:
    """Belongs to one event loop; close it."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._origin = Origin("http", host, port)
        self._transport = Transport(_PATIENCE)
        self.calls = 0

    async def post(self, path: str, body: Any, key: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Send JSON; an `LLMOpsError` where there is no answer."""
        return await self.send("POST", path, body, key, headers)

    async def send(
        self, method: str, path: str, body: Any, key: str, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The same by any method; a body of None is none."""
        raw = _encode(body) if body is not None else b""
        fields = {
            "host": self._origin.host_header,
            "content-type": "application/json",
            "content-length": str(len(raw)),
            "authorization": f"Bearer {key}",
            **(headers or {}),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        request = f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + raw
        exchange = await self._transport.request(self._origin, request)
        try:
            answer = await exchange.body(_LIMIT_BYTES)
        finally:
            exchange.close()
        parent = exchange.response_headers.get(b"traceparent", b"").decode("latin-1")
        return Answer(exchange.status, answer, parent[3:35])

    async def aclose(self) -> None:
        await self._transport.aclose()
