"""``python -m benchmarks.ingest``: how fast the request log gets into the database, sums by day included.

A log as `RequestLog` writes it (50 tenants, 20 models, 200 users, some tags, one to three masked messages a call) is
brought into a new SQLite database, and into the PostgreSQL database that ``--postgres URL`` names, whose tables
``calls``, ``usage_days`` and ``log_files`` are emptied first. One process; the bar is 20,000 records a second.
"""

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path

from sqlalchemy import delete

from llmops.clock import Ids, ManualClock
from llmops.spend.usage.ingester import Ingester
from llmops.spend.usage.repository.calls import CallRepository
from llmops.store.database import Database
from llmops.store.tables import calls, log_files, usage_days
from llmops.telemetry.log_file import LogFile
from llmops.telemetry.record import Charge, FinishedCall
from llmops.telemetry.request_log import RequestLog
from llmops.types import Call, Deployment, MessageView, Outcome, Reply, RequestView, Usage

from .lab import say

BAR_PER_S = 20_000
_AT_ONCE = 20_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--postgres", metavar="URL", help="an empty database that may be written to")
    options = parser.parse_args()
    missed = False
    with tempfile.TemporaryDirectory(prefix="llmops-bench-") as folder:
        log = Path(folder) / "logs/gateway.jsonl"
        say(f"writing a log of {options.records:,} records")
        asyncio.run(write_log(log, options.records))
        say(f"{sum(file.stat().st_size for file in log.parent.glob('*.jsonl')) / options.records:.0f} bytes a record")
        urls = {"SQLite": f"sqlite:///{folder}/llmops.db"}
        if options.postgres:
            urls["PostgreSQL"] = options.postgres
        print("| database | records/s | processor time a record | sums by day |\n| --- | --- | --- | --- |")
        for name, url in urls.items():
            seconds, cpu_s, sums = asyncio.run(ingest(log, url))
            per_s = options.records / seconds
            missed = missed or per_s < BAR_PER_S
            print(f"| {name} | {per_s:,.0f} | {cpu_s / options.records * 1e6:.1f} µs | {sums:,} |")
    return 1 if missed else 0


async def ingest(log: Path, url: str) -> tuple[float, float, int]:
    """Seconds, seconds of this process's processor time, and rows of ``usage_days`` afterwards."""
    database = Database(url)
    with database.write("usage") as connection:
        for table in (calls, usage_days, log_files):
            connection.execute(delete(table))
    ingester = Ingester(log, CallRepository(database))
    begun_s, cpu_s = time.perf_counter(), time.process_time()
    await ingester.catch_up()
    took_s, cpu_s = time.perf_counter() - begun_s, time.process_time() - cpu_s
    await ingester.aclose()
    with database.read() as connection:
        sums = len(connection.execute(usage_days.select().with_only_columns(usage_days.c.group_id)).all())
    database.close()
    return took_s, cpu_s, sums


async def write_log(path: Path, records: int, seed: int = 1) -> None:
    """A request log of so many calls, in files of at most 50 MB."""
    luck, ids, clock = random.Random(seed), Ids(seed), ManualClock(1_795_000_000.0)
    log = RequestLog(
        LogFile(path, rotate_bytes=50_000_000, rotate_age_s=10**9),
        clock=clock,
        hash_key=b"k" * 32,
        flush_interval_s=0.01,
    )
    deployments = [Deployment(name=f"model-{number}/0", provider=_Provider(), model=None) for number in range(20)]
    for written in range(1, records + 1):
        clock.advance(0.0005)
        log.append(_finished(luck, ids, clock, deployments))
        if written % _AT_ONCE == 0:
            await log.flush()
    await log.aclose()


class _Provider:
    name = "openai"

    async def send(self, call: Call) -> Reply:
        raise NotImplementedError


def _finished(luck: random.Random, ids: Ids, clock: ManualClock, deployments: list[Deployment]) -> FinishedCall:
    tenant, model = luck.randrange(50), luck.randrange(20)
    content = b"What is the capital of France, and why?"
    messages = [MessageView("user", content, len(content)) for _ in range(luck.randint(1, 3))]
    view = RequestView(model=f"model-{model}", user=f"user-{luck.randrange(200)}", messages=messages)
    now_s = clock.monotonic_s()
    call = Call(
        operation="chat",
        body=b"",
        view=view,
        request_id=ids.request_id(),
        trace_id=ids.trace_id(),
        span_id=ids.span_id(),
        started_at_s=clock.now_s(),
        started_s=now_s,
        tenant=f"tenant-{tenant}",
        key_id=f"key{tenant:09d}",
        model=view.model,
        deployment=deployments[model],
        attempts=1,
        tags={"feature": luck.choice(["search", "chat", "summary"])} if luck.random() < 0.5 else {},
    )
    usage = Usage(prompt=luck.randrange(10, 4000), completion=luck.randrange(1, 900), cached=luck.choice([0, 0, 512]))
    outcome = Outcome(
        usage=usage, finish_reason="stop", model="m-2026", upstream_id="chatcmpl-9x", first_content_s=now_s
    )
    charge = Charge(usage=usage, cost_nanousd=luck.randrange(10**6), reserved_nanousd=10**6)
    return FinishedCall(call=call, reply=Reply(outcome=outcome), charge=charge, ended_s=now_s + luck.random())


if __name__ == "__main__":
    raise SystemExit(main())
