"""Calls as they are written in the request log: an export follows it through all its files, as the ingester does.

How a log is followed and what its lines say is `spend.usage`'s business, above this; what is needed of it is here as
protocols.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from .source import Batch, Positions, Produced

_CHUNK_BYTES = 400_000
_COUNT_BYTES = 4_000_000


class Part(Protocol):
    """One file of the log."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...


class Lines(Protocol):
    """Whole lines of a file, up to ``end``."""

    @property
    def part(self) -> Part: ...
    @property
    def lines(self) -> bytes: ...
    @property
    def end(self) -> int: ...
    @property
    def torn(self) -> str | None: ...


class Follower(Protocol):
    """`spend.usage.log_follower.LogFollower`."""

    notices: list[str]

    @property
    def path(self) -> Path: ...
    @property
    def parts(self) -> Sequence[Part]: ...
    @property
    def behind_bytes(self) -> int: ...
    def position(self, part_id: int) -> int: ...
    def resume(self, positions: Mapping[int, int]) -> None: ...
    def look(self, *, thoroughly: bool = False) -> set[int]: ...
    def next_chunk(self, limit_bytes: int) -> Lines | None: ...
    def advance(self, chunk: Any) -> None: ...
    def close(self) -> None: ...


Read = Callable[[Lines], list[Produced]]
"""The calls of some lines as spans; lines that are no records are left out, as they are everywhere."""


class CallSource:
    """Positions are by the files' ids: they stay when files are renamed."""

    name = "calls"

    def __init__(self, follower: Follower, read: Read) -> None:
        self._follower = follower
        self._read = read
        self._stored: dict[int, int] = {}

    @property
    def positions(self) -> Positions:
        return {str(part.id): self._follower.position(part.id) for part in self._follower.parts}

    @property
    def waiting_bytes(self) -> int:
        return self._follower.behind_bytes

    def begin(self, positions: Positions | None) -> None:
        self._follower.look(thoroughly=True)
        if positions is None:
            positions = {str(part.id): self._whole(part) for part in self._follower.parts}
        self._stored = {int(part_id): position for part_id, position in positions.items()}
        self._follower.resume(self._stored)

    def look(self) -> None:
        if self._follower.look():
            known = {part.id: self._follower.position(part.id) for part in self._follower.parts}
            self._follower.resume({**self._stored, **{part_id: at for part_id, at in known.items() if at}})

    def next_batch(self) -> Batch | None:
        chunk = self._follower.next_chunk(_CHUNK_BYTES)
        return Batch(self._read(chunk), chunk) if chunk is not None else None

    def advance(self, batch: Batch) -> None:
        self._follower.advance(batch.taken)
        self._stored[batch.taken.part.id] = batch.taken.end

    def waiting(self) -> tuple[int, int]:
        return sum(self._lines(part) for part in self._follower.parts), 0

    def close(self) -> None:
        self._follower.close()

    def _lines(self, part: Part) -> int:
        """Lines of a file that are not read yet."""
        at, found = self._follower.position(part.id), 0
        if at >= part.size:
            return 0
        try:
            with self._follower.path.with_name(part.name).open("rb") as file:
                file.seek(at)
                while data := file.read(_COUNT_BYTES):
                    found += data.count(b"\n")
        except FileNotFoundError:
            return 0
        return found

    def _whole(self, part: Part) -> int:
        """Where the last whole line of a file ends."""
        with self._follower.path.with_name(part.name).open("rb") as file:
            begin = max(0, part.size - _COUNT_BYTES)
            file.seek(begin)
            return begin + file.read(part.size - begin).rfind(b"\n") + 1
