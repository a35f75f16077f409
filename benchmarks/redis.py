"""A Redis server for a benchmark: on the load's core, without persistence, and asked how many scripts it has run."""

import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .process import HOST, Process, StartFailed, free_port, running

_START_S = 10.0


def program() -> str | None:
    """Redis, or Valkey, which took its place in later distributions."""
    return shutil.which("redis-server") or shutil.which("valkey-server")


class RedisServer:
    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.url = f"redis://{HOST}:{port}/0"
        self._port = port

    def round_trips(self) -> int:
        """How many scripts it has been sent since it started: each is one exchange with a gateway."""
        found = 0
        for line in self._info("commandstats").splitlines():
            name, _, figures = line.partition(":")
            if name in ("cmdstat_evalsha", "cmdstat_eval"):
                found += int(dict(pair.split("=") for pair in figures.split(","))["calls"])
        return found

    def answers(self) -> bool:
        try:
            return "redis_version" in self._info("server")
        except OSError:
            return False

    def _info(self, section: str) -> str:
        with socket.create_connection((HOST, self._port), timeout=5) as connection:
            connection.sendall(f"INFO {section}\r\n".encode())
            with connection.makefile("rb") as reader:
                size = reader.readline()
                return reader.read(int(size[1:])).decode() if size.startswith(b"$") else ""


@contextmanager
def redis_server(folder: Path, core: int | None) -> Iterator[RedisServer]:
    """A running server; `StartFailed` when there is none to run or it does not answer."""
    binary, port = program(), free_port()
    if binary is None:
        raise StartFailed("no Redis is installed (Debian: apt-get install redis-server)")
    command = [binary, "--bind", HOST, "--port", str(port), "--dir", str(folder), "--save", "", "--appendonly", "no"]
    with running("redis", command, folder=folder, core=core) as process:
        server = RedisServer(process, port)
        deadline_s = time.perf_counter() + _START_S
        while not server.answers():
            if not process.alive() or time.perf_counter() > deadline_s:
                raise StartFailed(f"Redis did not start:\n{process.tail()}")
            time.sleep(0.02)
        yield server
