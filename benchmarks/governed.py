"""``python -m benchmarks.governed``: what it costs to govern (issue 3's bars for speed), and that it is paid for.

Gateways that differ only in what governs them (`governed_gateway`), nginx as the upstream, each in turn: 64 connections
for calls a second and processor time a call, one for the latency that a call alone meets. The processor time is that
of the whole gateway until it is idle again, so what its ingester brings into the database later counts as well.

Afterwards ``llmops reconcile`` has to find the same calls, tokens and money in request log, database and counters, and
no fewer calls than were answered. Writes ``benchmarks/results/<date>-governed.json``, prints Markdown.
"""

import argparse
import datetime
import operator
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from . import load, nginx, report
from .governed_gateway import CALL_NANOUSD, Governed, ReconcileFailed
from .lab import Contestant, Lab, Load, awake, say, settle
from .load import Figures
from .machine import busy_s, choose_cores, describe, pin_self, source_state
from .process import Process, StartFailed
from .redis import RedisServer, redis_server
from .report import Bar, Results
from .targets import DIRECT, Target, gateway_command

RESULTS = Path(__file__).parent / "results"
OFF, KEY, ON, ON_REDIS = "off", "key", "on", "on+redis"
COLUMNS = {
    "chat": (
        "requests_per_s",
        "p50_ms",
        "p99_ms",
        "cpu_us",
        "cpu_under_load_us",
        "load_core_busy",
        "resident_mib",
        "redis_trips",
        "errors",
    )
}
WARM_UP_S = 1.0
CONNECTIONS = (64, 1)


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
    try:
        with tempfile.TemporaryDirectory(prefix="llmops-bench-") as folder, ExitStack() as stack:
            lab = Lab(Path(folder), cores, [Target(DIRECT, None)])
            bench = Bench(lab, _redis(lab, stack, options.targets), options.targets)
            rounds, seconds = (1, 1.0) if options.quick else (options.rounds, options.seconds)
            bench.measure(results, rounds, seconds)
            if (now := source_state()) != facts["commit"]:
                lab.remark(f"the source changed during the run ({facts['commit']}, then {now}): measure again")
            results.remarks = lab.remarks
    except KeyboardInterrupt:
        say("stopped; nothing is written")
        return 130
    return _publish(results, options)


class Bench:
    """The gateways, the loads, and what each was asked for in all."""

    def __init__(self, lab: Lab, redis: RedisServer | None, wanted: list[str]) -> None:
        self._lab = lab
        self._redis = redis
        self._gateways = [Governed(OFF, keyed=False, ruled=False), Governed(KEY, ruled=False), Governed(ON)]
        if redis is not None:
            self._gateways.append(Governed(ON_REDIS, redis_url=redis.url))
        self._gateways = [gateway for gateway in self._gateways if gateway.name in wanted]
        lab.targets += [gateway.target for gateway in self._gateways]
        self._answered = dict.fromkeys((target.name for target in lab.targets), 0.0)

    def measure(self, results: Results, rounds: int, seconds: float) -> None:
        if self._lab.cores.remark:
            self._lab.remark(self._lab.cores.remark)
        with self._lab.upstream(nginx.upstream_command) as (port, upstream), self._lab.contestants(port) as contestants:
            helpers = _Helpers([upstream, *([self._redis.process] if self._redis else [])])
            for connections in CONNECTIONS:
                name = f"chat-{connections}"
                wanted, warm_up = self._load(connections, seconds), self._load(connections, WARM_UP_S)
                results.readings[name] = self._lab.compare(name, contestants, helpers, rounds, wanted, warm_up)
            for contestant in contestants:
                self._prove(contestant, results)

    def _load(self, connections: int, seconds: float) -> Load:
        def run(contestant: Contestant) -> Figures:
            process, core = contestant.process, self._lab.cores.load
            trips, used_s, busy, begun_s = self._trips(contestant), _cpu_s(process), busy_s(core), time.perf_counter()
            figures = load.chat(
                contestant.port, connections=connections, seconds=seconds, core=core, folder=self._lab.folder
            )
            figures["load_core_busy"] = (busy_s(core) - busy) / (time.perf_counter() - begun_s)
            requests = figures["requests"]
            self._answered[contestant.name] += requests
            if process is not None and requests:
                figures["cpu_under_load_us"] = (_cpu_s(process) - used_s) / requests * 1e6
                if trips is not None:
                    figures["redis_trips"] = ((self._trips(contestant) or 0) - trips) / requests
                settle(process)
            return figures

        return run

    def _trips(self, contestant: Contestant) -> int | None:
        redis = self._redis if contestant.name == ON_REDIS else None
        return redis.round_trips() if redis is not None else None

    def _prove(self, contestant: Contestant, results: Results) -> None:
        """Reconcile a gateway that was to bill its calls; the figures are the table "footprint" of the results."""
        gateway = next((each for each in self._gateways if each.name == contestant.name and each.ruled), None)
        if gateway is None:
            return
        try:
            with awake(contestant.process):
                found = gateway.reconcile()
        except ReconcileFailed as exc:
            self._lab.remark(str(exc))
            return
        answered, log = self._answered[gateway.name], found["log"]
        paid = log["calls"] >= answered and log["nanousd"] >= answered * CALL_NANOUSD
        equal = found["equal"] and found["log"] == found["calls"] == found["usage_days"]
        counted = found["counters_compared"] or 0
        results.footprint |= {
            f"{gateway.name}: calls answered": answered,
            f"{gateway.name}: calls billed": log["calls"],
            f"{gateway.name}: USD": log["nanousd"] / 1e9,
            f"{gateway.name}: counters compared": counted,
            f"{gateway.name}: proven": float(paid and equal and counted > 0),
        }
        self._lab.remark(
            f"{gateway.name}: {answered:,.0f} calls were answered; request log, database and {counted} counters "
            f"{'agree on' if equal and counted else 'DO NOT AGREE, the log has'} {log['calls']:,} calls and "
            f"${log['nanousd'] / 1e9:,.9f}" + ("" if paid else ", LESS THAN WAS ANSWERED")
        )


