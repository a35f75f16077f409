"""``python -m benchmarks.transports``: what decision 002 rests on, measured again beside the alternatives.

A bare ASGI pass-through (`transport_apps`) under each server with each HTTP client, on one core: no gateway, only the
hop. Servers and clients come from ``.benchmark/transports`` where ``make bench-setup`` has made it, else from this
Python; what is not installed is named and left out. Writes ``benchmarks/results/<date>-transports.json``, prints
Markdown. A figure close to direct's is the limit of the load, not of the client.
"""

import argparse
import datetime
import json
import signal
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import msgspec

from . import load, scenarios
from .lab import QUIET, Contestant, Lab, say
from .launch import Launch
from .load import REPOSITORY, Figures
from .machine import SOURCE, choose_cores, describe, pin_self, source_state
from .peers import python_of
from .process import HOST, StartFailed
from .report import Results
from .scenarios import FLAT_CHUNKS, QUICK, STREAM_LIMIT_S, Readings, Size
from .targets import DIRECT, Target

VENV = "transports"
PACKAGES = ("uvicorn", "granian", "uvloop", "httptools", "msgspec", "pyreqwest", "aiohttp")  # what `setup` installs
SERVERS = {
    "uvicorn": "--loop uvloop --http httptools --lifespan on --no-access-log --log-level warning",
    "granian": "--loop uvloop --interface asgi --http 1 --workers 1 --log-level warning",
}
CLIENTS = {"own": "httptools", "pyreqwest": "pyreqwest", "aiohttp": "aiohttp"}  # and the package that each stands on
VERSIONS = """import importlib.metadata as m, json, platform, sys
found = {d.metadata["Name"].lower(): d.version for d in m.distributions()}
print(json.dumps({"python": platform.python_version(), **{n: found.get(n, "missing") for n in sys.argv[1:]}}))"""
COLUMNS = {
    "chat-64": {"requests_per_s": "64 conn.: req/s", "p50_ms": "p50 ms", "p99_ms": "p99 ms", "cpu_us": "CPU µs/req"},
    "chat-1": {"requests_per_s": "1 conn.: req/s", "p50_ms": "p50 ms", "p99_ms": "p99 ms", "cpu_us": "CPU µs/req"},
    "stream-16": {"chunks_per_s": "16 flat: chunks/s", "cpu_us": "CPU µs/chunk", "load_busy": "load core"},
    "stream-512": {"end": "512 slow: end vs direct", "cpu_us": "CPU µs/chunk", "load_busy": "load core"},
}
CLAIMED = ("uvicorn+own", "uvicorn+pyreqwest")
CLAIMS = (  # decision 002: what, scenario, figure, own and pyreqwest then
    ("chat, 64 connections, req/s", "chat-64", "requests_per_s", 23_094, 15_178),
    ("16 streams flat out, chunks/s", "stream-16", "chunks_per_s", 120_707, 49_977),
    ("512 slow streams, end vs direct", "stream-512", "end", 1.11, 1.58),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transports", description=__doc__)
    parser.add_argument("--rounds", type=int, default=Size().rounds)
    parser.add_argument("--seconds", type=float, default=Size().seconds, help="length of one chat measurement")
    parser.add_argument("--quick", action="store_true", help="short rounds, to see that everything works; no file")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the children as Ctrl-C does
    cores = choose_cores()
    pin_self(cores.load)
    python = found if (found := python_of(VENV)).exists() else Path(sys.executable)
    versions: dict[str, str] = json.loads(subprocess.check_output([python, "-c", VERSIONS, *PACKAGES], timeout=60))
    results = Results(date=datetime.date.today().isoformat(), quick=options.quick, machine=describe(cores) | versions)
    size = QUICK if options.quick else Size(rounds=options.rounds, seconds=options.seconds)
    try:
        with tempfile.TemporaryDirectory(prefix="llmops-bench-") as folder:
            lab = Lab(Path(folder), cores, [Target(DIRECT, None)])  # an unpinned run shows in the facts
            _choose_targets(lab, python, versions)
            for scenario in (scenarios.chat, _flat_streams, scenarios.slow_streams):
                try:
                    results.readings |= scenario(lab, size)
                except (StartFailed, OSError) as exc:
                    lab.remark(f"{scenario.__name__} is left out: {exc}")
    except KeyboardInterrupt:
        say("stopped; nothing is written")
        return 130
    if (now := source_state()) != results.machine["commit"]:
        lab.remark(f"the source changed during the run, now {now}")
    for remark in lab.remarks:  # errors quote commands: the reader's machine has other places
        for place, name in ((folder, ""), (str(python), "python"), (sys.executable, "python"), (str(REPOSITORY), ".")):
            remark = remark.replace(place, name)
        results.remarks.append(remark)
    if not options.quick:
        path = Path(__file__).parent / "results" / f"{results.date}-transports.json"
        path.write_bytes(msgspec.json.format(msgspec.json.encode(results)) + b"\n")
        say(f"written to {path}")
    print(_markdown(results))
    return 0


def _choose_targets(lab: Lab, python: Path, versions: dict[str, str]) -> None:
    for server in SERVERS:
        for client, package in CLIENTS.items():
            if missing := [name for name in (server, "uvloop", package) if versions[name] == "missing"]:
                lab.remark(f"{server}+{client} is left out: no {' and no '.join(missing)}: make bench-setup")
            else:
                lab.targets.append(Target(f"{server}+{client}", partial(_start, python, server, client)))


def _start(python: Path, server: str, client: str, _: Path, port: int, upstream_port: int) -> Launch:
    words = [server, "benchmarks.transport_apps.clients:app", "--host", HOST, "--port", str(port)]
    env = {"BENCH_CLIENT": client, "BENCH_UPSTREAM": f"http://{HOST}:{upstream_port}"}
    env["PYTHONPATH"] = f"{SOURCE}:{REPOSITORY}"
    return Launch([str(python), "-m", *words, *SERVERS[server].split()], env)


def _flat_streams(lab: Lab, size: Size) -> Readings:
    """As in `scenarios`, but for targets that nobody expects to account for usage."""

    def streams(contestant: Contestant) -> Figures:
        sizes = {"connections": 16, "rounds": size.streams_each, "chunks": FLAT_CHUNKS}
        return load.stream(contestant.port, **sizes, limit_s=STREAM_LIMIT_S, core=lab.cores.load)

    with lab.upstream(scenarios.mock("--chunks", str(FLAT_CHUNKS))) as (port, process), lab.contestants(port) as found:
        return {"stream-16": lab.compare("stream-16", found, process, size.rounds, streams, streams)}


def _figure(results: Results, scenario: str, target: str, figure: str) -> float | None:
    """The median over the rounds; "end" is the ratio of the times to direct's in the same round."""
    if figure != "end":
        return results.median(scenario, target, figure)
    mine, direct = (results.of(scenario, name, "wall_s") for name in (target, DIRECT))
    ratios = [mine[number] / direct[number] for number in mine if number in direct]
    return statistics.median(ratios) if ratios else None


def _markdown(results: Results) -> str:
    lines = [f"### Transports, {results.date}" + (" (quick: not for quoting)" if results.quick else ""), ""]
    now = [[_figure(results, name, target, figure) for target in CLAIMED] for _, name, figure, *_ in CLAIMS]
    claims = [[claim[0], *map(_shown, (*found, *claim[3:]))] for claim, found in zip(CLAIMS, now, strict=True)]
    lines += [*_table(["decision 002, under uvicorn", "own", "pyreqwest", "own then", "pyreqwest then"], claims), ""]
    titles = [title for columns in COLUMNS.values() for title in columns.values()]
    rows = []
    for target in dict.fromkeys(reading.target for readings in results.readings.values() for reading in readings):
        shown = [_shown(_figure(results, name, target, figure)) for name, found in COLUMNS.items() for figure in found]
        rows.append([target, *shown, *_trouble(results, target)])
    lines += [*_table(["server+client", *titles, "errors", f"readings with > {QUIET:.0%} noise"], rows), ""]
    lines += [f"- {name}: {value}" for name, value in results.machine.items()]
    return "\n".join([*lines, *(f"- remark: {' '.join(remark.split())}" for remark in results.remarks)])


def _trouble(results: Results, target: str) -> tuple[str, str]:
    """Errors with unfinished streams, and the readings that other programs disturbed with the worst share of a core."""
    errors, noisy = 0.0, []
    for scenario, readings in results.readings.items():
        mine = [reading for reading in readings if reading.target == target]
        errors += sum(reading.figures["errors"] + reading.figures.get("unfinished", 0) for reading in mine)
        if loud := [reading.noise for reading in mine if reading.noise > QUIET]:
            noisy.append(f"{scenario}: {len(loud)} of {len(mine)}, up to {max(loud):.0%}")
    return f"{errors:.0f}", "; ".join(noisy) or "none"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
