"""One process of the benchmark: started on its core, waited for, measured, and always ended.

Each runs in its own session, so its whole tree can be signalled and Ctrl-C reaches only this program, whose
`with` blocks then end the children. Linux also kills them if this program dies without a word. A process
that is not being measured can be paused (SIGSTOP): a peer's background work must not run on the core of another.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from .machine import TICKS_PER_S

HOST = "127.0.0.1"
STOP_GRACE_S = 5.0
PR_SET_PDEATHSIG = 1
MIB = 1024 * 1024


class StartFailed(Exception):
    """A process ended, or did not serve in time. The message ends with the last lines of its output."""


class Process:
    """A running child and everything it has started."""

    def __init__(self, name: str, child: subprocess.Popen[bytes], log: Path, started_s: float) -> None:
        self.name = name
        self.log = log
        self.started_s = started_s
        self._child = child
        self._paused = False

    def tree(self) -> list[int]:
        """The child's process id and those of all its living descendants."""
        found = [self._child.pid]
        for pid in found:
            found += _children(pid)
        return found

    def resident_mib(self) -> float:
        """Resident memory of the whole tree; pages that its processes share count once in each."""
        return sum(_resident_bytes(pid) for pid in self.tree()) / MIB

    def cpu_s(self) -> float:
        """Processor time that the whole tree has used since it started."""
        return sum(_cpu_ticks(pid) for pid in self.tree()) / TICKS_PER_S

    def pause(self) -> None:
        self._paused = True
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._paused = False
        self._signal(signal.SIGCONT)

    def alive(self) -> bool:
        return self._child.poll() is None

    def stop(self) -> None:
        """End the tree: TERM, then KILL after a grace. Returns when the child is reaped."""
        if self._paused:
            self.resume()
        self._signal(signal.SIGTERM)
        try:
            self._child.wait(STOP_GRACE_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._signal(signal.SIGKILL)
            self._child.wait()

    def tail(self, lines: int = 12) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._child.pid, number)
        except (ProcessLookupError, PermissionError):
            return


@contextmanager
def running(
    name: str, command: list[str], *, folder: Path, core: int | None = None, env: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """Run ``command`` in ``folder`` on ``core`` for the length of a ``with`` block; output goes to ``<name>.log``."""
    log = folder / f"{name}.log"
    pinned = command if core is None else ["taskset", "-c", str(core), *command]
    started_s = time.perf_counter()
    with log.open("ab") as output:
        child = subprocess.Popen(
            pinned, cwd=folder, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=_die_with_parent,
        )  # fmt: skip
    process = Process(name, child, log, started_s)
    try:
        yield process
    finally:
        process.stop()


def wait_until_ready(process: Process, port: int, path: str, timeout_s: float, pause_s: float = 0.05) -> float:
    """Wait until ``GET path`` answers 200; return the seconds since the process was started."""
    deadline_s = time.perf_counter() + timeout_s
    while time.perf_counter() < deadline_s:
        if not process.alive():
            raise StartFailed(f"{process.name} ended while starting:\n{process.tail()}")
        if _answers(port, path):
            return time.perf_counter() - process.started_s
        time.sleep(pause_s)
    raise StartFailed(f"{process.name} did not answer {path!r} within {timeout_s:g} s:\n{process.tail()}")


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int, path: str) -> bool:
    connection = HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # a paused one would not see a TERM


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    except OSError:
        return found
    return found


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _cpu_ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])
