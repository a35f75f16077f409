"""A gateway process in a folder of its own, driven from an event loop that has other work: nothing here blocks long."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from llmops.opening import open_identity
from llmops.settings import Settings
from tests.fakes.gateway import Connection, http_request
from tests.serving import HOST, environment, free_port

from .load import Caller

_START_LIMIT_S = 30.0
_POLL_S = 0.005


class GatewayProcess:
    """``python -m llmops serve`` over a configuration file. ``settings`` is what the file says, checked."""

    def __init__(self, folder: Path, given: Mapping[str, Any], *, port: int | None = None) -> None:
        """Folders and database lie in ``folder``, unless ``given`` says otherwise."""
        folder.mkdir(parents=True, exist_ok=True)
        config = {
            **given,
            "log": {"dir": str(folder / "logs"), **given.get("log", {})},
            "database": {"url": f"sqlite:///{folder}/llmops.db", **given.get("database", {})},
        }
        self.settings = Settings.model_validate(config)
        self.port = port or free_port()
        self.admin = ""
        self.starts = 0
        self._folder = folder
        self._file = folder / "gateway.yaml"
        self._file.write_text(json.dumps(config))  # JSON is YAML
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log_dir(self) -> Path:
        folder: Path = self.settings.log.dir
        return folder

    @property
    def said(self) -> str:
        """Its output, of all its lives."""
        path = self._folder / "output.txt"
        return path.read_text() if path.exists() else ""

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def make_keys(self, tenants: int, keys: int) -> list[Caller]:
        """So many tenants with so many keys each, and an administrator's key in ``admin``."""
        identity = open_identity(self.settings)
        try:
            callers = []
            for number in range(tenants):
                tenant = identity.registry.create_tenant(f"tenant-{number}").id
                for key in range(keys):
                    _, credential = identity.registry.create_key(name=f"key-{key}", tenant=tenant)
                    callers.append(Caller(tenant, str(credential)))
            self.admin = str(identity.registry.create_key(name="admin", role="admin")[1])
            return callers
        finally:
            identity.close()

    def start(self) -> None:
        self.starts += 1
        command = [sys.executable, "-m", "llmops", "serve", "--port", str(self.port), "--config", str(self._file)]
        with (self._folder / "output.txt").open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=self._folder,
                env=environment({"TMPDIR": str(self._folder)}),  # killed, it cannot tidy up
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    async def ready(self) -> None:
        """Return when it serves."""
        deadline_s = time.monotonic() + _START_LIMIT_S
        while True:
            assert self._process is not None and self._process.poll() is None, f"it did not start: {self.said[-2000:]}"
            try:
                if (await self._get("/ready"))[0] == 200:
                    return
            except (OSError, EOFError):
                pass
            assert time.monotonic() < deadline_s, f"not ready in time: {self.said[-2000:]}"
            await asyncio.sleep(_POLL_S)

    async def healthy(self, limit_s: float) -> list[str]:
        """Wait until it has no problems; those that it still has when the time is over."""
        deadline_s = time.monotonic() + limit_s
        while (problems := await self.problems()) and time.monotonic() < deadline_s:
            await asyncio.sleep(0.05)
        return problems

    def workers(self) -> list[int]:
        """Process ids of its living children."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]

    def kill(self) -> None:
        """As kill -9 does, of it and its workers."""
        if self._process is None or self._process.poll() is not None:
            return
        workers = self.workers()
        self._process.kill()
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        self._process.wait(10)

    def kill_alone(self) -> None:
        """As kill -9 does, of it and not of its children."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    async def stop(self, limit_s: float = 20.0) -> int:
        """SIGTERM, and its exit status."""
        assert self._process is not None
        self._process.terminate()
        return await asyncio.to_thread(self._process.wait, limit_s)

    def terminate(self) -> None:
        assert self._process is not None
        self._process.terminate()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def status(self) -> dict[str, Any]:
        return await self._read("/api/status")

    async def counters(self) -> dict[str, Any]:
        """Its counters compared with the database: how many, and which differ."""
        return await self._read("/api/counters")

    async def problems(self) -> list[str]:
        """What it says of itself at ``/health``."""
        return list((await self._read("/health"))["problems"])

    async def read(self, path: str) -> Any:
        """What it answers there."""
        status, found = await self._get(path)
        assert status == 200, found
        return json.loads(found)

    async def figure(self, name: str) -> float:
        """A metric, summed over its labels."""
        _, text = await self._get("/metrics")
        lines = text.decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((name + " ", name + "{")))

    def resident_mib(self) -> float:
        fields = Path(f"/proc/{self.pid}/status").read_text().split("VmRSS:")[1]
        return int(fields.split()[0]) / 1024

    def processor_s(self) -> float:
        """Processor time that it has taken so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def open_files(self) -> Counter[str]:
        """By what they are, without numbers: a journal or log that took another's place is the same."""
        found: Counter[str] = Counter()
        for link in Path(f"/proc/{self.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                found[re.sub(r"\d+", "N", os.readlink(link))] += 1
        return found

    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/task"))

    async def _read(self, path: str) -> dict[str, Any]:
        status, found = await self._get(path)
        assert status == 200, found
        return dict(json.loads(found))

    async def _get(self, path: str) -> tuple[int, bytes]:
        async with asyncio.timeout(10):
            async with Connection(*await asyncio.open_connection(HOST, self.port, limit=2**20)) as connection:
                await connection.send(http_request("GET", path, None, {"authorization": f"Bearer {self.admin}"}))
                answer = await connection.read_answer()
        return answer.status, answer.body
