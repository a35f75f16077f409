"""A stand for alerts: a database, a clock, figures made by hand, and receivers that are real servers."""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import msgspec

from llmops.alert_settings import AlertSettings, Dimension
from llmops.clock import ManualClock
from llmops.monitoring.alerts.directory import AlertDirectory
from llmops.monitoring.alerts.signals import Watcher
from llmops.monitoring.alerts.sources import Key, Sources, WindowFigures
from llmops.monitoring.alerts.watch import AlertWatch
from llmops.store.database import Database
from llmops.telemetry.rollups.histogram import ONE, bucket_of


class Figures:
    """`sources.CallFigures` that says what it is told to."""

    def __init__(self) -> None:
        self.windows: dict[Key, WindowFigures] = {}
        self.spent: dict[Key, dict[int, int]] = {}

    def calls(self, key: Key, count: int, *, failed: int = 0, seconds: float = 0.1) -> None:
        histogram = ONE[bucket_of(int(seconds * 1_000_000))] * count
        self.windows[key] = WindowFigures(calls=count, failures=failed, latency=histogram)

    def window(self, since_s: float, until_s: float, by: Sequence[Dimension]) -> Mapping[Key, WindowFigures]:
        return self.windows

    def spend(self, hours: Sequence[int], by: Sequence[Dimension]) -> Mapping[Key, Mapping[int, int]]:
        found = {key: {hour: by_hour[hour] for hour in hours if hour in by_hour} for key, by_hour in self.spent.items()}
        return {key: by_hour for key, by_hour in found.items() if by_hour}


class Listener:
    """A server on this machine whose conversations have all ended when it has."""

    async def __aenter__(self) -> Self:
        self._open: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        await asyncio.gather(*self._open)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self.converse(reader, writer)
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
            self._open.discard(task)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError


class HttpReceiver(Listener):
    """A server that keeps what is posted to it, and answers with the statuses it is given, the last one for good; 0:
    not at all."""

    def __init__(self, *statuses: int, headers: str = "") -> None:
        self.statuses = list(statuses or (200,))
        self.headers = headers
        self.requests: list[tuple[str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/s3cret"

    @property
    def bodies(self) -> list[Any]:
        return [msgspec.json.decode(body) for _, _, body in self.requests]

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        start, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        self.requests.append((start, headers, await reader.readexactly(int(headers["content-length"]))))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if not status:
            await reader.read()
            return
        writer.write(f"HTTP/1.1 {status} X\r\n{self.headers}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()


class Stand:
    """Alerts over one database; ``watch`` is a process of it, `another` a further one."""

    def __init__(self, database: Database, section: Mapping[str, Any]) -> None:
        database.ensure()
        self.database = database
        self.clock = ManualClock()
        self.figures = Figures()
        self.breakers: dict[str, str] = {}
        self.lost: dict[str, int] = {}
        self.sources = Sources(calls=self.figures)
        self.settings = AlertSettings.model_validate({"interval_seconds": 10, **section})
        self.directory = AlertDirectory(database, lambda: self.settings, self.clock)
        self.watch = self.another("first")

    def another(self, name: str) -> AlertWatch:
        watcher = Watcher(lambda: self.breakers, lambda: self.lost)
        return AlertWatch(self.database, lambda: self.settings, self.sources, watcher, self.clock, name=name)

    async def round(self, watch: AlertWatch | None = None, *, after_s: float = 0) -> None:
        """One look at the rules, and what is to be delivered then."""
        self.clock.advance(after_s)
        await asyncio.to_thread((watch or self.watch).round)
        await (watch or self.watch).deliver()

    def changes(self) -> list[str]:
        """What has happened, first to last."""
        return [event["change"] for event in reversed(self.directory.history(None))]
