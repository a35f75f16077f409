"""The machine under the benchmark: which core does what, what it is, and who else was using it.

The gateway under test gets one core and everything else (load generator, mock upstream, this program) another, so a
figure is "per core". Pinning uses ``taskset``; without it, or with a single core, the run goes on unpinned and says
so. `busy_s` tells how much of a pinned core went to strangers during a measurement: on a shared machine that, not the
code, is the usual reason for a bad round.
"""

import os
import platform
import shutil
import subprocess
import zlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

SOURCE = Path(__file__).resolve().parent.parent / "src"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Cores(msgspec.Struct, frozen=True):
    """The core of what is measured and the core of what measures; None where a process is not pinned."""

    target: int | None
    load: int | None
    remark: str = ""

    @property
    def pinned(self) -> bool:
        return self.target is not None


def choose_cores() -> Cores:
    """Take the first two cores that this process may use."""
    if not hasattr(os, "sched_getaffinity") or not shutil.which("taskset"):
        return Cores(None, None, "taskset is missing: nothing is pinned, figures are not per core")
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        return Cores(None, None, "one core only: nothing is pinned, load and gateway share it")
    return Cores(usable[0], usable[1])


def pin_self(core: int | None) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})


def busy_s(core: int | None) -> float:
    """Seconds of processor time that all processes together have used on this core since boot."""
    if core is None:
        return 0.0
    with open("/proc/stat", encoding="ascii") as file:
        for line in file:
            name, *ticks = line.split()
            if name == f"cpu{core}":
                user, nice, system = (int(tick) for tick in ticks[:3])
                return (user + nice + system) / TICKS_PER_S
    return 0.0


def stolen_s() -> float:
    """Seconds that the hypervisor kept from this machine, all cores together."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            return int(file.readline().split()[8]) / TICKS_PER_S
    except (OSError, IndexError):
        return 0.0


def source_state() -> str:
    """The commit and a checksum of the package's source: equal before and after, or the run has measured a mixture."""
    checksum = 0
    for path in sorted(SOURCE.rglob("*.py")):
        checksum = zlib.crc32(path.read_bytes(), checksum)
    return f"{_first_line(['git', '-C', str(SOURCE), 'rev-parse', '--short', 'HEAD'])}, source {checksum:08x}"


def describe(cores: Cores) -> dict[str, str]:
    """Name the machine and the versions of everything whose speed is in the figures."""
    facts = {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "pinned": f"target on {cores.target}, load on {cores.load}" if cores.pinned else cores.remark,
        "load average before": "{:.2f} {:.2f} {:.2f}".format(*os.getloadavg()),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "nginx": _first_line(["nginx", "-v"]),
        "wrk": _first_line(["wrk", "-v"]),
        "commit": source_state(),
    }
    for package in ("uvicorn", "uvloop", "httptools", "msgspec"):
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "missing"
    return facts


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown")
    except OSError:
        return platform.processor() or "unknown"


def _first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "missing"
    return next(iter((done.stdout + done.stderr).splitlines()), "").removesuffix(" Copyright (C) 2012 Will Glozer")
