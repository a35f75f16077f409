"""What the writer's process tells the gateway's, a line of JSON at a time, and what it is told at its start.

Counts are those of each file of the spool since it began, as they stand beside its position in the database: a report
that was lost with its process changes nothing, the next one says it again.
"""

import msgspec


class FileCounts(msgspec.Struct, array_like=True, frozen=True):
    stored: int = 0
    known: int = 0
    damaged: int = 0


class Report(msgspec.Struct, kw_only=True, omit_defaults=True):
    """``files`` have changed since the report before; everything else is as it is now."""

    files: dict[str, FileCounts] = {}
    waiting: int = 0
    unindexed: int = 0
    removed: int = 0
    failing: str | None = None
    notices: list[str] = []


class Orders(msgspec.Struct, kw_only=True):
    """Where to read and to write, and how long what is written is kept. Later ones change everything but where."""

    database_url: str
    folder: str
    retention_days: float
    max_bytes: int
    mask_after_days: float | None = None
    is_durable: bool = False
    """A file of the spool goes only when what it held is on the disk."""
