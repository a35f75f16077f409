"""``python -m benchmarks.resilience``: what resilience costs (issue 4's bars for speed) while nothing fails.

The governed gateway twice, with everything on (key, limits, budget, ledger): once with resilience as shipped, once
without. nginx is the upstream, and the rounds alternate between the two: 64 connections for calls a second and
processor time a call, one for the latency that a call alone meets. What is compared was measured in the same round.
Writes ``benchmarks/results/<date>-resilience.json``, prints Markdown.
"""

import argparse
import datetime
import operator
import signal
import sys
import tempfile
from pathlib import Path

from . import load, nginx, report
from .governed_gateway import Governed
from .lab import Contestant, Lab, Load, say, settle
from .load import Figures
from .machine import choose_cores, describe, pin_self, source_state
from .report import Bar, Results
from .targets import gateway_command

RESULTS = Path(__file__).parent / "results"
OFF, ON = "off", "on"
COLUMNS = {"chat": ("requests_per_s", "p50_ms", "p99_ms", "cpu_us", "load_busy", "resident_mib", "errors")}
CONNECTIONS = (64, 1)
WARM_UP_S = 2.0


def main() -> int:
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the children as Ctrl-C does
    if not nginx.installed():
        say("nginx is not installed, and no other upstream is fast enough: make bench-setup")
        return 1
    cores = choose_cores()
    pin_self(cores.load)
    facts = {**describe(cores), "gateway": gateway_command().replace(sys.executable, "python")}
    results = Results(date=datetime.date.today().isoformat(), quick=options.quick, machine=facts)
    rounds, seconds = (1, 1.0) if options.quick else (options.rounds, options.seconds)
    try:
        with tempfile.TemporaryDirectory(prefix="llmops-bench-") as folder:
            targets = [Governed(name, resilient=name == ON).target for name in (OFF, ON)]
            lab = Lab(Path(folder), cores, targets)
            _measure(lab, results, rounds, seconds)
            if (now := source_state()) != facts["commit"]:
                lab.remark(f"the source changed during the run ({facts['commit']}, then {now}): measure again")
            results.remarks = lab.remarks
    except KeyboardInterrupt:
        say("stopped; nothing is written")
        return 130
    return _publish(results, options)


def _measure(lab: Lab, results: Results, rounds: int, seconds: float) -> None:
    if lab.cores.remark:
        lab.remark(lab.cores.remark)
    with lab.upstream(nginx.upstream_command) as (port, upstream), lab.contestants(port) as contestants:
        for connections in CONNECTIONS:
            name = f"chat-{connections}"
            wanted, warm_up = _load(lab, connections, seconds), _load(lab, connections, WARM_UP_S)
            results.readings[name] = lab.compare(name, contestants, upstream, rounds, wanted, warm_up)


def _load(lab: Lab, connections: int, seconds: float) -> Load:
    def run(contestant: Contestant) -> Figures:
        core = lab.cores.load
        figures = load.chat(contestant.port, connections=connections, seconds=seconds, core=core, folder=lab.folder)
        if contestant.process is not None:
            settle(contestant.process)
        return figures

    return run


def bars(results: Results) -> list[Bar]:
    """Issue 4's bars."""
    errors = [reading.figures["errors"] for readings in results.readings.values() for reading in readings]
    return [
        Bar("on, 64 connections", results.median("chat-64", ON, "requests_per_s"), ">=", 7000, "req/s"),
        Bar("1 connection, added at the median", results.paired("chat-1", "p50_ms", OFF, operator.sub, ON),
            "<=", 0.05, "ms"),
        Bar("errors", sum(errors) if errors else None, "<=", 0, ""),
    ]  # fmt: skip


def _publish(results: Results, options: argparse.Namespace) -> int:
    added_us = results.paired("chat-64", "cpu_us", OFF, operator.sub, ON)
    results.footprint = {} if added_us is None else {"processor time added to a call, us": added_us}
    judged = bars(results)
    document = report.as_json(results, judged)
    if not options.quick:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{results.date}-resilience.json"
        path.write_bytes(document)
        say(f"written to {path}")
    shown = report.markdown(results, judged, title="Resilience on and off", columns_of=COLUMNS, beside="difference")
    sys.stdout.write(document.decode() if options.json else shown + "\n")
    return 1 if options.gate and any(bar.verdict == "missed" for bar in judged) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.resilience", description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one measurement")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that everything works; no file")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--gate", action="store_true", help="end with 1 if a bar is missed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
