"""Rollups of as many calls as one likes, up to now, without the calls: the overview reads nothing else."""

import time

from llmops.store.database import Database
from llmops.telemetry.rollups.repository.folding import FoldingRepository
from llmops.telemetry.rollups.repository.marks import set_mark
from llmops.telemetry.rollups.repository.writer import RollupWriter

from . import overview
from .lab import say

DAYS = 10


def fill_rollups(database: Database, calls: int) -> int:
    """Store them; when the last one was, in seconds."""
    begun_s = time.perf_counter()
    database.ensure()
    last_s = int(time.time()) // 60 * 60
    shift_ms = (last_s - overview.LAST_S) * 1000
    writer, folding = RollupWriter(embedded=database.folder is not None), FoldingRepository(database)
    with database.write("usage") as connection:
        for name in ("folded", "minutes"):
            set_mark(connection, name, last_s - overview.MINUTES_DAYS * 86_400)
    for some in overview.made(calls):
        for call in some:
            call.started_at_ms += shift_ms
        with database.write("usage") as connection:
            writer.add(connection, some)
        writer.committed()
    while folding.fold_hour(last_s):
        pass
    say(f"rollups of {calls:,} calls in {time.perf_counter() - begun_s:.0f} s")
    return last_s


def window_query(last_s: int) -> str:
    """The last day of them, as it stands in an address."""
    return f"live=off&window=own&from={last_s - 86_400}&to={last_s}"
