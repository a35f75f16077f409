"""A Redis server of the tests' own: Debian's binary, a temporary folder, a free port, nobody else's business.

It can be killed and started again on the same port, with or without what it knew, and stopped for a while so that it
does not answer.
"""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from tests.serving import HOST, free_port

_START_S = 10.0


def binary() -> str | None:
    """The server's program: Redis, or Valkey, which took its place in later distributions."""
    return shutil.which("redis-server") or shutil.which("valkey-server")


class RedisServer:
    """``url`` leads to its first database. With ``durable`` it has written down what it answered, also when killed."""

    def __init__(self, program: str, folder: Path, *, durable: bool = False) -> None:
        self.port = free_port()
        self.url = f"redis://{HOST}:{self.port}/0"
        self._program = program
        self._folder = folder
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        persistence = ["--appendonly", "yes", "--appendfsync", "always"] if self._durable else ["--appendonly", "no"]
        command = [self._program, "--bind", HOST, "--port", str(self.port), "--dir", str(self._folder), "--save", ""]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*command, *persistence], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + _START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Redis did not start: {(self._folder / 'log').read_text()[-1000:]}")
            time.sleep(0.01)

    def kill(self) -> None:
        """As kill -9 does. Harmless where it does not run."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def freeze(self) -> None:
        """Connections stay, answers stop."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def command(self, *words: Any) -> Any:
        """What the server answers to a command."""
        with redis.Redis.from_url(self.url, socket_timeout=5) as client:
            return client.execute_command(*words)  # type: ignore[no-untyped-call]

    def _answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


@contextmanager
def redis_server(program: str, *, durable: bool = False) -> Iterator[RedisServer]:
    """A running server; its folder is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="llmops-redis-", ignore_cleanup_errors=True) as folder:
        server = RedisServer(program, Path(folder), durable=durable)
        server.start()
        try:
            yield server
        finally:
            server.kill()
