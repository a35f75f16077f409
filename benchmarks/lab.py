"""Runs one scenario: an upstream, every target in front of it, and rounds that alternate between them.

All targets of a scenario live at the same time and are paused except the one that is measured, so the ratios of a
round compare the same minute of the same machine. A measurement during which strangers took more than `QUIET` of
a core that matters to it is repeated, at most twice; the quietest attempt counts and its noise is in the results.
A load generator leaves requests behind when its time is up: a target is paused only once it has worked them off.
"""

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from .load import REPOSITORY, Figures, LoadFailed
from .machine import Cores, busy_s, stolen_s
from .probe import await_first_answer
from .process import Process, StartFailed, free_port, running, wait_until_ready
from .targets import Target

QUIET = 0.05
ATTEMPTS = 3
IDLE = 0.1
IDLE_LOOK_S = 0.1
SETTLE_S = 20.0


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement of one target.

    ``noise`` is the share of a core that went to strangers, the worse of the cores that matter; ``load_busy`` how full
    the load generator's core was: near 1.0 the figures show the generator's limit, not the target's.
    """

    target: str
    round: int
    figures: Figures
    cpu_us: float | None
    """Processor time of the target per request or chunk."""
    resident_mib: float | None
    noise: float
    load_busy: float | None
    stolen_s: float


class Contestant(msgspec.Struct, frozen=True):
    """A target that serves; ``process`` is None for "direct"."""

    name: str
    port: int
    process: Process | None
    ready_s: float = 0.0
    patience: float = 1.0


Load = Callable[[Contestant], Figures]


class Helper(Protocol):
    """What answers on the load generator's core: its processor time is the load's, not a stranger's."""

    def cpu_s(self) -> float: ...


