"""Reading rollups: the sums of windows, by group. What is read is of one moment, whoever writes meanwhile.

Rows are gathered first and then added column by column, which takes the least time per row.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, select

from ....store.database import Database
from ....store.tables import rollup_groups, rollups
from ..histogram import unpacked
from ..rollup import Group, Sums
from ..window import Piece
from .marks import Marks, read_marks
from .rows import COUNTERS

_COUNTED = len(COUNTERS)
_IDS_AT_ONCE = 500
_KNOWN_GROUPS = 100_000
_COLUMNS = [rollups.c[name] for name in ("starts_at", "group_id", *COUNTERS, "latency", "ttft")]
Slot = Callable[[int], int]
"""Where a rollup that starts at a moment is added to."""


class RollupReader:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._groups: dict[int, Group] = {}

    @property
    def exists(self) -> bool:
        return self._database.exists

    @contextmanager
    def opened(self) -> Iterator["Snapshot"]:
        """What there is now."""
        with self._database.read() as connection:
            if connection.dialect.name == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            yield Snapshot(connection, self._known)

    def _known(self, connection: Connection, ids: Iterable[int]) -> dict[int, Group]:
        """Groups by id; they never change."""
        if len(self._groups) > _KNOWN_GROUPS:
            self._groups = {}
        known = self._groups
        missing = [each for each in ids if each not in known]
        for begin in range(0, len(missing), _IDS_AT_ONCE):
            query = select(rollup_groups).where(rollup_groups.c.id.in_(missing[begin : begin + _IDS_AT_ONCE]))
            for number, *group in connection.execute(query):
                known[number] = Group(*group)
        return known


class Snapshot:
    """The rollups at one moment."""

    def __init__(self, connection: Connection, groups: Callable[[Connection, Iterable[int]], dict[int, Group]]) -> None:
        self._connection = connection
        self._groups = groups
        self.marks: Marks = read_marks(connection)

    def sums(
        self, view: int, wanted: Sequence[Piece], slot: Slot = lambda starts_at: 0
    ) -> list[tuple[int, Group, Sums]]:
        """Sums by slot and group."""
        gathered: dict[tuple[int, int, int], list[Sequence[Any]]] = {}
        for piece in wanted:
            sign = piece.sign
            for row in self._rows(view, piece):
                key = slot(row[0]), row[1], sign
                rows = gathered.get(key)
                if rows is None:
                    gathered[key] = [row]
                else:
                    rows.append(row)
        groups = self._groups(self._connection, {group for _, group, _ in gathered})
        found: dict[tuple[int, int], Sums] = {}
        for (at, group, sign), rows in gathered.items():
            sums = added(rows, sign)
            if (at, group) in found:
                found[at, group].add(sums)
            else:
                found[at, group] = sums
        return [(at, groups[group], sums) for (at, group), sums in found.items() if sums.is_any]

    def _rows(self, view: int, piece: Piece) -> Sequence[Sequence[Any]]:
        query = select(*_COLUMNS).where(
            rollups.c.view == view,
            rollups.c.period_s == piece.period_s,
            rollups.c.starts_at >= piece.first,
            rollups.c.starts_at < piece.last,
        )
        return self._connection.execute(query).all()


def added(rows: Sequence[Sequence[Any]], sign: int) -> Sums:
    """The sums of rows whose columns from the third on are those from ``calls`` on."""
    columns = list(zip(*rows, strict=True))
    counted = [sign * int(sum(column)) for column in columns[2 : 2 + _COUNTED]]
    return Sums(*counted, *(sign * sum(map(unpacked, column)) for column in columns[-2:]))
