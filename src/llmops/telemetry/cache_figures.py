"""The cache at one moment, as numbers that add up over processes.

What became of calls comes from the request log's records, so a scrape and the log agree; what lies in the store is told
by the store. Each process has its own where answers are kept in-process; in Redis they are everybody's, and how many
there are is Redis' own to tell, so they are not counted here.
"""

import msgspec

from .record import CallRecord


class CacheFigures(msgspec.Struct, kw_only=True):
    """``calls`` by model and state, joined by U+001F, and ``saved_nanousd`` by model, both since the start; ``removed``
    by cause."""

    calls: dict[str, int] = {}
    saved_nanousd: dict[str, int] = {}
    entries: int = 0
    bytes: int = 0
    flights: int = 0
    removed: dict[str, int] = {}
    unreadable: int = 0
    too_large: int = 0

    def observe(self, record: CallRecord) -> None:
        """Count a call that met the cache."""
        _count(self.calls, f"{record.model}\x1f{record.cache}", 1)
        if record.saved_nanousd:
            _count(self.saved_nanousd, record.model, record.saved_nanousd)

    def add(self, other: "CacheFigures") -> None:
        for mine, theirs in (
            (self.calls, other.calls),
            (self.saved_nanousd, other.saved_nanousd),
            (self.removed, other.removed),
        ):
            for name, count in theirs.items():
                _count(mine, name, count)
        self.entries += other.entries
        self.bytes += other.bytes
        self.flights += other.flights
        self.unreadable += other.unreadable
        self.too_large += other.too_large

    def rest(self) -> None:
        """Of a process that has ended: what it kept is gone with it."""
        self.entries = self.bytes = self.flights = 0


def _count(counts: dict[str, int], name: str, more: int) -> None:
    counts[name] = counts.get(name, 0) + more
