"""What became of the spans that were sent here, as numbers that add up over processes.

What was answered with "taken" is in the database (``stored``), was there already (``known``), could not be kept and is
told (``damaged``), or waits on disk (``waiting``, by what lies there). ``rejected`` spans and ``refused`` requests were
never taken: their senders were told.
"""

import msgspec


class TraceTally(msgspec.Struct, kw_only=True):
    """Counts spans, but ``refused`` requests by reason, and ``unindexed`` texts. The last three are of now."""

    accepted: int = 0
    stored: int = 0
    known: int = 0
    damaged: int = 0
    rejected: int = 0
    removed: int = 0
    refused: dict[str, int] = {}
    waiting: int = 0
    waiting_bytes: int = 0
    unindexed: int = 0

    def refuse(self, reason: str) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def add(self, other: "TraceTally") -> None:
        for name in ("accepted", "stored", "known", "damaged", "rejected", "removed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("waiting", "waiting_bytes", "unindexed"):  # one process knows, or all see the same folder
            setattr(self, name, max(getattr(self, name), getattr(other, name)))
        for reason, count in other.refused.items():
            self.refused[reason] = self.refused.get(reason, 0) + count

    def rest(self) -> None:
        """Of a process that has ended: what it counted stays."""
        self.waiting = self.waiting_bytes = self.unindexed = 0
