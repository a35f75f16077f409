"""``python -m benchmarks.million_keys``: a gateway that knows a million keys (issue 3's bar: start ≤ 5 s, ≤ 1 GB).

Fills a new database (SQLite; with ``--postgres`` a server of its own from Debian's binaries), starts ``llmops serve``
on it with the mock provider and measures: the start until ``/ready``, resident memory, how soon a revocation by another
process takes effect, the slowest of a client's calls meanwhile, and the same while all keys are read again because
another database seems to be in the first one's place. The price of judging one key is timed in this process. Figures
are of a shared machine: the quiet row tells what it does by itself. Prints Markdown.
"""

import argparse
import secrets
import statistics
import sys
import tempfile
import threading
import time
import timeit
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, update

from llmops.clock import SystemClock
from llmops.identity.directory import IdentityDirectory
from llmops.identity.key import Key, Tenant
from llmops.identity.keyring import Keyring
from llmops.identity.secret import Digester, mint
from llmops.store.database import Database
from llmops.store.tables import api_keys, tenants, versions

from . import wire
from .lab import say
from .machine import SOURCE
from .process import HOST, MIB, Process, free_port, running, wait_until_ready

PEPPER = "a pepper for the benchmark's keys alone"
TENANTS = 1000
REVOCATIONS = 6
QUIET_S = 3.0
LIMIT_S = 60.0
SETTLE_S = 1.2  # more than one turn of the refresher


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.million_keys", description=__doc__)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL instead of SQLite")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="llmops-keys-") as name, _database(Path(name), options.postgres) as url:
        rows = measure(Path(name), url, options.keys)
    rows += judging()
    print(f"\n| {options.keys:,} keys, {'PostgreSQL' if options.postgres else 'SQLite'} | |\n| --- | --- |")
    print("\n".join(f"| {what} | {figure} |" for what, figure in rows))
    return 0


def measure(folder: Path, url: str, count: int) -> list[tuple[str, str]]:
    """The rows of the table that a running gateway gives."""
    database = Database(url)
    shell = IdentityDirectory(database, PEPPER.encode(), SystemClock(), refresh_s=1.0)
    begun_s = time.perf_counter()
    fill(database, count)
    say(f"{count:,} keys written in {time.perf_counter() - begun_s:.1f} s")
    key, credential = shell.registry.create_key(name="the client's")
    port = free_port()
    environment = {
        "LLMOPS_DATABASE_URL": url, "LLMOPS_KEY_PEPPER": PEPPER, "LLM_PROVIDER": "mock", "PYTHONPATH": str(SOURCE)
    }  # fmt: skip
    serve = [sys.executable, "-m", "llmops", "serve", "--port", str(port)]
    with running("gateway", serve, folder=folder, env=environment) as gateway:
        ready_s = wait_until_ready(gateway, port, "/ready", LIMIT_S)
        rows = [
            ("start to `/ready`", f"{ready_s:.2f} s"),
            ("resident memory, and its peak", f"{gateway.resident_mib():.0f} MiB, {peak_mib(gateway):.0f} MiB"),
        ]
        with Client(port, str(credential)) as client:
            time.sleep(QUIET_S)
            rows.append(("a client's calls, one after the other, nothing else", client.calls()))
            took_s = [revocation_s(shell, port) for _ in range(REVOCATIONS)]
            rows.append(
                ("a revocation takes effect after", f"{statistics.median(took_s):.2f} s, at most {max(took_s):.2f} s")
            )
            rows.append(("calls meanwhile", client.calls()))
            whole_s = reload_s(database, shell, port)
            rows.append(("all keys read anew under load, the new one works after", f"{whole_s:.1f} s"))
            rows.append(("calls meanwhile", client.calls()))
        rows.append(("peak of resident memory then", f"{peak_mib(gateway):.0f} MiB"))
    assert shell.registry.key(key.id).revoked_at_s is None
    shell.close()
    return rows


def fill(database: Database, count: int) -> None:
    """Keys that nobody has the secrets of, as many tenants as a platform has, a third of the keys narrowed down."""
    with database.write("identity") as connection:
        stamp = connection.execute(select(Database.version_of("identity"))).scalar_one()
        connection.execute(
            insert(tenants),
            [
                {"id": f"t{number}", "name": f"T{number}", "created_at_s": 1.7e9, "disabled": False, "version": stamp}
                for number in range(TENANTS)
            ],
        )
        for numbers in batched_range(count, 10_000):
            connection.execute(insert(api_keys), [_row(number, stamp) for number in numbers])


def batched_range(count: int, size: int) -> Iterator[range]:
    return (range(first, min(first + size, count)) for first in range(0, count, size))


