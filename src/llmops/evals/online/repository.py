"""How far online evals have come with each log, what they did each day, and whose turn it is.

The position, the judgements that were made beyond it, and the money are written in one transaction. Methods block:
call them from a thread. They raise `StoreUnavailable` when the database does not answer.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ...store.database import Database
from ...store.tables import assessments, leases, online_days, online_progress
from .counts import Counts

SUBJECT = "online_evals"
_AT_ONCE = 500
_days = online_days.c
_FIELDS = Counts.__struct_fields__
_decode_positions = msgspec.json.Decoder(dict[str, int]).decode
_decode_done = msgspec.json.Decoder(list[str]).decode


class Progress(msgspec.Struct, kw_only=True):
    """``done``: judgements of calls behind the positions."""

    positions: dict[str, int]
    done: list[str] = []


class OnlineRepository:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = postgresql.insert if database.folder is None else sqlite.insert

    def progress(self, place: str) -> Progress | None:
        query = select(online_progress.c.positions, online_progress.c.done).where(online_progress.c.place == place)
        if not self._database.exists:
            return None
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return Progress(positions=_decode_positions(row[0]), done=_decode_done(row[1])) if row is not None else None

    def save(self, place: str, progress: Progress, day: date, more: Mapping[str, Counts]) -> dict[str, int]:
        """Remember how far it is and add ``more`` to the day's counts by rule; returns what each has spent that day."""
        values = {
            "positions": msgspec.json.encode(progress.positions).decode(),
            "done": msgspec.json.encode(progress.done).decode(),
        }
        with self._database.write(SUBJECT) as connection:
            adding = self._insert(online_progress).values(place=place, **values)
            connection.execute(adding.on_conflict_do_update(index_elements=["place"], set_=values))
            for rule, counts in more.items():
                given: dict[str, Any] = {name: getattr(counts, name) for name in _FIELDS}
                counting = self._insert(online_days).values(day=day, rule=rule, **given)
                sums = {name: _days[name] + counting.excluded[name] for name in _FIELDS}
                connection.execute(counting.on_conflict_do_update(index_elements=["day", "rule"], set_=sums))
            query = select(_days.rule, _days.spent_nanousd).where(_days.day == day)
            return {rule: int(spent) for rule, spent in connection.execute(query)}

    def days(self, since: date) -> dict[tuple[date, str], Counts]:
        """By day and rule."""
        query = select(_days.day, _days.rule, *[_days[name] for name in _FIELDS]).where(_days.day >= since)
        if not self._database.exists:
            return {}
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(_days.day, _days.rule)).all()
        return {(day, rule): Counts(**dict(zip(_FIELDS, values, strict=True))) for day, rule, *values in rows}

    def known(self, ids: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Which of these scores, by tenant and id, are stored."""
        wanted = set(ids)
        listed, found = sorted({each for _tenant, each in wanted}), set()
        with self._database.read() as connection:
            for begin in range(0, len(listed), _AT_ONCE):
                query = select(assessments.c.tenant, assessments.c.id)
                rows = connection.execute(query.where(assessments.c.id.in_(listed[begin : begin + _AT_ONCE])))
                found |= {(tenant, each) for tenant, each in rows}
        return wanted & found

    # --- whose turn it is ---

    def take_lease(self, name: str, holder: str, now_s: float, lease_s: float) -> bool:
        """Take or prolong it; False while another holds it."""
        with self._database.write(SUBJECT) as connection:
            row = connection.execute(select(leases).where(leases.c.name == name)).first()
            values = {"holder": holder, "until_s": now_s + lease_s}
            if row is None:
                connection.execute(insert(leases).values(name=name, **values))
                return True
            if row.holder != holder and row.until_s > now_s:
                return False
            connection.execute(update(leases).where(leases.c.name == name).values(**values))
            return True

    def give_up_lease(self, name: str, holder: str) -> None:
        with self._database.write(SUBJECT) as connection:
            connection.execute(delete(leases).where(leases.c.name == name, leases.c.holder == holder))
