"""``python -m benchmarks.tracing``: what tracing costs the gateway (issue 6: at most 10 % of its calls a second).

The governed gateway (key, limits, budget, ledger) three times: without traces, as shipped (the intake for spans is open
and idle; a call's own spans are derived from its log line when somebody looks, so nothing is made in the hot path), and
with an export of all spans to a collector on this machine. The export is a process beside the gateway on the same core,
at a lower priority, so under full load it takes what is left and catches up afterwards; the processor time of a call
counts both, until the gateway is idle again.

nginx is the upstream, and the collector, which takes everything. Rounds alternate, and what is compared was measured in
the same round. At the end every span has to be delivered or still waiting, none lost. Writes
``benchmarks/results/<date>-tracing.json``, prints Markdown.
"""

import argparse
import datetime
import operator
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from . import load, nginx, report
from .governed_gateway import Governed, ReconcileFailed
from .lab import Contestant, Lab, Load, awake, say, settle
from .load import Figures
from .machine import choose_cores, describe, pin_self, source_state
from .process import HOST, Process, free_port, running
from .report import Bar, Results
from .targets import gateway_command

RESULTS = Path(__file__).parent / "results"
OFF, ON, EXPORT = "off", "on", "on+export"
COLUMNS = {"chat": ("requests_per_s", "p50_ms", "p99_ms", "cpu_us", "load_busy", "resident_mib", "errors")}
CONNECTIONS = 64
SCENARIO = f"chat-{CONNECTIONS}"
WARM_UP_S = 2.0
CATCH_UP_S = 60.0


class _Helpers:
    """All that answers on the load's core."""

    def __init__(self, *processes: Process) -> None:
        self._processes = processes

    def cpu_s(self) -> float:
        return sum(process.cpu_s() for process in self._processes)


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
            collector_port = free_port()
            gateways = _gateways(collector_port)
            lab = Lab(Path(folder), cores, [gateway.target for gateway in gateways])
            _measure(lab, results, gateways[-1], collector_port, rounds, seconds)
            if (now := source_state()) != facts["commit"]:
                lab.remark(f"the source changed during the run ({facts['commit']}, then {now}): measure again")
            results.remarks = lab.remarks
    except KeyboardInterrupt:
        say("stopped; nothing is written")
        return 130
    return _publish(results, options)


def _gateways(collector_port: int) -> list[Governed]:
    export = {"name": "collector", "kind": "otlp", "endpoint": f"http://{HOST}:{collector_port}"}
    return [
        Governed(OFF, more={"traces": {"enabled": False}}),
        Governed(ON),
        Governed(EXPORT, more={"exports": [export]}),
    ]


def _measure(lab: Lab, results: Results, exporting: Governed, collector_port: int, rounds: int, seconds: float) -> None:
    if lab.cores.remark:
        lab.remark(lab.cores.remark)
    command = nginx.collector_command(lab.folder, collector_port)
    with (
        running("collector", command, folder=lab.folder, core=lab.cores.load) as collector,
        lab.upstream(nginx.upstream_command) as (port, upstream),
        lab.contestants(port) as contestants,
    ):
        helpers = _Helpers(upstream, collector)
        wanted, warm_up = _load(lab, seconds), _load(lab, WARM_UP_S)
        results.readings[SCENARIO] = lab.compare(SCENARIO, contestants, helpers, rounds, wanted, warm_up)
        for contestant in contestants:
            if contestant.name == EXPORT:
                _prove(lab, exporting, contestant, results)


def _load(lab: Lab, seconds: float) -> Load:
    def run(contestant: Contestant) -> Figures:
        core = lab.cores.load
        figures = load.chat(contestant.port, connections=CONNECTIONS, seconds=seconds, core=core, folder=lab.folder)
        if contestant.process is not None:
            settle(contestant.process)
        return figures

    return run


def _prove(lab: Lab, gateway: Governed, contestant: Contestant, results: Results) -> None:
    """What became of the spans, when the export had a while to catch up: the table "footprint" of the results."""
    try:
        with awake(contestant.process):
            deadline_s = time.perf_counter() + CATCH_UP_S
            while (status := _status(gateway)) is None or _waiting(status):
                if time.perf_counter() > deadline_s:
                    break
                time.sleep(1)
    except ReconcileFailed as exc:
        lab.remark(str(exc))
        return
    if status is None:
        lab.remark(f"{gateway.name}: nothing was exported")
        return
    spans = status["spans"]
    lost = sum(spans.get("refused", {}).values()) + sum(spans.get("dropped", {}).values()) + spans.get("skipped", 0)
    results.footprint |= {
        "spans delivered": float(spans.get("delivered", 0)),
        "spans lost": float(lost),
        "calls whose spans wait": float(_waiting(status)),
    }


def _status(gateway: Governed) -> dict[str, Any] | None:
    found: list[dict[str, Any]] = gateway.asked("export", "status")
    return found[0] if found else None


def _waiting(status: dict[str, Any]) -> int:
    return int(status["waiting"].get("calls", 0))


def bars(results: Results) -> list[Bar]:
    """Issue 6's bar, for the traces alone and with an export."""
    errors = [reading.figures["errors"] for readings in results.readings.values() for reading in readings]
    per_s = "requests_per_s"
    return [
        Bar("calls a second, on against off", results.paired(SCENARIO, per_s, OFF, operator.truediv, ON),
            ">=", 0.9, "x"),
        Bar("calls a second, on+export against off", results.paired(SCENARIO, per_s, OFF, operator.truediv, EXPORT),
            ">=", 0.9, "x"),
        Bar("errors", sum(errors) if errors else None, "<=", 0, ""),
        Bar("spans lost", results.footprint.get("spans lost"), "<=", 0, ""),
        Bar("calls whose spans wait in the end", results.footprint.get("calls whose spans wait"), "<=", 0, ""),
    ]  # fmt: skip


def _publish(results: Results, options: argparse.Namespace) -> int:
    for name in (ON, EXPORT):
        added_us = results.paired(SCENARIO, "cpu_us", OFF, operator.sub, name)
        if added_us is not None:
            results.footprint[f"{name}: processor time added to a call, us"] = added_us
    judged = bars(results)
    document = report.as_json(results, judged)
    if not options.quick:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{results.date}-tracing.json"
        path.write_bytes(document)
        say(f"written to {path}")
    shown = report.markdown(results, judged, title="Tracing and exports", columns_of=COLUMNS, beside="spans")
    sys.stdout.write(document.decode() if options.json else shown + "\n")
    return 1 if options.gate and any(bar.verdict == "missed" for bar in judged) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tracing", description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one measurement")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that everything works; no file")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--gate", action="store_true", help="end with 1 if a bar is missed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
