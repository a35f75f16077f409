"""What the fault server counts, shown at ``/_faults``: how a test knows that a fault has struck, and how often."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Tally:
    """Counts since the start. ``requests`` are those that were answered or struck: healthy, struck and refused."""

    healthy: int = 0
    refused: int = 0
    """Malformed requests and unknown faults."""
    struck: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    open: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    @property
    def requests(self) -> int:
        return self.healthy + self.refused + self.struck.total()

    def shown(self) -> dict[str, Any]:
        """As data for programs."""
        return {
            "requests": self.requests,
            "healthy": self.healthy,
            "refused": self.refused,
            "struck": dict(sorted(self.struck.items())),
            "connections": {"open": self.open, "total": self.connections},
            "bytes": {"in": self.bytes_in, "out": self.bytes_out},
        }
