"""Adding calls to the rollups, within the transaction that stores them: what is summed up is what is stored.

New calls go into their minutes. Minutes of past hours are folded into quarters, hours and days later, many calls at a
time; a call that comes later still goes into all at once. Sums are added by the database; the histograms, which it does
not know how to add, are added here: SQLite calls back, and on PostgreSQL they are read and written again, which is safe
because all writers wait for each other (`marks`).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import JSON, Connection, Text, and_, bindparam, column, func, select, update
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects import postgresql, sqlite

from ....store.tables import rollup_groups, rollups
from ..histogram import merged
from ..rollup import DAY_S, HOUR_S, MINUTE_S, QUARTER_S, Group, Rolled, RolledCall, coarser, group_id, rolled_up
from .marks import read_marks
from .rows import COUNTERS, KEY, Row, rows_of

_GROUPS_KNOWN = 100_000
_MERGE = "llmops_merge_histograms"
_encode = msgspec.json.Encoder().encode


class RollupWriter:
    """Remembers the groups that are stored; for one thread, or under a lock."""

    def __init__(self, *, embedded: bool) -> None:
        self._write = _write_sqlite if embedded else _write_postgres
        self._known: set[int] = set()
        self._new: set[int] = set()

    def add(self, connection: Connection, calls: Iterable[RolledCall]) -> None:
        """Sum up calls that are new to the database. Call `committed` when the transaction has ended well."""
        self._new.clear()  # should the last transaction have failed
        minutes = rolled_up(calls)
        if not minutes:
            return
        self._store_groups(connection, {group for _, group in minutes})
        marks = read_marks(connection)
        late = {key: sums for key, sums in minutes.items() if key[0] < marks.folded}
        for period_s, kept_from, rolled in (
            (MINUTE_S, marks.minutes, minutes),
            (QUARTER_S, marks.minutes, coarser(late, QUARTER_S)),
            (HOUR_S, marks.hours, coarser(late, HOUR_S)),
            (DAY_S, 0, coarser(late, DAY_S)),
        ):
            self.write(connection, rows_of(period_s, _since(kept_from, rolled)))

    def write(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Add rows, in the order of their key, of groups that are stored."""
        if rows:
            self._write(connection, rows)

    def committed(self) -> None:
        if len(self._known) > _GROUPS_KNOWN:
            self._known.clear()
        self._known |= self._new
        self._new.clear()

    def _store_groups(self, connection: Connection, groups: Iterable[Group]) -> None:
        unknown = {group_id(group): group for group in groups}
        for known in (self._known, self._new):
            for each in unknown.keys() & known:
                del unknown[each]
        if not unknown:
            return
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(
            dialect.insert(rollup_groups).on_conflict_do_nothing(),
            [{"id": number, **group._asdict()} for number, group in sorted(unknown.items())],
        )
        self._new |= unknown.keys()


def _since(starts_at: int, rolled: Rolled) -> Rolled:
    """What is not so old that it is not kept."""
    if not starts_at:
        return rolled
    return {key: sums for key, sums in rolled.items() if key[0] >= starts_at}


def _adding() -> Any:
    adding = sqlite.insert(rollups)
    added = {name: rollups.c[name] + adding.excluded[name] for name in COUNTERS}
    merges = {name: getattr(func, _MERGE)(rollups.c[name], adding.excluded[name]) for name in ("latency", "ttft")}
    return adding.on_conflict_do_update(index_elements=[rollups.c[name] for name in KEY], set_={**added, **merges})


_SQLITE = str(_adding().compile(dialect=sqlite.dialect(paramstyle="qmark")))


def _write_sqlite(connection: Connection, rows: Sequence[Row]) -> None:
    if _MERGE not in connection.info:  # once: while rows are being read, a function cannot be made again
        driver: Any = connection.connection.driver_connection
        driver.create_function(_MERGE, 2, merged, deterministic=True)
        connection.info[_MERGE] = True
    connection.exec_driver_sql(_SQLITE, [tuple(row) for row in rows])


def _given(name: str, columns: Sequence[str]) -> Any:
    """The rows in the parameter ``name``, a JSON list of objects, as PostgreSQL takes them apart."""
    document = sql_cast(bindparam(name, type_=Text()), JSON)
    typed = [column(each, rollups.c[each].type) for each in columns]
    return func.json_to_recordset(document).table_valued(*typed).render_derived(with_types=True)


def _upsert() -> Any:
    given = _given("rows", [each.name for each in rollups.columns])
    adding = postgresql.insert(rollups).from_select(
        [each.name for each in rollups.columns], select(*[given.c[each.name] for each in rollups.columns])
    )
    return adding.on_conflict_do_update(
        index_elements=[rollups.c[name] for name in KEY],
        set_={name: rollups.c[name] + adding.excluded[name] for name in COUNTERS},
    ).returning(*(rollups.c[name] for name in (*KEY, "calls", "latency", "ttft")))


def _merge() -> Any:
    given = _given("rows", [*KEY, "latency", "ttft"])
    here = and_(*(rollups.c[name] == given.c[name] for name in KEY))
    return update(rollups).values(latency=given.c.latency, ttft=given.c.ttft).where(here)


_POSTGRES_UPSERT, _POSTGRES_MERGE = _upsert(), _merge()


def _write_postgres(connection: Connection, rows: Sequence[Row]) -> None:
    mine = {tuple(row[:4]): row for row in rows}
    stored = connection.execute(_POSTGRES_UPSERT, {"rows": _document(row._asdict() for row in rows)})
    merging = []
    for *key, calls, latency, ttft in stored:
        row = mine[tuple(key)]
        if calls != row.calls or latency != row.latency:  # it was there before, maybe of copies alone: with no call
            both = {"latency": merged(latency, row.latency), "ttft": merged(ttft, row.ttft)}
            merging.append({**dict(zip(KEY, key, strict=True)), **both})
    if merging:
        connection.execute(_POSTGRES_MERGE, {"rows": _document(merging)})


def _document(rows: Iterable[dict[str, Any]]) -> str:
    return _encode(
        [
            {name: "\\x" + value.hex() if isinstance(value, bytes) else value for name, value in row.items()}
            for row in rows
        ]
    ).decode()
