"""Real servers for tests: a subprocess on a free port, in a folder of its own, always ended by its process id."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple

from typer.testing import CliRunner

from llmops.cli.root import app

ROOT = Path(__file__).parents[1]
HOST = "127.0.0.1"
LIMIT_S = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what would configure a gateway, and with the checkout importable both ways.
    Python keeps what it has compiled, also where the environment says otherwise: the next process starts sooner."""
    ours = (
        "LLM_",
        "LLMOPS_",
        "CACHE_",
        "RATE_LIMIT_",
        "OPENAI_",
        "ANTHROPIC_",
        "PROMPT_",
        "LOG_DIR",
        "PYTHONDONTWRITE",
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]), **(extra or {})}


class Answer(NamedTuple):
    status: int
    headers: Message
    body: bytes


class Server:
    """A server under test. Its output is in ``output``."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, output: Path) -> None:
        self.process = process
        self.port = port
        self.url = f"http://{HOST}:{port}"
        self._output = output

    @property
    def said(self) -> str:
        return self._output.read_text()

    def get(self, path: str, *, key: str | None = None) -> tuple[int, Any]:
        """Status and decoded body of a GET; status 0 when nothing answers."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
        try:
            connection.request("GET", path, headers=_bearer(key))
            response = connection.getresponse()
            body = response.read()
        except OSError:
            return 0, None
        finally:
            connection.close()
        return response.status, json.loads(body) if body.startswith((b"{", b"[")) else body.decode()

    def chat(self, model: str = "mock", **fields: Any) -> "Answer":
        """A chat call to its end."""
        with self.stream(model, **fields) as response:
            return Answer(response.status, response.headers, response.read())

    @contextmanager
    def stream(self, model: str, *, key: str | None = None, **fields: Any) -> Iterator[http.client.HTTPResponse]:
        """A chat call whose answer is still open."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=LIMIT_S)
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], **fields}
        try:
            connection.request("POST", "/v1/chat/completions", json.dumps(body), _bearer(key))
            with connection.getresponse() as response:
                yield response
        finally:
            connection.close()

    def children(self) -> list[int]:
        """Process ids of its living children."""
        found: list[int] = []
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
        return found

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, limit_s: float = LIMIT_S) -> int:
        """The exit status."""
        return self.process.wait(limit_s)


def _bearer(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def until(condition: Any, what: str, limit_s: float = LIMIT_S) -> Any:
    """The first true answer of ``condition``."""
    deadline_s = time.monotonic() + limit_s
    while not (found := condition()):
        assert time.monotonic() < deadline_s, f"waited {limit_s:g} s for {what}"
        time.sleep(0.02)
    return found


@contextmanager
def running(command: list[str], folder: Path, port: int, env: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run ``python <command>`` in ``folder`` and wait until it is ready."""
    output = folder / f"output-{port}.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env=environment(env),
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    server = Server(process, port, output)
    try:
        until(lambda: process.poll() is not None or server.get("/ready")[0] == 200, f"ready: {server.said}")
        assert process.poll() is None, server.said
        yield server
    finally:
        if process.poll() is None:
            children = server.children()
            process.send_signal(signal.SIGINT)  # quicker than SIGTERM: nobody has to turn away first
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                for pid in (process.pid, *children):
                    os.kill(pid, signal.SIGKILL)
        process.wait()


def llmops(*arguments: str, folder: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command of the shell to its end, within this process: starting one takes longer than most commands do. An
    error that would show a traceback is raised. Not beside a running loop, nor in a thread: `llmops_process`."""
    before = dict(os.environ)
    try:
        os.environ.clear()
        os.environ.update(environment(env))
        with contextlib.chdir(folder):
            ran = CliRunner().invoke(app, arguments, prog_name="llmops")
    finally:
        os.environ.clear()
        os.environ.update(before)
    if ran.exception is not None and not isinstance(ran.exception, SystemExit):
        raise ran.exception
    return subprocess.CompletedProcess(["llmops", *arguments], ran.exit_code, ran.stdout, ran.stderr)


def llmops_process(
    *arguments: str, folder: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of the shell to its end, as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "llmops", *arguments],
        cwd=folder,
        env=environment(env),
        text=True,
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )
