"""``python -m benchmarks.trace_reads``: how fast traces are found and opened where a million calls are stored.

Fills a new database (SQLite; with ``--postgres`` a server of its own from Debian's binaries; ``--database`` keeps it
for the next time), and asks each question many times with other values. A million calls are five million spans, since
a call's spans are derived. Bars: a trace by its id in 20 ms, a search in 300 ms, each time.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import func, select, text

from llmops.store.database import Database
from llmops.store.tables import calls
from llmops.telemetry.traces.directory import TraceDirectory
from llmops.telemetry.traces.query import Order, TraceFilter

from .lab import say
from .stored_calls import BEGIN_MS, DAYS, fill, trace_id

TRACE_BAR_MS, SEARCH_BAR_MS = 20.0, 300.0
_DAY_US = 86_400_000_000
_WARM_UP = 2


class Question(NamedTuple):
    name: str
    bar_ms: float
    ask: Callable[[random.Random], object]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=20, help="how often each question is asked")
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL instead of SQLite")
    parser.add_argument("--database", metavar="URL", help="one that has been filled, or is filled and kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="llmops-traces-") as name, _url(Path(name), options) as url:
        database = Database(url)
        _fill(database, options.calls)
        missed = _measure(TraceDirectory(database), options.calls, options.times)
        database.close()
    return 1 if missed else 0


def _measure(traces: TraceDirectory, count: int, times: int) -> bool:
    missed = False
    print("\n| question | median | slowest | bar |\n| --- | --- | --- | --- |")
    for question in _questions(traces, count):
        luck, took_ms = random.Random(1), []
        for number in range(_WARM_UP + times):
            begun_s = time.perf_counter()
            question.ask(luck)
            if number >= _WARM_UP:
                took_ms.append((time.perf_counter() - begun_s) * 1000)
        missed = missed or max(took_ms) > question.bar_ms
        shown = f"{statistics.median(took_ms):.1f} ms | {max(took_ms):.1f} ms | {question.bar_ms:g} ms"
        print(f"| {question.name} | {shown} |", flush=True)
    return missed


def _questions(traces: TraceDirectory, count: int) -> Iterator[Question]:
    def trace(luck: random.Random) -> object:
        found = traces.read(trace_id(luck.randrange(count)), None)
        assert found is not None and found.spans >= 5
        return found

    def search(order: Order = "newest", limit: int = 50, **fixed: object) -> Callable[[random.Random], object]:
        def ask(luck: random.Random) -> object:
            values = {name: value(luck) if callable(value) else value for name, value in fixed.items()}
            return traces.search(TraceFilter(**values), order, limit)  # type: ignore[arg-type]

        return ask

    def named(kind: str, most: int) -> Callable[[random.Random], str]:
        return lambda luck: f"{kind}-{luck.randrange(most)}"

    def day(luck: random.Random) -> int:
        return BEGIN_MS * 1000 + luck.randrange(DAYS) * _DAY_US

    tenant = named("tenant", 50)
    yield Question("trace by its id", TRACE_BAR_MS, trace)
    for name, ask in (
        ("newest of all", search()),
        ("newest of a tenant", search(tenant=tenant)),
        ("of a user", search(user=named("user", 2000))),
        ("of a tenant's user", search(tenant=tenant, user=named("user", 2000))),
        ("of a session", search(session=named("session", 100_000))),
        ("of a model", search(model=named("model", 20))),
        ("of a tenant, with a model", search(tenant=tenant, model=named("model", 20))),
        ("of a release", search(release_id=lambda luck: f"rel-{day(luck) // _DAY_US}")),
        ("that failed", search(state="error")),
        ("of a tenant, that failed", search(tenant=tenant, state="error")),
        ("with a status that none has", search(status=418)),
        ("slower than a minute", search(min_latency_ms=60_000.0)),
        ("dearer than 1 cent", search(min_cost_nanousd=10_000_000)),
        ("before a moment", search(until_us=day)),
        ("slowest of all", search("slowest")),
        ("slowest of a day", search("slowest", since_us=lambda _: BEGIN_MS * 1000 + 9 * _DAY_US)),
        ("dearest of all", search("dearest")),
        ("dearest of a tenant", search("dearest", tenant=tenant)),
        ("dearest of a user", search("dearest", user=named("user", 2000))),
        ("sessions, latest first", lambda _: traces.sessions(None)),
        ("a tenant's sessions", lambda luck: traces.sessions(tenant(luck))),
        ("where the time goes", lambda _: traces.steps()),
    ):
        yield Question(name, SEARCH_BAR_MS, ask)


def _fill(database: Database, count: int) -> None:
    with database.read() as connection:
        known = connection.execute(select(func.count()).select_from(calls)).scalar_one()
    if known:
        say(f"{known:,} calls are there already")
        return
    say(f"storing {count:,} calls")
    fill(database, count)
    if database.folder is None:  # what a server does by itself some minutes later
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE calls"))


@contextmanager
def _url(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    if options.database:
        yield options.database
    elif not options.postgres:
        yield f"sqlite:///{folder}/llmops.db"
    else:
        from tests.store.postgres import binaries, postgres_server

        programs = binaries()
        if programs is None:
            raise SystemExit("PostgreSQL is not installed (Debian: apt-get install postgresql)")
        with postgres_server(programs) as server:
            yield server.fresh()


if __name__ == "__main__":
    raise SystemExit(main())
