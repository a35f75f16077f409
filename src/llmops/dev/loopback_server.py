"""A server of the developer's own, on the loopback address only: plain sockets, a task for each connection.

One task serves a connection and lives exactly as long as that; leaving the server ends them all.
"""

import asyncio
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from ..errors import PortTaken

HOST = "127.0.0.1"
_BACKLOG = 4096


class LoopbackServer(ABC):
    """``async with``: serves until the block ends. ``port`` 0 takes a free one and is the one taken then."""

    def __init__(self, port: int, *, head_limit_bytes: int) -> None:
        self.port = port
        self._head_limit_bytes = head_limit_bytes
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The base URL of a deployment that is here."""
        return f"http://{HOST}:{self.port}/v1"

    async def __aenter__(self) -> Self:
        try:
            self._server = await asyncio.start_server(
                self._accept, HOST, self.port, limit=self._head_limit_bytes, backlog=_BACKLOG
            )
        except OSError as exc:
            raise PortTaken(
                f"{HOST}:{self.port} cannot be bound ({exc.strerror or exc}); choose another port with --port"
            ) from exc
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

    @abstractmethod
    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
