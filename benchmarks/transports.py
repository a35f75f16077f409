"""``python -m benchmarks.transports``: what decision 002 rests on, measured again beside the alternatives.

A bare ASGI pass-through (`transport_apps`) under each server with each HTTP client, on one core: no gateway, only the
hop. The servers and clients come from ``.benchmark/transports`` where ``make bench-setup`` has made it, else from this
Python. Writes ``benchmarks/results/<date>-transports.json`` and prints Markdown; what is not installed is named and
left out. A noisy figure is one during which other programs took more than 5 % of a core that mattered.
"""

import argparse
import datetime
import json
import operator
import signal
import statistics
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from . import load, scenarios
from .lab import QUIET, Contestant, Lab, Load, say
from .launch import Launch
from .load import REPOSITORY, Figures
from .machine import SOURCE, choose_cores, describe, pin_self
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
CLIENTS = {"own": ("uvloop", "httptools", "msgspec"), "pyreqwest": ("uvloop", "pyreqwest"),
           "aiohttp": ("uvloop", "aiohttp")}  # fmt: skip
ASK_VERSIONS = """
import importlib.metadata, json, sys
found = {"python": sys.version.split()[0]}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found[name] = "missing"
print(json.dumps(found))
"""
COLUMNS = (  # title, scenario, figure
    ("64 conn. req/s", "chat-64", "requests_per_s"), ("p50 ms", "chat-64", "p50_ms"), ("p99 ms", "chat-64", "p99_ms"),
    ("CPU µs/req", "chat-64", "cpu_us"), ("1 conn. req/s", "chat-1", "requests_per_s"), ("p50 ms", "chat-1", "p50_ms"),
    ("p99 ms", "chat-1", "p99_ms"), ("CPU µs/req", "chat-1", "cpu_us"),
    ("16 flat streams chunks/s", "stream-16", "chunks_per_s"), ("CPU µs/chunk", "stream-16", "cpu_us"),
    ("512 slow streams chunks/s", "stream-512", "chunks_per_s"), ("end against direct", "stream-512", "end"),
    ("CPU µs/chunk", "stream-512", "cpu_us"),
)  # fmt: skip
OWN, REQWEST = "uvicorn+own", "uvicorn+pyreqwest"
CLAIMS = (  # decision 002: scenario, figure, own, pyreqwest, and which is better
    ("chat, 64 connections, req/s", "chat-64", "requests_per_s", 23_094, 15_178, operator.gt),
    ("16 streams flat out, chunks/s", "stream-16", "chunks_per_s", 120_707, 49_977, operator.gt),
    ("512 slow streams, end against direct", "stream-512", "end", 1.11, 1.58, operator.lt),
)


def main() -> int:
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the children as Ctrl-C does
    cores = choose_cores()
    pin_self(cores.load)
    python = own if (own := python_of(VENV)).exists() else Path(sys.executable)
    versions = _versions(python)
    facts = {**describe(cores), **versions, "transport source": _transport_source()}
    results = Results(date=datetime.date.today().isoformat(), quick=options.quick, machine=facts)
    size = QUICK if options.quick else Size(rounds=options.rounds, seconds=options.seconds)
    try:
        with tempfile.TemporaryDirectory(prefix="llmops-bench-") as folder:
            lab = Lab(Path(folder), cores, [Target(DIRECT, None)])
            _choose_targets(lab, python, versions)
            _measure(lab, size, results)
            if _transport_source() != facts["transport source"]:
                lab.remark("the transport's source changed during the run: measure again")
            places = {folder: "", str(REPOSITORY): ".", str(python): "python", sys.executable: "python"}
            results.remarks = [_without(places, remark) for remark in lab.remarks]
    except KeyboardInterrupt:
        say("stopped; nothing is written")
        return 130
    if not options.quick:
        path = REPOSITORY / "benchmarks" / "results" / f"{results.date}-transports.json"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(_document(results))
        say(f"written to {path}")
    print(_markdown(results))
    return 0


def _choose_targets(lab: Lab, python: Path, versions: dict[str, str]) -> None:
    if lab.cores.remark:
        lab.remark(lab.cores.remark)
    for server in SERVERS:
        for client, packages in CLIENTS.items():
            missing = [name for name in (server, *packages) if versions[name] == "missing"]
            if missing:
                lab.remark(f"{server}+{client} is left out: {', '.join(missing)} not installed: make bench-setup")
            else:
                lab.targets.append(Target(f"{server}+{client}", _start(python, server, client)))


def _start(python: Path, server: str, client: str) -> Callable[[Path, int, int], Launch]:
    def start(folder: Path, port: int, upstream_port: int) -> Launch:
        del folder
        words = [f"benchmarks.transport_apps.{client}:app", "--host", HOST, "--port", str(port)]
        env = {"PYTHONPATH": f"{SOURCE}:{REPOSITORY}", "BENCH_UPSTREAM": f"http://{HOST}:{upstream_port}"}
        return Launch([str(python), "-m", server, *words, *SERVERS[server].split()], env)

    return start


