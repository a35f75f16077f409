"""How much this process has to do: how late its event loop runs a timer, and its share of the memory limit.

The lag counts by the share of the time in which the loop had the processor: what a neighbour on the same machine keeps
from it is nothing that refusing calls would give back. About fifty looks a second, at memory once a second; each costs
microseconds and none is on a call's way. The limit is the
control group's (version 2 or 1), or else the machine's memory; where there is no ``/proc`` the share is 0, which means
"unknown" to whoever decides by it.
"""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

PERIOD_S = 0.02
_MEMORY_EVERY = 50
_UNLIMITED_BYTES = 2**60
"""Version 1 says "no limit" by a number that no machine has."""

Take = Callable[[float, float, float], None]
"""Now (monotonic), lag in seconds, share of the memory limit."""


class LoadSampler:
    """Runs on the event loop from ``start`` to ``aclose`` and hands every sample to ``take``."""

    def __init__(
        self,
        take: Take,
        now_s: Callable[[], float],
        memory_share: Callable[[], float],
        *,
        cpu_s: Callable[[], float] = time.thread_time,
        period_s: float = PERIOD_S,
    ) -> None:
        self._take = take
        self._now_s = now_s
        self._memory_share = memory_share
        self._cpu_s = cpu_s
        self._period_s = period_s
        self._begun_s = self._begun_cpu_s = 0.0
        self._share = 0.0
        self._looks = 0
        self._timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        self._wait()

    async def aclose(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        self._begun_s, self._begun_cpu_s = self._now_s(), self._cpu_s()
        self._timer = asyncio.get_running_loop().call_later(self._period_s, self._look)

    def _look(self) -> None:
        now_s = self._now_s()
        if self._looks % _MEMORY_EVERY == 0:
            self._share = self._memory_share()
        self._looks += 1
        took_s = now_s - self._begun_s
        if took_s > self._period_s:
            busy = min((self._cpu_s() - self._begun_cpu_s) / took_s, 1.0)
            self._take(now_s, (took_s - self._period_s) * busy, self._share)
        else:
            self._take(now_s, 0.0, self._share)
        self._wait()


class Memory:
    """This process's resident memory against what it may use, where as many ``processes`` share that.

    ``root`` is where ``/proc`` and ``/sys`` are.
    """

    def __init__(self, root: Path = Path("/"), *, processes: int = 1) -> None:
        self._statm = root / "proc/self/statm"
        self._limit_bytes = _limit_bytes(root) / processes
        self._page_bytes = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096

    def share(self) -> float:
        """0 where it cannot be known."""
        if not self._limit_bytes:
            return 0.0
        try:
            return int(self._statm.read_text().split()[1]) * self._page_bytes / self._limit_bytes
        except (OSError, ValueError, IndexError):
            return 0.0


def _limit_bytes(root: Path) -> int:
    limits = [_machine_bytes(root / "proc/meminfo")]
    for group in _groups(root):
        for name in ("memory.max", "memory.limit_in_bytes"):
            try:
                limits.append(int((group / name).read_text()))
            except (OSError, ValueError):  # not this version, or "max"
                continue
    return min((limit for limit in limits if 0 < limit < _UNLIMITED_BYTES), default=0)


def _groups(root: Path) -> list[Path]:
    """The folders of this process's control groups up to their roots: a limit above binds as well."""
    mount = root / "sys/fs/cgroup"
    found = [mount, mount / "memory"]
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        _, _, named = line.partition(":")
        controllers, _, path = named.partition(":")
        if controllers and "memory" not in controllers.split(","):
            continue
        top = mount / "memory" if controllers else mount
        folder = top / path.strip("/")
        while folder != top and top in folder.parents:
            found.append(folder)
            folder = folder.parent
    return found


def _machine_bytes(meminfo: Path) -> int:
    try:
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemTotal:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return 0
    return 0