class _Helpers:
    """All that answers on the load's core."""

    def __init__(self, processes: list[Process]) -> None:
        self._processes = processes

    def cpu_s(self) -> float:
        return sum(process.cpu_s() for process in self._processes)


def bars(results: Results) -> list[Bar]:
    """Issue 3's bars. A call waits for Redis a whole number of times: fewer than two round trips a call are one."""
    readings = [reading for name in results.readings for reading in results.readings[name]]
    errors = [reading.figures["errors"] for reading in readings if reading.target != DIRECT]
    proofs = [value for name, value in results.footprint.items() if name.endswith(": proven")]
    trips = "redis_trips"
    return [
        Bar("on, 64 connections", results.median("chat-64", ON, "requests_per_s"), ">=", 7000, "req/s"),
        Bar("the same, against off",
            results.paired("chat-64", "requests_per_s", OFF, operator.truediv, ON), ">=", 0.85, "x"),
        Bar("on, 1 connection, added at the median", results.paired("chat-1", "p50_ms", DIRECT, operator.sub, ON),
            "<=", 0.5, "ms"),
        Bar("on+redis, 64 connections", results.median("chat-64", ON_REDIS, "requests_per_s"), ">=", 3500, "req/s"),
        Bar("on+redis, 1 connection: round trips a call", results.median("chat-1", ON_REDIS, trips), "<=", 1.9, ""),
        Bar("on+redis, 64 connections: round trips a call", results.median("chat-64", ON_REDIS, trips), "<=", 1, ""),
        Bar("errors", sum(errors) if errors else None, "<=", 0, ""),
        Bar("log = database = counters, nothing unpaid", min(proofs) if proofs else None, ">=", 1, ""),
    ]  # fmt: skip


def _redis(lab: Lab, stack: ExitStack, wanted: list[str]) -> RedisServer | None:
    if ON_REDIS not in wanted:
        return None
    try:
        return stack.enter_context(redis_server(lab.folder, lab.cores.load))
    except StartFailed as exc:
        lab.remark(f"{ON_REDIS} is left out: {exc}")
        return None


def _cpu_s(process: Process | None) -> float:
    return process.cpu_s() if process is not None else 0.0


def _publish(results: Results, options: argparse.Namespace) -> int:
    judged = bars(results)
    document = report.as_json(results, judged)
    if not options.quick and set(options.targets) == {OFF, KEY, ON, ON_REDIS}:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{results.date}-governed.json"
        path.write_bytes(document)
        say(f"written to {path}")
    shown = report.markdown(results, judged, title="Governed gateway", columns_of=COLUMNS, beside="billed")
    sys.stdout.write(document.decode() if options.json else shown + "\n")
    return 1 if options.gate and any(bar.verdict == "missed" for bar in judged) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.governed", description=__doc__)
    names = (OFF, KEY, ON, ON_REDIS)
    parser.add_argument("--targets", nargs="+", choices=names, default=list(names), help="just these; no file then")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one measurement")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that everything works; no file")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--gate", action="store_true", help="end with 1 if a bar is missed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
