"""The gateway under the replayed trace: a process of its own with two deployments, and a look into it."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmops.dev.faults import FaultServer
from tests.fakes.gateway import Connection, http_request
from tests.serving import HOST, environment, free_port

from .watched_gateway import PATH

MODEL = "conversation"
_LIMIT_S = 1.0
_START_S = 20.0
_STOP_S = 20.0
_DATABASE = "llmops.db"
_POOL = 4
_SOCKETS = "socket:[N]"


@dataclass(frozen=True)
class Look:
    """The process at one moment. ``sockets`` are those that are no idle connection to an upstream."""

    tasks: int
    sockets: int
    files: dict[str, int]
    resident_mib: float
    upstream_connections: int
    is_idle: bool
    """No call under way, and the log written."""

    def is_within(self, before: "Look") -> bool:
        """Nothing is there more often than before, but for connections in the database's pool, which are bounded."""
        files = all(
            count <= before.files.get(name, 0) + (_POOL if name.startswith(_DATABASE) else 0)
            for name, count in self.files.items()
        )
        return files and self.tasks <= before.tasks and self.sockets <= before.sockets


class WatchedGateway:
    """What the ``with`` block of `watched_gateway` gets."""

    def __init__(self, port: int, folder: Path, process: "subprocess.Popen[bytes]") -> None:
        self.port = port
        self._folder = folder
        self._process = process

    @property
    def said(self) -> str:
        return (self._folder / "output.txt").read_text()

    async def look(self) -> Look:
        seen, status = await self._get(PATH), await self._get("/api/status")
        files = seen["files"]
        upstream: int = status["upstream_connections"]
        return Look(
            tasks=seen["tasks"],
            sockets=files.pop(_SOCKETS, 0) - upstream,
            files=files,
            resident_mib=seen["resident_mib"],
            upstream_connections=upstream,
            is_idle=status["in_flight"] == 0 and status["log"]["waiting"] == 0,
        )

    async def ready(self) -> None:
        deadline_s = asyncio.get_running_loop().time() + _START_S
        while True:
            assert self._process.poll() is None, f"the gateway did not start: {self.said[-2000:]}"
            try:
                await self._get("/ready")
                return
            except (OSError, EOFError, ValueError):
                late = asyncio.get_running_loop().time() > deadline_s
                assert not late, f"the gateway is not ready in time: {self.said[-2000:]}"
                await asyncio.sleep(0.05)

    async def _get(self, path: str) -> Any:
        async with Connection(*await asyncio.open_connection(HOST, self.port, limit=2**20)) as connection:
            await connection.send(http_request("GET", path, None))
            answer = await connection.read_answer()
        if answer.status != 200:
            raise ValueError(f"{path}: {answer.status} {answer.body[:200]!r}")
        return answer.json()


@asynccontextmanager
async def watched_gateway(folder: Path, upstreams: Sequence[FaultServer]) -> AsyncIterator[WatchedGateway]:
    """Serves until the block ends, which waits until all is written."""
    port = free_port()
    file = folder / "gateway.yaml"
    file.write_text(json.dumps(_config(folder, port, upstreams)))  # JSON is YAML
    process = _start(folder, file)
    try:
        gateway = WatchedGateway(port, folder, process)
        await gateway.ready()
        yield gateway
    finally:
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, _STOP_S)
        finally:
            process.kill()
            process.wait()


def _start(folder: Path, file: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.resilience_faults.watched_gateway", str(file)]
    with (folder / "output.txt").open("wb") as output:
        return subprocess.Popen(command, cwd=folder, env=environment(), stdout=output, stderr=subprocess.STDOUT)


def _config(folder: Path, port: int, upstreams: Sequence[FaultServer]) -> dict[str, Any]:
    price = {"input": 0.15, "output": 0.60}
    deployments = [
        {"name": f"upstream-{number}", "provider": "openai", "base_url": each.url, "price": price, "weight": 1}
        for number, each in enumerate(upstreams)
    ]
    limits = ("connect_timeout_seconds", "first_byte_timeout_seconds", "idle_timeout_seconds")
    return {
        "models": {MODEL: {"strategy": "weighted", "deployments": deployments}},
        "llm": {**dict.fromkeys(limits, _LIMIT_S), "timeout_seconds": 8},
        "resilience": {"overload": {"max_lag_seconds": 10}},  # a busy machine is not what is rehearsed
        "server": {"host": HOST, "port": port, "drain_delay_seconds": 0},
        "log": {"dir": str(folder / "logs")},
        "database": {"url": f"sqlite:///{folder}/{_DATABASE}"},
    }
