"""What the request log and the database say, read by eyes of the tests' own.

Nothing of the gateway's reading code is used for the log: every whole line of every file counts, also one that stands
there twice.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import func, select

from llmops.store.database import Database
from llmops.store.tables import calls


class Tokens(msgspec.Struct, frozen=True):
    prompt: int
    completion: int
    cached: int
    source: str


class Line(msgspec.Struct, frozen=True):
    """The fields of a line that promises are about."""

    request_id: str
    trace_id: str
    tenant: str
    status: int
    stream: bool
    attempts: int
    recovered: bool
    token_usage: Tokens
    cost_nanousd: int | None
    reserved_nanousd: int | None
    error_type: str | None = None
    limits_over: list[str] = []

    @property
    def is_negative(self) -> bool:
        used = self.token_usage
        amounts = (used.prompt, used.completion, used.cached, self.cost_nanousd or 0, self.reserved_nanousd or 0)
        return min(amounts) < 0


class LogLines:
    """All lines of a log folder; ``read`` takes what is new since the last time."""

    def __init__(self, folder: Path) -> None:
        self.by_trace: dict[str, Line] = {}
        self.doubles: list[str] = []
        """Request ids and trace ids that stand in the log more than once."""
        self.unreadable: list[bytes] = []
        self.lines = 0
        self._folder = folder
        self._read: dict[int, int] = {}
        self._seen: set[str] = set()
        self._decode = msgspec.json.Decoder(Line).decode

    @property
    def files(self) -> int:
        return len(self._read)

    def read(self) -> None:
        paths = [self._folder / "gateway.jsonl", *self._folder.glob("gateway-*.jsonl")]
        for path in paths:  # the present one first: it may be rotated meanwhile, and is then known by its inode
            try:
                file = path.open("rb")
            except FileNotFoundError:
                continue
            with file:
                inode = os.fstat(file.fileno()).st_ino
                file.seek(self._read.get(inode, 0))
                content = file.read()
                whole = content.rfind(b"\n") + 1
                self._read[inode] = self._read.get(inode, 0) + whole
            for raw in content[:whole].splitlines():
                self._take(raw)

    def _take(self, raw: bytes) -> None:
        try:
            line = self._decode(raw)
        except msgspec.DecodeError:
            self.unreadable.append(raw[:200])
            return
        self.lines += 1
        for name in (line.request_id, line.trace_id):
            if name in self._seen:
                self.doubles.append(name)
            self._seen.add(name)
        self.by_trace[line.trace_id] = line


def stored_costs(database: Database, request_ids: Iterable[str]) -> dict[str, int | None]:
    """Of these calls, those that are in the database, and what they are charged there. Blocks."""
    wanted, found = list(request_ids), {}
    if not database.exists:
        return {}
    with database.read() as connection:
        for begin in range(0, len(wanted), 500):
            query = select(calls.c.request_id, calls.c.cost_nanousd).where(
                calls.c.request_id.in_(wanted[begin : begin + 500])
            )
            found.update({request_id: cost for request_id, cost in connection.execute(query)})
    return found


def stored_sums(database: Database) -> dict[str, Any]:
    """How many calls the database has, and the sum of their charges. Blocks."""
    with database.read() as connection:
        row = connection.execute(select(func.count(), func.sum(calls.c.cost_nanousd)).select_from(calls)).one()
    return {"calls": int(row[0]), "nanousd": int(row[1] or 0)}