def _measure(lab: Lab, size: Size, results: Results) -> None:
    for name, scenario in {"chat": scenarios.chat, "16": _flat_streams, "512": scenarios.slow_streams}.items():
        try:
            results.readings.update(scenario(lab, size))
        except (StartFailed, OSError) as exc:
            lab.remark(f"{name} is left out: {exc}")


def _flat_streams(lab: Lab, size: Size) -> Readings:
    """As in `scenarios`, but for targets of which nobody expects that they account for usage."""

    def streams(rounds: int) -> Load:
        def run(contestant: Contestant) -> Figures:
            return load.stream(
                contestant.port, connections=16, rounds=rounds, chunks=FLAT_CHUNKS, limit_s=STREAM_LIMIT_S,
                core=lab.cores.load,
            )  # fmt: skip

        return run

    with lab.upstream(scenarios.mock("--chunks", str(FLAT_CHUNKS))) as (port, process):
        with lab.contestants(port) as contestants:
            wanted, warm_up = streams(size.streams_each), streams(3)
            return {"stream-16": lab.compare("stream-16", contestants, process, size.rounds, wanted, warm_up)}


def _figure(results: Results, scenario: str, target: str, figure: str) -> float | None:
    """The median over the rounds; "end" is the median of the ratios to direct within a round."""
    if figure != "end":
        return results.median(scenario, target, figure)
    mine, direct = results.of(scenario, target, "wall_s"), results.of(scenario, DIRECT, "wall_s")
    ratios = [mine[number] / direct[number] for number in mine if number in direct]
    return statistics.median(ratios) if ratios else None


def _markdown(results: Results) -> str:
    lines = [f"### Transports, {results.date}" + (" (quick: not for quoting)" if results.quick else ""), ""]
    lines += _table(["decision 002, under uvicorn", "own", "pyreqwest", "own then", "pyreqwest then", ""], [
        [name, _shown(own := _figure(results, scenario, OWN, figure)),
         _shown(other := _figure(results, scenario, REQWEST, figure)), _shown(own_then), _shown(other_then),
         "not measured" if own is None or other is None else "holds" if better(own, other) else "does not hold"]
        for name, scenario, figure, own_then, other_then, better in CLAIMS
    ])  # fmt: skip
    rows = [
        [target, *(_shown(_figure(results, scenario, target, figure)) for _, scenario, figure in COLUMNS),
         *_trouble(results, target)]
        for target in dict.fromkeys(reading.target for found in results.readings.values() for reading in found)
    ]  # fmt: skip
    lines += ["", *_table(["server+client", *(title for title, _, _ in COLUMNS), "errors", "noisy readings"], rows), ""]
    lines += [f"- {name}: {value}" for name, value in results.machine.items()]
    lines += [f"- remark: {' '.join(remark.split())}" for remark in results.remarks]
    return "\n".join(lines)


def _trouble(results: Results, target: str) -> tuple[str, str]:
    """Errors and unfinished streams of a target, and in which scenarios others disturbed it, with the worst share."""
    errors, noisy = 0.0, []
    for scenario, readings in results.readings.items():
        mine = [reading for reading in readings if reading.target == target]
        errors += sum(reading.figures["errors"] + reading.figures.get("unfinished", 0) for reading in mine)
        loud = [reading.noise for reading in mine if reading.noise > QUIET]
        if loud:
            noisy.append(f"{scenario} {len(loud)} of {len(mine)}, ≤ {max(loud):.0%}")
    return f"{errors:.0f}", "; ".join(noisy) or "none"


def _document(results: Results) -> bytes:
    targets = dict.fromkeys(reading.target for found in results.readings.values() for reading in found)
    summary = {
        target: {f"{scenario} {figure}": _figure(results, scenario, target, figure) for _, scenario, figure in COLUMNS}
        for target in targets
    }
    found = {"date": results.date, "machine": results.machine, "remarks": results.remarks, "summary": summary}
    return msgspec.json.format(msgspec.json.encode({**found, "readings": results.readings})) + b"\n"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _versions(python: Path) -> dict[str, str]:
    command = [str(python), "-c", ASK_VERSIONS, *PACKAGES]
    found: dict[str, str] = json.loads(subprocess.run(command, capture_output=True, timeout=60, check=True).stdout)
    return found


def _transport_source() -> str:
    checksum = 0
    for name in ("providers/transport.py", "providers/http1.py", "ticker.py"):
        checksum = zlib.crc32((SOURCE / "llmops" / name).read_bytes(), checksum)
    return f"{checksum:08x}"


def _without(places: dict[str, str], text: str) -> str:
    for place, name in places.items():
        text = text.replace(place, name)
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transports", description=__doc__)
    parser.add_argument("--rounds", type=int, default=Size().rounds)
    parser.add_argument("--seconds", type=float, default=Size().seconds, help="length of one chat measurement")
    parser.add_argument("--quick", action="store_true", help="short rounds, to see that everything works")
    return parser


if __name__ == "__main__":
    sys.exit(main())
