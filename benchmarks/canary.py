"""``python -m benchmarks.canary``: what a running canary costs the pipeline (issue 9: 7,000 calls a second a core).

The gateway twice as shipped (``plain``) and twice governed by key, limits, budget and ledger (``governed``), each
without a release and with a name whose candidate gets half of the calls: both arms put another model into the body, the
candidate a parameter as well. Its conductor judges the calls meanwhile, in the same process. nginx is the upstream.
Rounds alternate, and what is compared was measured in the same round. Writes
``benchmarks/results/<date>-canary.json``, prints Markdown.
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

from llmops.assembly.releases import configured_models, open_directory
from llmops.assembly.rollouts import open_rollouts
from llmops.clock import SystemClock
from llmops.config import load_settings
from llmops.opening import open_identity
from llmops.rollout.plan import read_plan

from . import load, nginx, report, wire
from .governed_gateway import Governed, ReconcileFailed
from .lab import Contestant, Lab, Load, awake, say, settle
from .load import Figures
from .machine import choose_cores, describe, pin_self, source_state
from .report import Bar, Results
from .targets import gateway_command

RESULTS = Path(__file__).parent / "results"
PLAIN, PLAIN_CANARY, GOVERNED, GOVERNED_CANARY = "plain", "plain+canary", "governed", "governed+canary"
COLUMNS = {"chat": ("requests_per_s", "p50_ms", "p99_ms", "cpu_us", "load_busy", "resident_mib", "errors")}
CONNECTIONS = 64
SCENARIO = f"chat-{CONNECTIONS}"
WARM_UP_S = 2.0
CATCH_UP_S = 30.0
_BEHIND = "measured"
"""The configured model; the load asks for the released name."""


class Canary(Governed):
    """A gateway whose model is behind a released name that a canary moves."""

    def settings(self, folder: Path, upstream_port: int) -> dict[str, Any]:
        found = super().settings(folder, upstream_port)
        return {**found, "models": {_BEHIND: found["models"][wire.MODEL]}}

    def prepare(self, config: Path) -> None:
        settings, clock = load_settings(config), SystemClock()
        identity = open_identity(settings)
        try:
            releases = open_directory(identity.database, clock, lambda: configured_models(settings, clock))
            bundle = {"name": wire.MODEL, "model": _BEHIND}
            stable, _ = releases.create(bundle, None, by="benchmark", reason="a benchmark")
            releases.live(stable.id, None, by="benchmark", reason="a benchmark")
            changed = {**bundle, "parameters": {"temperature": 0.2}}
            candidate, _ = releases.create(changed, None, by="benchmark", reason="a benchmark")
            plan = {
                "name": wire.MODEL,
                "candidate": candidate.id,
                "unit": "request",
                "steps": [50, 100],
                "min_time": "24h",
                "settle": "5s",
                "guards": [{"metric": "error", "margin": 0.05}, {"metric": "latency", "margin": 0.2}],
            }
            rollouts = open_rollouts(identity.database, clock, releases)
            rollouts.start(read_plan(plan), None, by="benchmark", reason="a benchmark")
        finally:
            identity.close()


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
    gateways = [
        Governed(PLAIN, keyed=False, ruled=False),
        Canary(PLAIN_CANARY, keyed=False, ruled=False),
        Governed(GOVERNED),
        Canary(GOVERNED_CANARY),
    ]
    try:
        with tempfile.TemporaryDirectory(prefix="llmops-bench-") as folder:
            lab = Lab(Path(folder), cores, [gateway.target for gateway in gateways])
            _measure(lab, results, gateways, rounds, seconds)
            if (now := source_state()) != facts["commit"]:
                lab.remark(f"the source changed during the run ({facts['commit']}, then {now}): measure again")
            results.remarks = lab.remarks
    except KeyboardInterrupt:
        say("stopped; nothing is written")
        return 130
    return _publish(results, options)


def _measure(lab: Lab, results: Results, gateways: list[Governed], rounds: int, seconds: float) -> None:
    if lab.cores.remark:
        lab.remark(lab.cores.remark)
    with lab.upstream(nginx.upstream_command) as (port, upstream), lab.contestants(port) as contestants:
        wanted, warm_up = _load(lab, seconds), _load(lab, WARM_UP_S)
        results.readings[SCENARIO] = lab.compare(SCENARIO, contestants, upstream, rounds, wanted, warm_up)
        for gateway, contestant in zip(gateways, contestants, strict=True):
            if isinstance(gateway, Canary):
                _prove(lab, gateway, contestant, results)


def _load(lab: Lab, seconds: float) -> Load:
    def run(contestant: Contestant) -> Figures:
        core = lab.cores.load
        figures = load.chat(contestant.port, connections=CONNECTIONS, seconds=seconds, core=core, folder=lab.folder)
        if contestant.process is not None:
            settle(contestant.process)
        return figures

    return run


def _prove(lab: Lab, gateway: Governed, contestant: Contestant, results: Results) -> None:
    """Both arms had calls, and the rollout has counted them: the table "footprint" of the results."""
    try:
        with awake(contestant.process):
            deadline_s = time.perf_counter() + CATCH_UP_S
            while not (units := _counted(gateway)) and time.perf_counter() < deadline_s:
                time.sleep(1)
    except ReconcileFailed as exc:
        lab.remark(str(exc))
        return
    results.footprint[f"{gateway.name}: units of the candidate counted"] = float(units)


def _counted(gateway: Governed) -> int:
    found = gateway.asked("rollout", "list")
    (rollout,) = found if isinstance(found, list) else found["rollouts"]
    return int(rollout["units"])


def bars(results: Results) -> list[Bar]:
    errors = [reading.figures["errors"] for readings in results.readings.values() for reading in readings]
    per_s = "requests_per_s"
    return [
        Bar("plain+canary", results.median(SCENARIO, PLAIN_CANARY, per_s), ">=", 7000, "req/s"),
        Bar("governed+canary", results.median(SCENARIO, GOVERNED_CANARY, per_s), ">=", 7000, "req/s"),
        Bar("governed+canary against governed",
            results.paired(SCENARIO, per_s, GOVERNED, operator.truediv, GOVERNED_CANARY), ">=", 0.9, "x"),
        Bar("errors", sum(errors) if errors else None, "<=", 0, ""),
    ]  # fmt: skip


def _publish(results: Results, options: argparse.Namespace) -> int:
    judged = bars(results)
    document = report.as_json(results, judged)
    if not options.quick:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{results.date}-canary.json"
        path.write_bytes(document)
        say(f"written to {path}")
    shown = report.markdown(results, judged, title="A running canary", columns_of=COLUMNS, beside="counted")
    sys.stdout.write(document.decode() if options.json else shown + "\n")
    return 1 if options.gate and any(bar.verdict == "missed" for bar in judged) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.canary", description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one measurement")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that everything works; no file")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--gate", action="store_true", help="end with 1 if a bar is missed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
