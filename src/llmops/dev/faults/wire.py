"""The answering side of one request: from well-formed answers down to single bytes, resets and silence.

Everything that is written passes through ``raw``, which counts it. After ``ended`` the connection is not used again.
"""

import asyncio
import socket
import struct
from collections.abc import Mapping
from http import HTTPStatus

from .request import Ask
from .tally import Tally

_JSON = "application/json"
_SETTLE_S = 0.02
"""Long enough for what was written to be read before the connection is torn down: a reset overtakes data."""
_OVERLOADED = 529
"""Anthropic's, and in no registry."""


class Wire:
    """What a strike writes to."""

    def __init__(
        self,
        ask: Ask,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        tally: Tally,
        *,
        words: int,
        pause_s: float = 0.0,
        hold_s: float = 600.0,
        drip_s: float = 1.0,
    ) -> None:
        """``words`` an answer, with ``pause_s`` between those of a stream; silence lasts ``hold_s`` at most, and
        ``drip_s`` lie between the bytes of a slow answer."""
        self.ask = ask
        self.words = words
        self.pause_s = pause_s
        self.drip_s = drip_s
        self.ended = False
        self._reader = reader
        self._writer = writer
        self._tally = tally
        self._hold_s = hold_s

    # --- well-formed ---

    async def answer(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None, *, content_type: str = _JSON
    ) -> None:
        """A complete answer with its length."""
        fields = {"content-type": content_type, "content-length": str(len(body)), **(headers or {})}
        await self.raw(head(status, fields) + body)

    async def begin(self, *, content_type: str | None = None) -> None:
        """The head of a chunked 200, by default of the type that was asked for."""
        kind = content_type or ("text/event-stream" if self.ask.stream else _JSON)
        await self.raw(head(200, {"content-type": kind, "transfer-encoding": "chunked"}))

    async def chunk(self, data: bytes) -> None:
        await self.raw(b"%x\r\n%b\r\n" % (len(data), data))

    async def end(self) -> None:
        """The end of a chunked answer; the connection stays."""
        await self.raw(b"0\r\n\r\n")

    # --- everything else ---

    async def raw(self, data: bytes) -> None:
        """Bytes as they are; `ConnectionError` once the caller has gone."""
        if self._writer.is_closing():
            raise ConnectionResetError("the caller has gone")
        self._tally.bytes_out += len(data)
        self._writer.write(data)
        await self._writer.drain()

    async def settle(self, seconds: float = _SETTLE_S) -> None:
        """Let the caller read what was written so far."""
        await asyncio.sleep(seconds)
        if self._writer.is_closing() or self._reader.at_eof():
            raise ConnectionResetError("the caller has gone")

    def close(self) -> None:
        """Close the connection in order (FIN), once all is written."""
        self.ended = True

    def reset(self) -> None:
        """Tear the connection down (RST)."""
        self.ended = True
        found: socket.socket = self._writer.get_extra_info("socket")
        if found is not None:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def hold(self) -> None:
        """Say nothing more and keep the connection open, until the caller leaves or the limit is over."""
        self.ended = True
        try:
            async with asyncio.timeout(self._hold_s):
                while await self._reader.read(65_536):
                    pass
        except TimeoutError:
            pass


def head(status: int, headers: Mapping[str, str], *, version: str = "1.1") -> bytes:
    """Status line and headers."""
    phrase = "Overloaded" if status == _OVERLOADED else HTTPStatus(status).phrase
    lines = [f"HTTP/{version} {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n"
