"""``python -m benchmarks.overload``: what one gateway on one core still does with three times too much to do.

Open-loop load (`open_load`) of streamed calls, mixed priorities, an upstream that sends a chunk each 10 ms. First the
peak: rates are raised until no more is answered in time. Then 80 % of it, for the latency that is compared with; then
three times the peak for long enough to come to rest, and half of it, to see how soon all is well again. An answer is
good when it is whole within a second. ``--chat`` measures the smallest calls instead, of an instant upstream: a refusal
then costs a good part of a call, so the goodput cannot hold.

Figures are of one quiet machine or of none: neighbours on the gateway's core move its peak while it is looked for.
Writes ``benchmarks/results/<date>-overload.json``, prints Markdown.
"""

import argparse
import datetime
import json
import shlex
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from . import nginx, report, wire
from .lab import Contestant, Lab, say
from .launch import Launch
from .load import GRACE_S, REPOSITORY
from .machine import choose_cores, describe, pin_self, source_state
from .process import HOST
from .report import Bar, Results
from .targets import OURS, Target, gateway_command

RESULTS = Path(__file__).parent / "results"
CHUNKS, INTERVAL_MS = 50, 10
STEP = 1.15
ENOUGH = 0.97
"""A rate of which less than this is answered in time is beyond the peak."""
CALM_PHASE_S = 6.0


class Bench:
    """One gateway and the generator in front of it."""

    def __init__(self, lab: Lab, contestant: Contestant, options: argparse.Namespace) -> None:
        self._lab = lab
        self._port = contestant.port
        self._options = options
        self._stream = not options.chat

    def run(self, *phases: tuple[float, float]) -> dict[str, Any]:
        """Load in phases of (calls a second, seconds)."""
        command = [sys.executable, "-m", "benchmarks.open_load", "--port", str(self._port), "--opened", "2000"]
        command += [word for rate, seconds in phases for word in ("--phase", f"{rate:.1f}:{seconds}")]
        command += ["--stream"] if self._stream else []
        core = self._lab.cores.load
        pinned = command if core is None else ["taskset", "-c", str(core), *command]
        limit_s = sum(seconds for _, seconds in phases) + GRACE_S
        done = subprocess.run(pinned, cwd=REPOSITORY, capture_output=True, text=True, timeout=limit_s, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        for (rate, _), phase in zip(phases, found["phases"], strict=True):
            say(f"{rate:8,.0f}/s  " + "  ".join(f"{name} {value:,.4g}" for name, value in phase.items()))
        return found

    def peak(self) -> float:
        """The most calls a second that are answered in time at any offered rate."""
        rate, best = self._options.start_rate, 0.0
        while True:
            phase = self.run((rate, CALM_PHASE_S))["phases"][0]
            best = max(best, phase["goodput_per_s"])
            if phase["goodput_per_s"] < ENOUGH * phase["offered_per_s"]:
                return best
            rate *= STEP

    def measure(self) -> dict[str, float]:
        """All figures, by the names of their bars."""
        self.run((self._options.start_rate / 2, CALM_PHASE_S))
        peak = self.peak()
        calm = self.run((0.8 * peak, CALM_PHASE_S))["phases"][0]
        found = self.run((3 * peak, self._options.seconds), (0.5 * peak, 10.0))
        flood = found["phases"][0]
        return {
            "peak_per_s": peak,
            "goodput_per_s": flood["goodput_per_s"],
            "offered_per_s": flood["offered_per_s"],
            "goodput_share": flood["goodput_per_s"] / peak,
            "calm_p99_ms": calm["p99_ms"],
            "flood_p99_ms": flood["p99_ms"],
            "p99_ratio": flood["p99_ms"] / calm["p99_ms"],
            "refusal_p99_ms": flood["shed_p99_ms"],
            "high_answered_share": flood["high_answered_share"],
            "high_in_time_share": flood["high_good_share"],
            "normal_after_s": found["last_bad_s"],
            "failed": flood["failed"],
        }


def bars(found: dict[str, float]) -> list[Bar]:
    """R5 and issue 4, item 6."""
    return [
        Bar("goodput at three times the peak, of the peak", found.get("goodput_share"), ">=", 0.9, "x"),
        Bar("accepted: p99 against that at 80 % load", found.get("p99_ratio"), "<=", 2.0, "x"),
        Bar("refused: p99", found.get("refusal_p99_ms"), "<=", 20.0, "ms"),
        Bar("high priority answered", found.get("high_answered_share"), ">=", 0.999, ""),
        Bar("back to normal after", found.get("normal_after_s"), "<=", 5.0, "s"),
    ]


def start(folder: Path, port: int, upstream_port: int) -> Launch:
    """Our gateway, with places upstream for whatever it admits: only shedding is to bound it."""
    settings = {
        "models": {wire.MODEL: [{"provider": "openai", "base_url": f"http://{HOST}:{upstream_port}/v1"}]},
        "resilience": {"pools": {"maximum": 100_000}},
        "database": {"url": f"sqlite:///{folder / 'llmops.db'}"},
        "log": {"dir": str(folder / "logs")},
    }
    path = folder / "llmops.yaml"
    path.write_text(json.dumps(settings))  # JSON is YAML
    env = {"PYTHONPATH": f"{REPOSITORY / 'src'}:{REPOSITORY}", "LLMOPS_CONFIG": str(path)}
    return Launch(shlex.split(gateway_command().replace("{port}", str(port))), env=env, ready_path="/ready")


def upstream_command(folder: Path, port: int) -> list[str]:
    words = [sys.executable, "-m", "benchmarks.upstream", "--port", str(port)]
    return [*words, "--chunks", str(CHUNKS), "--interval-ms", str(INTERVAL_MS)]


def main() -> int:
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the children as Ctrl-C does
    cores = choose_cores()
    pin_self(cores.load)
    results = Results(date=datetime.date.today().isoformat(), quick=options.quick, machine=describe(cores))
    if options.quick:
        options.seconds = 6.0
    try:
        with tempfile.TemporaryDirectory(prefix="llmops-bench-") as folder, ExitStack() as stack:
            lab = Lab(Path(folder), cores, [])
            if cores.remark:
                lab.remark(cores.remark)
            upstream = nginx.upstream_command if options.chat else upstream_command
            port, _ = stack.enter_context(lab.upstream(upstream))
            contestant = lab.start(stack, Target(OURS, start), port)
            results.footprint = Bench(lab, contestant, options).measure()
            if (now := source_state()) != results.machine["commit"]:
                lab.remark(f"the source changed during the run ({results.machine['commit']}, then {now})")
            results.remarks = lab.remarks
    except KeyboardInterrupt:
        say("stopped; nothing is written")
        return 130
    judged = bars(results.footprint)
    if not options.quick and not options.chat:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{results.date}-overload.json").write_bytes(report.as_json(results, judged))
    print(report.markdown(results, judged, title="Overload", beside="measured"))
    return 1 if options.gate and any(bar.verdict == "missed" for bar in judged) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description=__doc__)
    parser.add_argument("--chat", action="store_true", help="the smallest calls, of an instant upstream; no file")
    parser.add_argument("--start-rate", type=float, default=300.0, help="calls a second to begin the search with")
    parser.add_argument("--seconds", type=float, default=22.0, help="length of the overload, 2 of them not counted")
    parser.add_argument("--quick", action="store_true", help="short, to see that everything works; no file")
    parser.add_argument("--gate", action="store_true", help="end with 1 if a bar is missed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