class Lab:
    """Where processes are started: a folder for their files, a core for each side, and targets to compare."""

    def __init__(self, folder: Path, cores: Cores, targets: list[Target]) -> None:
        self.folder = folder
        self.cores = cores
        self.targets = targets
        self.remarks: list[str] = []

    def remark(self, text: str) -> None:
        self.remarks.append(text)
        say(text)

    @contextmanager
    def upstream(self, command: Callable[[Path, int], list[str]]) -> Iterator[tuple[int, Process]]:
        port = free_port()
        words, env = command(self.folder, port), {"PYTHONPATH": str(REPOSITORY)}
        with running(f"upstream-{port}", words, folder=self.folder, core=self.cores.load, env=env) as process:
            wait_until_ready(process, port, "/health", timeout_s=15)
            yield port, process

    @contextmanager
    def contestants(self, upstream_port: int) -> Iterator[list[Contestant]]:
        """Start all targets, see each answer, and leave them paused; one that fails is remarked and left out."""
        with ExitStack() as stack:
            found: list[Contestant] = []
            for target in self.targets:
                try:
                    contestant = self._enter(stack, target, upstream_port)
                except (StartFailed, OSError) as exc:
                    self.remark(f"{target.name} is left out: {exc}")
                else:
                    found.append(contestant)
            yield found

    def start(self, stack: ExitStack, target: Target, upstream_port: int) -> Contestant:
        """Start one target and wait until it says it is ready."""
        if target.start is None:
            return Contestant(target.name, upstream_port, None)
        port = free_port()
        launch = target.start(self.folder, port, upstream_port)
        process = stack.enter_context(
            running(target.name, launch.command, folder=self.folder, core=self.cores.target, env=launch.env)
        )
        ready_s = wait_until_ready(process, port, launch.ready_path, launch.timeout_s, pause_s=0.01)
        return Contestant(target.name, port, process, ready_s, launch.patience)

    def _enter(self, stack: ExitStack, target: Target, upstream_port: int) -> Contestant:
        own = ExitStack()
        try:
            contestant = self.start(own, target, upstream_port)
            await_first_answer(target.name, contestant.port)
        except BaseException:
            own.close()
            raise
        stack.push(own)
        if contestant.process:
            contestant.process.pause()
        return contestant

    def compare(
        self, name: str, contestants: list[Contestant], upstream: Helper, rounds: int,
        load: Load, warm_up: Load,
    ) -> list[Reading]:  # fmt: skip
        """Warm every contestant up once, then measure them in turn, ``rounds`` times."""
        readings: list[Reading] = []
        failed: set[str] = set()
        for number in range(rounds + 1):
            for contestant in contestants:
                if contestant.name in failed:
                    continue
                try:
                    if number == 0:
                        self.run(contestant, warm_up)
                    else:
                        readings.append(self._measure_quietly(contestant, upstream, number, load))
                        say(f"{name:14} {number}/{rounds}  {contestant.name:14} {_line(readings[-1])}")
                except LoadFailed as exc:
                    failed.add(contestant.name)
                    self.remark(f"{name}: {contestant.name} is left out: {exc}")
        return readings

    def _measure_quietly(self, contestant: Contestant, upstream: Helper, number: int, load: Load) -> Reading:
        attempts: list[Reading] = []
        for _ in range(ATTEMPTS):
            attempts.append(self.measure(contestant, upstream, number, load))
            if attempts[-1].noise <= QUIET or contestant.patience > 1:
                break
        return min(attempts, key=lambda reading: reading.noise)

    def run(self, contestant: Contestant, load: Load) -> Figures:
        """Resume the contestant, run the load, and pause it again once it is idle."""
        with awake(contestant.process):
            return load(contestant)

    def measure(self, contestant: Contestant, upstream: Helper, number: int, load: Load) -> Reading:
        """Run the load and account for both cores meanwhile."""
        process = contestant.process
        with awake(process):
            before = self._clocks(process, upstream)
            figures = load(contestant)
            spent = [after - earlier for after, earlier in zip(self._clocks(process, upstream), before, strict=True)]
            resident = process.resident_mib() if process else None
        wall_s, target_core_s, load_core_s, target_s, load_s, stolen = spent
        strangers_s = max(load_core_s - load_s, target_core_s - target_s if process else 0.0, 0.0)
        units = figures.get("chunks") or figures.get("requests")
        if not units:
            raise LoadFailed(f"not one answer in {wall_s:.0f} s")
        return Reading(
            target=contestant.name, round=number, figures=figures, resident_mib=resident, stolen_s=stolen,
            cpu_us=target_s / units * 1e6 if process else None,
            noise=strangers_s / wall_s if self.cores.pinned else 0.0,
            load_busy=load_core_s / wall_s if self.cores.pinned else None,
        )  # fmt: skip

    def _clocks(self, process: Process | None, upstream: Helper) -> list[float]:
        own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        load_s = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime + upstream.cpu_s()
        cores = [busy_s(self.cores.target), busy_s(self.cores.load)]
        return [time.perf_counter(), *cores, process.cpu_s() if process else 0.0, load_s, stolen_s()]


@contextmanager
def awake(process: Process | None) -> Iterator[None]:
    """Let a paused process run for the length of a ``with`` block, and then until it is idle."""
    if process is None:
        yield
        return
    process.resume()
    try:
        yield
        settle(process)
    finally:
        process.pause()


def settle(process: Process) -> None:
    """Return once the process is idle, or after `SETTLE_S`."""
    deadline_s = time.perf_counter() + SETTLE_S
    used_s = process.cpu_s()
    while time.perf_counter() < deadline_s:
        time.sleep(IDLE_LOOK_S)
        earlier_s, used_s = used_s, process.cpu_s()
        if used_s - earlier_s <= IDLE * IDLE_LOOK_S:
            return


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _line(reading: Reading) -> str:
    shown = ("requests_per_s", "chunks_per_s", "p50_ms", "p99_ms", "first_p50_ms", "wall_s", "errors")
    words = [f"{key} {reading.figures[key]:,.3g}" for key in shown if key in reading.figures]
    if reading.cpu_us is not None:
        words.append(f"cpu {reading.cpu_us:.1f} us")
    return "  ".join(words) + (f"  noise {reading.noise:.0%}" if reading.noise > QUIET else "")
