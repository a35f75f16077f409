"""What a gateway has stored, read from its database beside it."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

LIMIT_S = 30


async def stored(log_dir: Path, table: str, count: int) -> list[dict[str, Any]]:
    """The rows of ``spans`` or ``calls``, once there are so many."""
    deadline_s = time.monotonic() + LIMIT_S
    query = {"spans": "SELECT * FROM spans ORDER BY started_us", "calls": "SELECT * FROM calls ORDER BY started_at_ms"}
    while True:
        found = _rows(log_dir.parent / "llmops.db", query[table])
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline_s, f"{len(found)} of {count} {table} after {LIMIT_S} s"
        await asyncio.sleep(0.05)


def _rows(database: Path, query: str) -> list[dict[str, Any]]:
    if not database.exists():
        return []
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(query)]
        except sqlite3.OperationalError:  # the tables are still being made
            return []
