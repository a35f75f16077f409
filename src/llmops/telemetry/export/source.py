"""Where records to be exported come from: something on disk or in the database that is read from a position on.

Nothing is removed by reading, so the same source feeds any number of exports, each with positions of its own, and what
a destination cannot take yet waits where it is.
"""

from typing import Any, Protocol

import msgspec

from ..spans.span import Span

Positions = dict[str, int]
"""How far each file has been read, by its name."""


class Produced(msgspec.Struct, frozen=True):
    """What one call, or one export that came in, gives: whose it is and when it came."""

    tenant: str | None
    at_s: float
    spans: list[Span]


class Batch(msgspec.Struct, frozen=True):
    """``taken`` is given back to the source once it is known what became of all of it."""

    produced: list[Produced]
    taken: Any
    unreadable: int = 0
    """Spans that were there and cannot be read."""
    notices: list[str] = []


class Source(Protocol):
    """Belongs to one thread. ``positions`` can be kept, and given to another one later. Methods raise `OSError` where
    the disk does not give what it holds."""

    @property
    def name(self) -> str: ...
    @property
    def positions(self) -> Positions: ...
    @property
    def waiting_bytes(self) -> int: ...
    def begin(self, positions: Positions | None) -> None:
        """Go on from these; None: from what comes from now on."""

    def look(self) -> None:
        """See what there is now."""

    def next_batch(self) -> Batch | None: ...
    def advance(self, batch: Batch) -> None: ...
    def waiting(self) -> tuple[int, int]:
        """Calls and spans that were not read yet."""

    def close(self) -> None: ...
