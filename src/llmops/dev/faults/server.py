"""The fault server: plain sockets, since it has to send bytes that no framework would.

A request is struck by the fault that its path names (``/fault/NAME/v1/…``), else by the one in its header ``x-fault``,
else by chance. It binds the loopback address only: it is no server to leave standing in a network.
"""

import asyncio

import msgspec

from ..loopback_server import HOST, LoopbackServer
from .answer import answer_well, error_body
from .fault import Fault
from .lot import Lot
from .request import HEAD_LIMIT_BYTES, Ask, BadRequest, Request, read_ask, read_request
from .table import DNS, FAULTS, TLS, fault_named
from .tally import Tally
from .wire import Wire

COUNTERS_PATHS = ("/_faults", "/ready", "/health")
"""Never struck, so that whoever starts the server can wait for it."""
_PREFIX = "/fault/"
_UNRESOLVABLE = "http://faults.invalid/v1"
_TLS_HANDSHAKE = b"\x16"
LEAST_WORDS = 6
_NOTHING = Ask(operation="other", model="")


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """What is played. ``faults`` are those that may strike by chance; by name each one always can."""

    rate: float = 0.0
    seed: int = 0
    faults: tuple[Fault, ...] = tuple(FAULTS.values())
    words: int = 24
    """Length of an answer."""
    pause_s: float = 0.0
    """Between the words of a healthy stream."""
    hold_s: float = 600.0
    """How long silence lasts at most."""
    drip_s: float = 1.0
    """Between the bytes of a slow answer; to mean something, less than the caller's limit on silence."""


class FaultServer(LoopbackServer):
    """``async with FaultServer() as server``: serves until the block ends. What comes to ``server.url`` is struck by
    chance."""

    def __init__(self, rehearsal: Rehearsal | None = None, *, port: int = 0) -> None:
        """Port 0 takes a free one."""
        self.rehearsal = rehearsal or Rehearsal()
        super().__init__(port, head_limit_bytes=HEAD_LIMIT_BYTES)
        self.tally = Tally()
        self._lot = Lot(self.rehearsal.faults, self.rehearsal.rate, self.rehearsal.seed)

    def url_for(self, name: str) -> str:
        """The base URL of a deployment that is always struck by this fault."""
        return fault_url(name, self.port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tally.connections += 1
        self.tally.open += 1
        try:
            while await self._serve_one(reader, writer):
                pass
            writer.close()
            await writer.wait_closed()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # callers may leave at any time
        finally:
            self.tally.open -= 1
            writer.transport.abort()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; False when the connection is not to be used again."""
        first = await reader.read(1)
        if not first:
            return False
        if first == _TLS_HANDSHAKE:
            return await self._refuse_tls(reader, writer)
        try:
            request = await read_request(first, reader)
            self.tally.bytes_in += request.size
            if request.path in COUNTERS_PATHS:
                counters = msgspec.json.format(msgspec.json.encode(self.tally.shown()))
                await self._wire(_NOTHING, reader, writer).answer(200, counters)
                return True
            name, path = _split(request)
            ask = read_ask(request, path)
            fault = fault_named(name) if name else None
        except (BadRequest, KeyError) as exc:
            self.tally.refused += 1
            await self._wire(_NOTHING, reader, writer).answer(400, error_body(str(exc.args[0])))
            return not isinstance(exc, BadRequest)
        wire = self._wire(ask, reader, writer)
        if fault is None and ask.operation in ("chat", "embeddings"):
            fault = self._lot.draw(stream=ask.stream)
        if fault is None or fault.expectation(stream=ask.stream) is None:
            self.tally.healthy += 1
            await answer_well(wire)
        else:
            self.tally.struck[fault.name] += 1
            await fault.strike(wire)
        return not wire.ended and request.headers.get("connection", "").lower() != "close"

    async def _refuse_tls(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """A caller that speaks TLS to this port asked for `TLS`, whatever its path would have been."""
        self.tally.struck[TLS] += 1
        self.tally.bytes_in += 1 + len(await reader.read(HEAD_LIMIT_BYTES))
        await FAULTS[TLS].strike(self._wire(_NOTHING, reader, writer))
        return False

    def _wire(self, ask: Ask, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Wire:
        played = self.rehearsal
        return Wire(
            ask,
            reader,
            writer,
            self.tally,
            words=_words(played, ask),
            pause_s=played.pause_s,
            hold_s=played.hold_s,
            drip_s=played.drip_s,
        )


def _words(played: Rehearsal, ask: Ask) -> int:
    """The length of an answer: what is played, or as many as the caller takes, but enough for a fault in the middle."""
    return played.words if ask.max_tokens is None else max(LEAST_WORDS, min(played.words, ask.max_tokens))


def fault_url(name: str, port: int) -> str:
    """Where a deployment has to point to be always struck by the fault of that name."""
    if name == DNS:
        return _UNRESOLVABLE
    scheme = "https" if name == TLS else "http"
    return f"{scheme}://{HOST}:{port}{_PREFIX}{name}/v1"


def _split(request: Request) -> tuple[str, str]:
    """The name of the fault that is asked for, or none, and the path without it."""
    if request.path.startswith(_PREFIX):
        name, _, path = request.path.removeprefix(_PREFIX).partition("/")
        return name, f"/{path}"
    return request.headers.get("x-fault", ""), request.path
