"""``python -m benchmarks.overview``: what the overview costs with 1,000,000 calls stored, and with ten times as many.

Calls of 30 days (50 tenants, 20 models, some errors) are stored in bulk, in SQLite and, with ``--postgres``, in a
database of its own from Debian's binaries; their rollups are made by the writer that the ingester uses, and folded.
Minutes are kept for 14 days, as by default. Then windows of several lengths, all cut at odd minutes, are asked for as
the API does, and the store's time is taken. The rows of the ten times as many calls are left out, their rollups are
not: the overview reads nothing else. The bar is 300 ms for each.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import text

from llmops.store.database import Database
from llmops.telemetry.rollups.figures import Filter
from llmops.telemetry.rollups.overview import Overview
from llmops.telemetry.rollups.repository.folding import FoldingRepository
from llmops.telemetry.rollups.repository.marks import set_mark
from llmops.telemetry.rollups.repository.writer import RollupWriter
from llmops.telemetry.rollups.window import Window

from .lab import say

BAR_MS = 300
BEGIN_S = 1_795_219_200
DAYS = 30
LAST_S = BEGIN_S + DAYS * 86_400
MINUTES_DAYS = 14
TENANTS, MODELS = 50, 20
RUNS = 7
_AT_ONCE = 20_000
_FIGURE = tuple[str, float, float]


class Call(msgspec.Struct, gc=False):
    """What the rollups read of a call."""

    started_at_ms: int
    tenant: str
    model: str
    status: int
    error_type: str | None
    cached: bool
    latency_ms: float
    ttft_ms: float | None
    prompt_tokens: int
    completion_tokens: int
    cost_nanousd: int
    operation: str = "chat"
    release_id: str | None = None
    cache: str | None = "miss"
    degraded: str | None = None
    attempts: int = 1
    json_valid: bool | None = None
    cached_tokens: int = 0
    saved_nanousd: int = 0
    arm: str | None = None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overview", description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=10, help="how many times as many there are the second time")
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL as well")
    options = parser.parse_args()
    missed = False
    for engine in ["SQLite", *(["PostgreSQL"] if options.postgres else [])]:
        columns: list[list[_FIGURE]] = []
        for calls, with_rows in ((options.calls, True), (options.calls * options.times, False)):
            with _database(engine) as database:
                columns.append(measure(database, calls, with_rows=with_rows))
        missed = missed or any(slowest > BAR_MS for column in columns for _, _, slowest in column)
        print(
            f"\n| {engine}: median, slowest of {RUNS} | {options.calls:,} calls | {options.calls * options.times:,} |"
        )
        print("| --- | --- | --- |")
        for (what, median, slowest), (_, more, slowest_more) in zip(*columns, strict=True):
            print(f"| {what} | {median:.0f} ms, at most {slowest:.0f} | {more:.0f} ms, at most {slowest_more:.0f} |")
    return 1 if missed else 0


def measure(database: Database, calls: int, *, with_rows: bool) -> list[_FIGURE]:
    begun_s = time.perf_counter()
    database.ensure()
    if with_rows:
        store_rows(database, calls)
    roll_up(database, calls)
    say(f"{calls:,} calls stored in {time.perf_counter() - begun_s:.0f} s")
    overview, end = Overview(database, lambda: float(LAST_S)), LAST_S - 37 * 60
    one = Filter(tenant="tenant-7")
    asked: list[tuple[str, Callable[[], Any]]] = []
    for name, minutes in (("1 hour", 60), ("1 day", 1440), ("7 days", 10_083), ("29 days", 29 * 1440 - 401)):
        window = Window(end - minutes * 60, end)
        for by in ([], ["model"], ["tenant"], ["status"]):
            what = f"{name}{' by ' + by[0] if by else ''}, and the window before"
            asked.append((what, lambda window=window, by=by: overview.figures(window, by)))
        asked.append((f"{name} of one tenant by model", lambda window=window: overview.figures(window, ["model"], one)))
        asked.append((f"{name} as a series", lambda window=window: overview.series(window)))
    return [(what, *_timed(ask)) for what, ask in asked]


def store_rows(database: Database, calls: int) -> None:
    """Rows of calls, made by the database itself."""
    values = {
        "request_id": "'req_' || n",
        "log_file": "1",
        "day": "date(:begin + n * :step / 1000, 'unixepoch')",
        "started_at_ms": "(:begin + n * :step / 1000) * 1000",
        "tenant": f"'tenant-' || (n % {TENANTS})",
        "operation": "'chat'",
        "model": f"'model-' || (n % {MODELS})",
        "provider": "'openai'",
        "status": "200",
        "stream": "0",
        "cached": "0",
        "recovered": "0",
        "latency_ms": "n % 5000",
        "prompt_tokens": "n % 4000",
        "completion_tokens": "n % 900",
        "cached_tokens": "0",
        "cache_write_tokens": "0",
        "reasoning_tokens": "0",
        "usage_source": "'provider'",
        "cost_nanousd": "n % 1000000",
        "tags": "'{}'",
        "trace_id": "n || ''",
    }
    numbers = "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :calls)"
    if database.folder is None:
        values |= {"day": "CAST(to_timestamp(:begin + n * :step / 1000) AS date)"}
        values |= {name: "false" for name in ("stream", "cached", "recovered")}
        numbers = "WITH numbers(n) AS (SELECT generate_series(0, CAST(:calls AS bigint) - 1))"
    insert = f"INSERT INTO calls ({', '.join(values)}) {numbers} SELECT {', '.join(values.values())} FROM numbers"  # noqa: S608
    with database.write("usage") as connection:
        connection.execute(text(insert), {"calls": calls, "begin": BEGIN_S, "step": DAYS * 86_400_000 // calls})


def roll_up(database: Database, calls: int) -> None:
    writer, folding = RollupWriter(embedded=database.folder is not None), FoldingRepository(database)
    with database.write("usage") as connection:
        for name in ("folded", "minutes"):
            set_mark(connection, name, LAST_S - MINUTES_DAYS * 86_400)
    for some in made(calls):
        with database.write("usage") as connection:
            writer.add(connection, some)
        writer.committed()
    while folding.fold_hour(LAST_S):
        pass


def made(calls: int, seed: int = 1) -> Iterator[Sequence[Call]]:
    luck, step_ms = random.Random(seed), DAYS * 86_400_000 / calls
    made: list[Call] = []
    for number in range(calls):
        chance = luck.random()
        failed, hit = chance < 0.02, chance > 0.8
        latency_ms = 3.0 if hit else 200 + 3000 * luck.random() ** 3
        made.append(
            Call(
                int(BEGIN_S * 1000 + number * step_ms),
                f"tenant-{int(TENANTS * luck.random())}",
                f"model-{int(MODELS * luck.random())}",
                502 if failed else 200,
                "upstream_error" if failed else None,
                hit,
                latency_ms,
                None if failed else latency_ms / 3,
                number % 4000,
                number % 900,
                0 if hit else number % 1_000_000,
            )
        )
        if len(made) == _AT_ONCE or number == calls - 1:
            yield made
            made = []


def _timed(ask: Callable[[], Any]) -> tuple[float, float]:
    """Median and slowest, in milliseconds."""
    taken = []
    for _ in range(RUNS):
        begun_s = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - begun_s) * 1000)
    return statistics.median(taken), max(taken)


@contextmanager
def _database(engine: str) -> Iterator[Database]:
    with tempfile.TemporaryDirectory(prefix="llmops-overview-") as folder:
        if engine == "SQLite":
            database = Database(f"sqlite:///{folder}/llmops.db")
            try:
                yield database
            finally:
                database.close()
            return
        sys.path.insert(0, str(Path(__file__).parents[1]))
        from tests.store.postgres import binaries, postgres_server

        programs = binaries()
        if programs is None:
            raise SystemExit("PostgreSQL is not installed: apt install postgresql")
        with postgres_server(programs) as server:
            database = Database(server.fresh())
            try:
                yield database
            finally:
                database.close()


if __name__ == "__main__":
    raise SystemExit(main())
