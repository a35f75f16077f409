"""What the gateway costs before and after its work: time to import, time to start, memory over many requests.

Memory is sampled between slices of load, over the whole process tree. Every request has a different body and every
slice new connections, so a cache or table without a bound shows as a slope. The slope is fitted to the samples of the
last third, when pools and caches have their size.
"""

import statistics
import subprocess
import sys
from contextlib import ExitStack

from . import load, nginx
from .lab import Lab, say
from .load import REPOSITORY, Figures, LoadFailed
from .probe import await_first_answer
from .process import StartFailed
from .scenarios import Size, mock
from .targets import OURS, Target

STARTS = 5
SLICE_S = 1.0
MAX_SLICES = 400
BARE_IMPORT = "import time; begun = time.perf_counter(); import llmops; print(time.perf_counter() - begun)"


def import_time(lab: Lab) -> Figures:
    """Seconds that ``import llmops`` takes, the median of five after a first that may compile."""
    command = [sys.executable, "-c", BARE_IMPORT]
    if lab.cores.target is not None:
        command = ["taskset", "-c", str(lab.cores.target), *command]
    seconds: list[float] = []
    for _ in range(STARTS + 1):
        try:
            done = subprocess.run(
                command, cwd=REPOSITORY / "src", capture_output=True, text=True, timeout=60, check=True
            )
            seconds.append(float(done.stdout))
        except (subprocess.SubprocessError, ValueError) as exc:
            lab.remark(f"import is left out: {exc}")
            return {}
    return {"import_s": statistics.median(seconds[1:])}


def start_time(lab: Lab) -> Figures:
    """Seconds from the start of the process until ``/ready`` says 200, the median of five after a first."""
    seconds: list[float] = []
    with lab.upstream(mock()) as (port, _):
        for _ in range(STARTS + 1):
            try:
                with ExitStack() as stack:
                    seconds.append(lab.start(stack, _ours(lab), port).ready_s)
            except StartFailed as exc:
                lab.remark(f"start is left out: {exc}")
                return {}
    return {"start_s": statistics.median(seconds[1:])}


def memory(lab: Lab, size: Size) -> Figures:
    """Resident memory over ``size.requests`` requests on 64 connections; the bar's figure is taken at two thirds."""
    upstream = nginx.upstream_command if nginx.installed() else mock()
    samples: list[tuple[int, float]] = []
    sent = errors = 0
    with lab.upstream(upstream) as (port, _), ExitStack() as stack:
        try:
            contestant = lab.start(stack, _ours(lab), port)
            await_first_answer(OURS, contestant.port)
            process = contestant.process
            assert process is not None
            samples.append((0, process.resident_mib()))
            for _ in range(MAX_SLICES):
                figures = load.chat(
                    contestant.port, connections=64, seconds=SLICE_S, core=lab.cores.load, folder=lab.folder,
                    distinct_from=sent,
                )  # fmt: skip
                sent += int(figures["requests"])
                errors += int(figures["errors"])
                samples.append((sent, process.resident_mib()))
                say(f"memory         {sent:,} requests  {samples[-1][1]:.1f} MiB")
                if sent >= size.requests or not figures["requests"]:
                    break
        except (StartFailed, LoadFailed) as exc:
            lab.remark(f"memory is left out: {exc}")
            return {}
    found = {"requests": sent, "errors": errors, "idle_mib": samples[0][1]}
    settled = [sample for sample in samples if sample[0] >= size.requests * 2 / 3]
    if sent < size.requests or len(settled) < 3:
        lab.remark(f"memory: {sent:,} requests and {len(settled)} samples are too few for a figure")
        return found
    return {
        **found,
        "resident_mib": settled[0][1],
        "worst_mib": max(mib for _, mib in samples),
        "slope_mib_per_100k": _slope(settled) * 100_000,
    }


def _ours(lab: Lab) -> Target:
    return next(target for target in lab.targets if target.name == OURS)


def _slope(samples: list[tuple[int, float]]) -> float:
    counts, sizes = zip(*samples, strict=True)
    return statistics.linear_regression(counts, sizes).slope
