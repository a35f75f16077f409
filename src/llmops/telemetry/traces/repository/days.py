"""The days of which there are calls. Indexes that would grow at random places begin with the day, so that only its part
of them is written to; a look-up then asks for each day, which is cheap, and this is where the days come from.
"""

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, func, select

from ....store.tables import calls

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US = 86_400 * 1_000_000


def call_days(connection: Connection, since_us: int | None = None, until_us: int | None = None) -> list[date]:
    """Newest first; those that touch the given time."""
    newest = select(func.max(calls.c.day).label("day"))
    if until_us is not None:
        newest = newest.where(calls.c.day <= day_at(until_us))
    found = newest.cte("days", recursive=True)
    before = select(func.max(calls.c.day)).where(calls.c.day < found.c.day).scalar_subquery()
    found = found.union_all(select(before).where(found.c.day.is_not(None)))
    query = select(found.c.day).where(found.c.day.is_not(None))
    if since_us is not None:
        query = query.where(found.c.day >= day_at(since_us))
    return [day for (day,) in connection.execute(query.order_by(found.c.day.desc()))]


def day_at(at_us: int) -> date:
    """The day (UTC) of a moment, as far as a calendar goes."""
    try:
        return (_BEGINNING + timedelta(microseconds=at_us)).date()
    except OverflowError:
        return date.max if at_us > 0 else date.min
