"""``python -m benchmarks.cache``: what the exact cache gives and what it takes (issue 5's bars for speed).

The governed gateway (key, limits, budget, price, ledger) without a cache, with one, and with one in Redis, nginx as the
upstream, each in turn: the same question over and over, which is nothing but hits, by 64 connections and by one; then
questions of which no two are the same, which is nothing but misses. Ratios are to the gateway without a cache and to
nginx answering by itself, within a round.

Afterwards ``llmops reconcile`` has to find the same calls, tokens and money everywhere, and no fewer calls than were
answered. Writes ``benchmarks/results/<date>-cache.json``, prints Markdown.
"""

import argparse
import datetime
import operator
import signal
import sys
import tempfile
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

from . import load, nginx, report
from .governed_gateway import Governed, ReconcileFailed
from .lab import Contestant, Lab, Load, awake, say, settle
from .load import Figures
from .machine import choose_cores, describe, pin_self, source_state
from .process import Process, StartFailed
from .redis import RedisServer, redis_server
from .report import Bar, Results
from .targets import DIRECT, Target, gateway_command

RESULTS = Path(__file__).parent / "results"
OFF, ON, REDIS = "off", "cache", "cache+redis"
SCENARIOS = {"hit-64": (64, False), "hit-1": (1, False), "miss-64": (64, True)}
"""Connections, and whether each question is a new one."""
_COLUMNS = ("requests_per_s", "p50_ms", "p99_ms", "cpu_us", "resident_mib", "errors")
COLUMNS = {"hit": _COLUMNS, "miss": _COLUMNS}
WARM_UP_S = 1.0
_APART = 100_000_000
"""Between the numbers of one run's questions and the next one's."""


class Cached(Governed):
    """The governed gateway with a cache."""

    def settings(self, folder: Path, upstream_port: int) -> dict[str, Any]:
        cache = {"enabled": True, "ttl_seconds": 3600, "max_entries": 10_000}
        return {**super().settings(folder, upstream_port), "cache": cache}


class Bench:
    """The gateways, the loads, and what each was asked for in all."""

    def __init__(self, lab: Lab, redis: RedisServer | None) -> None:
        self._lab = lab
        self._redis = redis
        self._gateways: list[Governed] = [Governed(OFF), Cached(ON)]
        if redis is not None:
            self._gateways.append(Cached(REDIS, redis_url=redis.url))
        lab.targets += [gateway.target for gateway in self._gateways]
        self._answered = dict.fromkeys((target.name for target in lab.targets), 0.0)
        self._runs = count(1)

    def measure(self, results: Results, rounds: int, seconds: float) -> None:
        if self._lab.cores.remark:
            self._lab.remark(self._lab.cores.remark)
        with self._lab.upstream(nginx.upstream_command) as (port, upstream), self._lab.contestants(port) as contestants:
            helpers = _Helpers([upstream, *([self._redis.process] if self._redis else [])])
            for name, (connections, distinct) in SCENARIOS.items():
                wanted = self._load(connections, seconds, distinct)
                warm_up = self._load(connections, WARM_UP_S, distinct)
                results.readings[name] = self._lab.compare(name, contestants, helpers, rounds, wanted, warm_up)
            for contestant in contestants:
                self._prove(contestant, results)

    def _load(self, connections: int, seconds: float, distinct: bool) -> Load:
        def run(contestant: Contestant) -> Figures:
            figures = load.chat(
                contestant.port,
                connections=connections,
                seconds=seconds,
                core=self._lab.cores.load,
                folder=self._lab.folder,
                distinct_from=next(self._runs) * _APART if distinct else None,
            )
            self._answered[contestant.name] += figures["requests"]
            if contestant.process is not None:
                settle(contestant.process)
            return figures

        return run

    def _prove(self, contestant: Contestant, results: Results) -> None:
        gateway = next((each for each in self._gateways if each.name == contestant.name), None)
        if gateway is None:
            return
        try:
            with awake(contestant.process):
                found = gateway.reconcile()
        except ReconcileFailed as exc:
            self._lab.remark(str(exc))
            return
        answered, log = self._answered[gateway.name], found["log"]
        results.footprint |= {
            f"{gateway.name}: calls answered": answered,
            f"{gateway.name}: calls in the log": log["calls"],
            f"{gateway.name}: USD": log["nanousd"] / 1e9,
            f"{gateway.name}: proven": float(found["equal"] and log["calls"] >= answered),
        }


