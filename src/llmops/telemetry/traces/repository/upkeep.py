"""What goes when it is too old or too much, and the masking of what stays: in slices, beside the writing of spans.

Days go as a whole, oldest first: in PostgreSQL by dropping their partition. Only where the newest day alone is too
large its oldest spans go. A trace goes with the last day on which it had a span.
"""

from datetime import date, timedelta

import msgspec
from sqlalchemy import ColumnElement, Connection, Integer, delete, func, literal_column, select, update

from ....store.database import Database
from ....store.tables import span_days, span_texts, spans, traces
from ..masking import masked
from ..rest import pack, unpack
from .partitions import Partitions
from .texts import TextIndex

_SUBJECT = "traces"
_SLICE = 1000
_MASK_SLICE = 200
_ROW_BYTES = 350
_BEGINNING = ("", "", "")


class UpkeepRules(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how much is kept. None masks nothing."""

    retention_days: float
    max_bytes: int
    mask_after_days: float | None = None


class Upkeep:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database, rules: UpkeepRules) -> None:
        self.removed = 0
        self._database = database
        self._rules = rules
        self._judged_anew = False
        self._texts = TextIndex(database)
        self._partitions = Partitions(database)
        self._masking: date | None = None
        self._masked_up_to: tuple[str, str, str] = _BEGINNING

    @property
    def rules(self) -> UpkeepRules:
        return self._rules

    @rules.setter
    def rules(self, rules: UpkeepRules) -> None:
        if rules != self._rules:
            self._rules = rules
            self._judged_anew = False

    def step(self, now_s: float) -> bool:
        """Do a slice of what is due; false when nothing is."""
        if not self._database.exists:
            return False
        if not self._judged_anew:
            self._judge_anew(now_s)
            self._judged_anew = True
        with self._database.read() as connection:
            days = connection.execute(select(span_days).order_by(span_days.c.day)).all()
        if not days:
            return False
        oldest = days[0].day
        if oldest < _day_before(now_s, self._rules.retention_days):
            return self._remove(oldest, whole=True)
        if sum(day.bytes for day in days) > self._rules.max_bytes:
            return self._remove(oldest, whole=len(days) > 1)
        mask_days = self._rules.mask_after_days
        if mask_days is not None:
            for day in days:
                if not day.masked and (mask_days == 0 or day.day < _day_before(now_s, mask_days)):
                    return self._mask(day.day)
        return False

    def _judge_anew(self, now_s: float) -> None:
        """Under other rules, days that counted as masked may have got texts since, or will get some."""
        mask_days = self._rules.mask_after_days
        if mask_days == 0:
            return
        stale: ColumnElement[bool] = span_days.c.masked.is_(True)
        if mask_days is not None:
            stale &= span_days.c.day >= _day_before(now_s, mask_days)
        with self._database.read() as connection:
            if connection.execute(select(span_days.c.day).where(stale).limit(1)).first() is None:
                return
        with self._database.write(_SUBJECT) as connection:
            connection.execute(update(span_days).where(stale).values(masked=False))

    def _remove(self, day: date, *, whole: bool) -> bool:
        """Remove some of a day, and with its last span the day itself."""
        if self._remove_texts(day):
            return True
        if whole and self._database.folder is None:
            with self._database.read() as connection:
                self.removed += connection.execute(
                    select(func.count()).select_from(spans).where(spans.c.day == day)
                ).scalar_one()
            self._partitions.drop(day.isoformat())
            left = 0
        else:
            left = self._remove_spans(day)
        if not left:
            with self._database.write(_SUBJECT) as connection:
                connection.execute(delete(span_days).where(span_days.c.day == day))
                connection.execute(delete(traces).where(traces.c.day <= day))
        return True

    def _remove_spans(self, day: date) -> int:
        place = literal_column("ctid") if self._database.folder is None else literal_column("rowid", Integer())
        chosen = select(place).select_from(spans).where(spans.c.day == day)
        chosen = chosen.order_by(spans.c.started_us) if self._database.folder is None else chosen.order_by(place)
        sizes = select(func.count(), func.coalesce(func.sum(func.length(spans.c.rest)), 0)).where(
            spans.c.day == day, place.in_(chosen.limit(_SLICE))
        )
        with self._database.write(_SUBJECT) as connection:
            count, size = connection.execute(sizes).one()
            connection.execute(delete(spans).where(spans.c.day == day, place.in_(chosen.limit(_SLICE))))
            connection.execute(
                update(span_days)
                .where(span_days.c.day == day)
                .values(
                    spans=span_days.c.spans - count,
                    bytes=func.max(0, span_days.c.bytes - size - count * _ROW_BYTES)
                    if self._database.folder is not None
                    else func.greatest(0, span_days.c.bytes - size - count * _ROW_BYTES),
                )
            )
            left = connection.execute(select(spans.c.day).where(spans.c.day == day).limit(1)).first()
        self.removed += count
        return int(left is not None)

    def _remove_texts(self, day: date) -> int:
        with self._database.read() as connection:
            ids = connection.execute(select(span_texts.c.id).where(span_texts.c.day == day).limit(_SLICE)).scalars()
            found = list(ids)
        if found:
            with self._database.write(_SUBJECT) as connection:
                self._texts.remove(connection, found)
        return len(found)

    def _mask(self, day: date) -> bool:
        """Mask the next spans of a day; at its end its texts go, and it counts as masked."""
        key = (spans.c.trace_id, spans.c.span_id, spans.c.tenant)
        if self._masking != day:
            self._masking, self._masked_up_to = day, _BEGINNING
        after = self._masked_up_to
        beyond = (key[0] > after[0]) | (
            (key[0] == after[0]) & ((key[1] > after[1]) | ((key[1] == after[1]) & (key[2] > after[2])))
        )
        query = select(*key, spans.c.rest).where(spans.c.day == day, beyond).order_by(*key).limit(_MASK_SLICE)
        with self._database.write(_SUBJECT) as connection:
            rows = connection.execute(query).all()
            for trace_id, span_id, tenant, rest in rows:
                without = pack(masked(unpack(rest)))
                if without != rest:
                    self._rewrite(connection, day, (trace_id, span_id, tenant), without)
        if rows:
            self._masked_up_to = (rows[-1][0], rows[-1][1], rows[-1][2])
            return True
        if self._remove_texts(day):
            return True
        self._masking = None
        with self._database.write(_SUBJECT) as connection:
            connection.execute(update(span_days).where(span_days.c.day == day).values(masked=True))
        return True

    @staticmethod
    def _rewrite(connection: Connection, day: date, key: tuple[str, str, str], rest: bytes) -> None:
        connection.execute(
            update(spans)
            .where(spans.c.trace_id == key[0], spans.c.span_id == key[1], spans.c.tenant == key[2], spans.c.day == day)
            .values(rest=rest)
        )


def _day_before(now_s: float, days: float) -> date:
    """The first day that is not wholly older than so many days."""
    return date.fromordinal(719_163) + timedelta(days=int((now_s - days * 86_400) // 86_400))


def is_kept(database: Database) -> bool:
    """Whether there are spans or texts that will have to go one day; `StoreUnavailable` when nobody can say."""
    if not database.exists:
        return False
    with database.read() as connection:
        return connection.execute(select(span_days.c.day).limit(1)).first() is not None
