"""A scripted HTTP/1.1 server on a real socket: it records what it is sent and answers as the test's script says.

A script is an async function of a `Wire`; after it the connection is kept alive, unless the script closed it. A caller
that hangs up cancels the script, which is how tests see that an upstream's work was stopped. What a script raises fails
the test when the server is left.
"""

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """One request as it arrived. ``connection`` counts connections from 0; header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query)

    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """The answering side of one request."""

    def __init__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self.request = request
        self.ended = False
        self.writer = writer

    async def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(
        self, status: int, body: bytes | dict[str, Any] | list[Any], headers: Mapping[str, str] | None = None
    ) -> None:
        """A complete answer with its length; what is not bytes is sent as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {"content-type": "application/json", **(headers or {}), "content-length": str(len(raw))}
        await self.raw(head(status, fields) + raw)

    async def begin(
        self, status: int = 200, content_type: str = "text/event-stream", headers: Mapping[str, str] | None = None
    ) -> None:
        """The head of a chunked answer."""
        await self.raw(head(status, {"content-type": content_type, "transfer-encoding": "chunked", **(headers or {})}))

    async def chunk(self, data: bytes) -> None:
        await self.raw(b"%x\r\n%b\r\n" % (len(data), data))

    async def end(self) -> None:
        await self.raw(b"0\r\n\r\n")

    async def sse(self, events: Iterable[bytes], *, pieces: int | None = None, pause_s: float = 0.0) -> None:
        """A whole stream: an event a chunk, or cut into chunks of ``pieces`` bytes regardless of events."""
        await self.begin()
        parts = list(events)
        if pieces is not None:
            joined = b"".join(parts)
            parts = [joined[start : start + pieces] for start in range(0, len(joined), pieces)]
        for part in parts:
            await self.chunk(part)
            if pause_s:
                await asyncio.sleep(pause_s)
        await self.end()

    def close(self) -> None:
        """Close the connection in order."""
        self.ended = True

    def cut(self) -> None:
        """Tear the connection down: the other side sees a reset, not an end."""
        self.ended = True
        found: socket.socket = self.writer.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Wire], Awaitable[None]]


def head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Status", *(f"{name}: {value}" for name, value in headers.items())]
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n"


def answering(
    status: int, body: bytes | dict[str, Any] | list[Any], headers: Mapping[str, str] | None = None
) -> Script:
    """The script that always gives this answer."""

    async def script(wire: Wire) -> None:
        await wire.answer(status, body, headers)

    return script


class Upstream:
    """``async with Upstream(script) as upstream``: serves on ``upstream.url`` until the block ends."""

    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.requests: list[Request] = []
        self.connections = 0
        self.open = 0
        self.hung_up = 0
        """Requests whose caller left before the script had ended."""
        self.failures: list[BaseException] = []
        self.port = 0
        self._tls = tls
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await self._server.wait_closed()
        if self.failures and exc is None:
            raise self.failures[0]

    async def until_open(self, count: int, within_s: float = 1.0) -> bool:
        """Whether the number of open connections comes down to ``count`` in time."""
        return await eventually(lambda: self.open <= count, within_s)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        number, self.connections, self.open = self.connections, self.connections + 1, self.open + 1
        first = asyncio.ensure_future(reader.read(1))
        script: asyncio.Future[None] | None = None
        try:
            while byte := await first:
                request = await _read_request(byte, reader, number)
                self.requests.append(request)
                first = asyncio.ensure_future(reader.read(1))
                wire = Wire(request, writer)
                script = asyncio.ensure_future(self.script(wire))
                await asyncio.wait({script, first}, return_when=asyncio.FIRST_COMPLETED)
                if not script.done():
                    self.hung_up += 1
                    script.cancel()
                await self._settle(script)
                if wire.ended:
                    break
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            self.open -= 1
            self._serving.discard(task)
            pending: list[asyncio.Future[Any]] = [first, *([script] if script else [])]
            for future in pending:
                future.cancel()
            writer.close()
            await asyncio.gather(*pending, return_exceptions=True)

    async def _settle(self, script: "asyncio.Future[None]") -> None:
        await asyncio.wait({script})
        if script.cancelled():
            return
        error = script.exception()
        if error is not None and not isinstance(error, ConnectionError):
            self.failures.append(error)


async def _read_request(first: bytes, reader: asyncio.StreamReader, connection: int) -> Request:
    raw = first + await reader.readuntil(b"\r\n\r\n")
    start, *lines = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, version = start.split(" ")
    assert version == "HTTP/1.1"
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        assert name.lower() not in headers, f"the header {name!r} is sent twice"
        headers[name.lower()] = value
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, target, headers, body, connection)


async def eventually(condition: Callable[[], bool], within_s: float = 1.0) -> bool:
    """Whether ``condition`` comes true in time."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.01)
    return True