class _Helpers:
    """All that answers on the load's core."""

    def __init__(self, processes: list[Process]) -> None:
        self._processes = processes

    def cpu_s(self) -> float:
        return sum(process.cpu_s() for process in self._processes)


def bars(results: Results) -> list[Bar]:
    """Issue 5's bars for the exact cache, and what Redis leaves of them."""

    def rate(scenario: str, target: str) -> float | None:
        return results.median(scenario, target, "requests_per_s")

    def ratio(scenario: str, target: str, other: str) -> float | None:
        return results.paired(scenario, "requests_per_s", other, operator.truediv, target)

    errors = [
        reading.figures["errors"]
        for readings in results.readings.values()
        for reading in readings
        if reading.target != DIRECT
    ]
    proofs = [value for name, value in results.footprint.items() if name.endswith(": proven")]
    return [
        Bar("hits, 64 connections", rate("hit-64", ON), ">=", 12_000, "req/s"),
        Bar("the same, against no cache", ratio("hit-64", ON, OFF), ">=", 1.5, "x"),
        Bar("the same, against nginx answering by itself", ratio("hit-64", ON, DIRECT), ">=", 0.15, "x"),
        Bar("hits, 1 connection, the median", results.median("hit-1", ON, "p50_ms"), "<=", 0.3, "ms"),
        Bar("misses, 64 connections", rate("miss-64", ON), ">=", 7000, "req/s"),
        Bar("the same, against no cache", ratio("miss-64", ON, OFF), ">=", 0.85, "x"),
        Bar("hits in Redis, 64 connections", rate("hit-64", REDIS), ">=", 3500, "req/s"),
        Bar("errors", sum(errors) if errors else None, "<=", 0, ""),
        Bar("log = database = counters, nothing unpaid", min(proofs) if proofs else None, ">=", 1, ""),
    ]


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
            bench = Bench(lab, None if options.no_redis else _redis(lab, stack))
            rounds, seconds = (1, 1.0) if options.quick else (options.rounds, options.seconds)
            bench.measure(results, rounds, seconds)
            if (now := source_state()) != facts["commit"]:
                lab.remark(f"the source changed during the run ({facts['commit']}, then {now}): measure again")
            results.remarks = lab.remarks
    except KeyboardInterrupt:
        say("stopped; nothing is written")
        return 130
    return _publish(results, options)


def _redis(lab: Lab, stack: ExitStack) -> RedisServer | None:
    try:
        return stack.enter_context(redis_server(lab.folder, lab.cores.load))
    except StartFailed as exc:
        lab.remark(f"{REDIS} is left out: {exc}")
        return None


def _publish(results: Results, options: argparse.Namespace) -> int:
    judged = bars(results)
    document = report.as_json(results, judged)
    if not options.quick and not options.no_redis:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{results.date}-cache.json"
        path.write_bytes(document)
        say(f"written to {path}")
    shown = report.markdown(results, judged, title="Exact cache", columns_of=COLUMNS, beside="billed")
    sys.stdout.write(document.decode() if options.json else shown + "\n")
    return 1 if options.gate and any(bar.verdict == "missed" for bar in judged) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cache", description=__doc__)
    parser.add_argument("--no-redis", action="store_true", help="without the gateway on Redis; no file then")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one measurement")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that everything works; no file")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--gate", action="store_true", help="end with 1 if a bar is missed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