def _row(number: int, stamp: int) -> dict[str, Any]:
    return {
        "id": f"{number:012x}", "tenant": f"t{number % TENANTS}", "name": f"application {number}", "role": "caller",
        "digest": secrets.token_bytes(32), "created_at_s": 1.7e9 + number, "operations": [],
        "models": [f"gpt-{number % 9}*", "o3"] if number % 3 == 0 else [], "version": stamp,
    }  # fmt: skip


class Client(threading.Thread):
    """Calls one after the other on one connection, and notes how long each takes."""

    def __init__(self, port: int, key: str) -> None:
        super().__init__(daemon=True)
        self._port, self._key = port, key
        self._taken_s: list[float] = []
        self._over = threading.Event()
        self._refused = 0

    def run(self) -> None:
        connection = HTTPConnection(HOST, self._port, timeout=30)
        while not self._over.wait(0.001):
            begun_s = time.perf_counter()
            self._refused += status_of(connection, self._key) != 200
            self._taken_s.append(time.perf_counter() - begun_s)
        connection.close()

    def calls(self) -> str:
        """What has been seen since the last time this was asked."""
        taken_ms, self._taken_s = sorted(1000 * each for each in self._taken_s), []
        quantile = {share: taken_ms[int(share * (len(taken_ms) - 1))] for share in (0.5, 0.99, 1)}
        failed = f", {self._refused} refused" if self._refused else ""
        return f"median {quantile[0.5]:.2f} ms, p99 {quantile[0.99]:.1f} ms, slowest {quantile[1]:.0f} ms{failed}"

    def __enter__(self) -> "Client":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


def status_of(connection: HTTPConnection, key: str) -> int:
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    connection.request("POST", wire.PATH, wire.CHAT_BODY, headers)
    with connection.getresponse() as response:
        response.read()
        return response.status


def seconds_until(port: int, key: str, status: int, begun_s: float) -> float:
    """From ``begun_s`` until calls with this key are answered with ``status``."""
    connection = HTTPConnection(HOST, port, timeout=30)
    while (seen := status_of(connection, key)) != status:
        time.sleep(0.01)
        if time.perf_counter() - begun_s > LIMIT_S:
            raise SystemExit(f"calls with a key are answered with {seen} instead of {status} for {LIMIT_S:g} s")
    connection.close()
    return time.perf_counter() - begun_s


def revocation_s(shell: IdentityDirectory, port: int) -> float:
    """Make a key, wait until it works, revoke it, and wait until it does not."""
    key, credential = shell.registry.create_key(name="to be revoked")
    seconds_until(port, str(credential), 200, time.perf_counter())
    time.sleep(secrets.randbelow(500) / 1000)  # anywhere within the refresher's turn
    shell.registry.revoke(key.id)
    return seconds_until(port, str(credential), 401, time.perf_counter())


def reload_s(database: Database, shell: IdentityDirectory, port: int) -> float:
    """Let the counter leap as another database's would, and wait for a key that was made after that."""
    with database.write("identity") as connection:
        connection.execute(update(versions).values(version=versions.c.version + 2**40))
    begun_s = time.perf_counter()
    _, credential = shell.registry.create_key(name="after the leap")
    return seconds_until(port, str(credential), 200, begun_s)


def judging() -> list[tuple[str, str]]:
    """The microseconds of ``identify`` and ``check_call`` for keys not seen before, and for known ones."""
    digester, ring, texts, keys = Digester(PEPPER.encode()), Keyring(PEPPER.encode()), [], []
    for _ in range(1000):
        credential = mint()
        texts.append(str(credential))
        keys.append(
            Key(id=credential.public_id, tenant="t", name="n", role="caller", created_at_s=0.0,
                digest=digester.digest(credential.secret))
        )  # fmt: skip
    ring.replace(keys, [Tenant(id="t", name="T", created_at_s=0.0)])
    following = cycle(texts)

    def judge() -> None:
        ring.check_call(ring.identify(next(following), 1.7e9), "chat", "gpt-4o")

    def best_us(forget: bool) -> float:
        taken_s = []
        for _ in range(30):
            if forget:
                ring.update([], [])
            taken_s.append(timeit.timeit(judge, number=len(texts)) / len(texts))
        return min(taken_s) * 1e6

    return [
        ("judging a key, never seen before", f"{best_us(True):.2f} µs"),
        ("judging a key, seen before", f"{best_us(False):.2f} µs"),
    ]


def peak_mib(process: Process) -> float:
    """The most resident memory that one process of the tree has had."""
    peaks = []
    for pid in process.tree():
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                peaks.append(int(line.split()[1]) * 1024 / MIB)
    return max(peaks)


@contextmanager
def _database(folder: Path, postgres: bool) -> Iterator[str]:
    if not postgres:
        yield f"sqlite:///{folder / 'llmops.db'}"
        return
    from tests.store.postgres import binaries, postgres_server

    programs = binaries()
    if programs is None:
        raise SystemExit("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with postgres_server(programs) as server:
        yield server.fresh()


if __name__ == "__main__":
    sys.exit(main())
