"""``python -m benchmarks.traces``: how many spans a second get through ``/v1/traces`` into the database.

One core carries the gateway with its writer, another one sends exports of 500 spans with about twenty attributes, once
without texts and once with question and answer (some 40 words each). "Closed": as fast as they are answered, until the
last one can be read from the database. "Open": at the rate of the bar, and every 503 is counted. Durable means: kept on
disk before the answer, in a transaction after. The bar is 15,000 spans a second per core, and no 503 at that rate.

``BENCH_PHOENIX_VENV`` names a virtual environment with arize-phoenix, which then gets the same exports.
"""

import argparse
import http.client
import os
import queue
import shlex
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from .lab import say
from .load import REPOSITORY
from .machine import choose_cores, pin_self
from .process import HOST, Process, StartFailed, free_port, running, wait_until_ready
from .span_batches import SPANS, batches
from .targets import gateway_command

BAR_PER_S = 15_000
_SENDERS = 2
_LIMIT_S = 120.0
_WORDS = 40


class Result(NamedTuple):
    """``stored_per_s`` to the last span in the database, ``answered_per_s`` to the last answer."""

    name: str
    stored_per_s: float
    answered_per_s: float
    cpu_us: float
    refused: int
    bytes_a_span: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=150_000)
    parser.add_argument("--peer-spans", type=int, default=5_000)
    options = parser.parse_args()
    cores = choose_cores()
    pin_self(cores.load)
    results = []
    for words in (0, _WORDS):
        bodies = list(batches(options.spans // SPANS, begin_s=time.time(), words=words))
        what = f"texts of {words} words" if words else "no texts"
        say(f"{len(bodies) * SPANS:,} spans of {sum(map(len, bodies)) / len(bodies) / SPANS:.0f} bytes, {what}")
        results.append(_ours(f"closed, {what}", bodies, cores.target, None))
        results.append(_ours(f"open, {what}", bodies, cores.target, BAR_PER_S))
        if venv := os.environ.get("BENCH_PHOENIX_VENV"):
            results.append(
                _phoenix(Path(venv), f"Phoenix, {what}", bodies[: options.peer_spans // SPANS], cores.target)
            )
    print("| load | stored/s | answered/s | processor time a span | 503 | bytes a span |")
    print("| --- | --- | --- | --- | --- | --- |")
    for each in results:
        print(
            f"| {each.name} | {each.stored_per_s:,.0f} | {each.answered_per_s:,.0f} | {each.cpu_us:.1f} µs "
            f"| {each.refused} | {each.bytes_a_span:.0f} |"
        )
    ours = [each for each in results if not each.name.startswith("Phoenix")]
    closed = [each for each in ours if each.name.startswith("closed")]
    return int(any(each.stored_per_s < BAR_PER_S for each in closed) or any(each.refused for each in ours))


def _ours(name: str, bodies: Sequence[bytes], core: int | None, per_s: float | None) -> Result:
    with tempfile.TemporaryDirectory(prefix="llmops-bench-") as place:
        folder, port = Path(place), free_port()
        command = shlex.split(gateway_command().replace("{port}", str(port)))
        env = {
            "PYTHONPATH": str(REPOSITORY / "src"),
            "LOG_DIR": str(folder / "logs"),
            "LLMOPS_DATABASE__URL": f"sqlite:///{folder}/llmops.db",
        }
        with running("gateway", command, folder=folder, core=core, env=env) as gateway:
            wait_until_ready(gateway, port, "/ready", 20.0)
            _send(port, [next(batches(1, begin_s=time.time(), seed=7))], None)  # starts the writer
            _until_stored(folder / "llmops.db", SPANS)
            return _measured(
                name, gateway, port, bodies, per_s, lambda: _stored(folder / "llmops.db") - SPANS, folder / "llmops.db"
            )


def _phoenix(venv: Path, name: str, bodies: Sequence[bytes], core: int | None) -> Result:
    with tempfile.TemporaryDirectory(prefix="llmops-bench-") as place:
        folder, port = Path(place), free_port()
        env = {"PHOENIX_WORKING_DIR": place, "PHOENIX_PORT": str(port), "PHOENIX_GRPC_PORT": str(free_port())}
        command = [str(venv / "bin" / "python"), "-m", "phoenix.server.main", "serve"]
        with running("phoenix", command, folder=folder, core=core, env=env) as phoenix:
            try:
                wait_until_ready(phoenix, port, "/healthz", 90.0)
            except StartFailed as exc:
                say(f"Phoenix is left out: {exc}")
                return Result(name, 0, 0, 0, 0, 0)
            database = folder / "phoenix.db"
            return _measured(name, phoenix, port, bodies, None, lambda: _count(database), database)


def _measured(
    name: str,
    process: Process,
    port: int,
    bodies: Sequence[bytes],
    per_s: float | None,
    stored: Callable[[], int],
    database: Path,
) -> Result:
    cpu_s, begun_s = process.cpu_s(), time.perf_counter()
    refused = _send(port, bodies, per_s)
    answered_s = time.perf_counter() - begun_s
    wanted = (len(bodies) - refused) * SPANS
    deadline_s = time.perf_counter() + _LIMIT_S
    while stored() < wanted and time.perf_counter() < deadline_s:
        time.sleep(0.05)
    took_s, found = time.perf_counter() - begun_s, stored()
    if found < wanted:
        say(f"{name}: {wanted - found:,} spans were answered for and not stored within {_LIMIT_S:g} s")
    size = sum(path.stat().st_size for path in database.parent.glob(f"{database.name}*"))
    return Result(
        name,
        found / took_s,
        wanted / answered_s,
        (process.cpu_s() - cpu_s) / max(found, 1) * 1e6,
        refused,
        size / max(found, 1),
    )


def _send(port: int, bodies: Sequence[bytes], per_s: float | None) -> int:
    """Send all, at so many spans a second if that is given; returns how many exports were refused."""
    work: queue.SimpleQueue[tuple[float, bytes] | None] = queue.SimpleQueue()
    begun_s, refused = time.perf_counter(), []
    for number, body in enumerate(bodies):
        work.put((number * SPANS / per_s if per_s else 0.0, body))

    def sender() -> None:
        connection = http.client.HTTPConnection(HOST, port, timeout=60)
        while (item := work.get()) is not None:
            due_s, body = item
            time.sleep(max(0.0, begun_s + due_s - time.perf_counter()))
            connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                refused.append(response.status)
        connection.close()

    threads = [threading.Thread(target=sender) for _ in range(_SENDERS)]
    for thread in threads:
        work.put(None)
        thread.start()
    for thread in threads:
        thread.join()
    return len(refused)


def _stored(database: Path) -> int:
    return _asked(database, "SELECT coalesce(sum(spans), 0) FROM span_days")


def _count(database: Path) -> int:
    return _asked(database, "SELECT count(*) FROM spans")


def _asked(database: Path, query: str) -> int:
    if not database.exists():
        return 0
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)
    try:
        return int(connection.execute(query).fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


def _until_stored(database: Path, count: int) -> None:
    deadline_s = time.perf_counter() + _LIMIT_S
    while _stored(database) < count:
        if time.perf_counter() > deadline_s:
            raise StartFailed("the writer did not begin")
        time.sleep(0.05)


if __name__ == "__main__":
    raise SystemExit(main())
