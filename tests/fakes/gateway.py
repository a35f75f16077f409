"""The gateway on a real uvicorn server inside the test's own event loop, and a raw HTTP client to talk to it.

The client speaks bytes, so that a test can send what no well-behaved library would, stop reading, or hang up.
"""

import asyncio
import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn

from llmops.assembly import build_gateway
from llmops.settings import Settings

USER = [{"role": "user", "content": "Hi"}]
CHAT: dict[str, Any] = {"model": "mock", "messages": USER}
MESSAGES: dict[str, Any] = {"model": "mock", "max_tokens": 64, "messages": USER}


def settings_for(
    log_dir: Path, models: Mapping[str, Any] | None = None, **sections: Mapping[str, Any] | Sequence[Any]
) -> Settings:
    """Settings with these models beside the mock; nothing is read from files or the environment.

    A failure is one attempt's unless ``resilience`` is asked for: retries would hide what is tested, and take time. The
    database, if one is made, lies beside the log.
    """
    given: dict[str, Any] = {
        name: dict(section) if isinstance(section, Mapping) else section for name, section in sections.items()
    }
    given.setdefault("resilience", {"enabled": False})
    given["log"] = {"dir": str(log_dir), "flush_milliseconds": 5, **given.get("log", {})}
    given["database"] = {"url": f"sqlite:///{log_dir.parent / 'llmops.db'}", **given.get("database", {})}
    given["server"] = {"drain_delay_seconds": 0, **given.get("server", {})}
    return Settings.model_validate({**given, "models": dict(models or {})})


@dataclass(frozen=True)
class Answer:
    """A response; header names in lower case, the body without its transfer coding."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """A client's connection, raw."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def read_head(self) -> tuple[int, dict[str, str]]:
        raw = await self.reader.readuntil(b"\r\n\r\n")
        start, *lines = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        fields = [line.split(": ", 1) for line in lines]
        return int(start.split(" ")[1]), {name.lower(): value for name, value in fields}

    async def read_chunk(self) -> bytes:
        """The next chunk of a chunked body; ``b""`` at its end."""
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        data = await self.reader.readexactly(size)
        await self.reader.readexactly(2)
        return data

    async def read_answer(self) -> Answer:
        status, headers = await self.read_head()
        if "content-length" in headers:
            return Answer(status, headers, await self.reader.readexactly(int(headers["content-length"])))
        parts = []
        while chunk := await self.read_chunk():
            parts.append(chunk)
        return Answer(status, headers, b"".join(parts))

    def hang_up(self) -> None:
        """Leave at once, as a killed process would."""
        self.writer.transport.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            pass


class _Server(uvicorn.Server):
    """uvicorn without its clock: it serves until it is told to stop, and stops at once."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stopping = asyncio.Event()

    async def main_loop(self) -> None:
        await self.stopping.wait()


class Gateway:
    """``async with Gateway(settings) as gateway``: a started server on a free port."""

    def __init__(self, settings: Settings) -> None:
        self.log_dir = settings.log.dir
        self.app = build_gateway(settings)
        self._server = _Server(
            uvicorn.Config(
                self.app,
                lifespan="on",
                log_config=None,
                http="httptools",
                ws="none",
                access_log=False,
                timeout_graceful_shutdown=1,
            )
        )

    async def __aenter__(self) -> Self:
        # With its protocol named, or asyncio leaves Nagle's algorithm on and every answer takes 40 ms.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._serving = asyncio.create_task(self._server._serve([self._socket]))
        while not self._server.started:
            assert not self._serving.done(), "the server did not start"
            await asyncio.sleep(0.001)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stopping.set()
        await self._serving
        self._socket.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def connect(self) -> Connection:
        return Connection(*await asyncio.open_connection("127.0.0.1", self.port, limit=2**22))

    async def open(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Connection:
        """Send a POST and return its connection, the answer unread."""
        connection = await self.connect()
        await connection.send(http_request("POST", path, body, headers))
        return connection

    async def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
        async with await self.open(path, body, headers) as connection:
            return await connection.read_answer()

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        async with await self.connect() as connection:
            await connection.send(http_request("GET", path, None, headers))
            return await connection.read_answer()

    async def records(self) -> list[dict[str, Any]]:
        """Every line of the request log, written out first."""
        assert (await self.get("/metrics")).status == 200
        file = self.log_dir / "gateway.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    async def status(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.get("/api/status")).json()
        return found


def http_request(method: str, path: str, body: Any, headers: Mapping[str, str] | None = None) -> bytes:
    """A request as bytes; what is neither bytes nor None is sent as JSON."""
    raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"Host": "gateway", "Content-Type": "application/json", "Content-Length": str(len(raw)), **(headers or {})}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n" + raw
