"""Letters that wait to be delivered, in the database: they survive a restart, and of several processes one takes each.

Whoever takes a letter up moves its time on (`take`); when it dies, the letter is due again after that. So a letter is
delivered at least once, and its id is the same each time.
"""

from collections.abc import Mapping

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from ....store.database import Database
from ....store.tables import alert_letters
from ..letter import Letter

_TOO_MANY = "too many letters waited"
_columns = alert_letters.c
_decode = msgspec.json.Decoder(Letter).decode


class Taken(msgspec.Struct, frozen=True):
    """A letter that this process is to deliver, for the ``attempts``-th time."""

    letter: Letter
    attempts: int
    written_at_s: float


class Post(msgspec.Struct, kw_only=True):
    """How a receiver fares. ``failure``: why the latest letter that waits or was given up has not been taken."""

    waiting: int = 0
    failing: int = 0
    delivered: int = 0
    given_up: int = 0
    failure: str | None = None


def keep_letters(connection: Connection, letters: Mapping[str, tuple[str, str]], now_s: float, max_waiting: int) -> int:
    for letter_id, (receiver, text) in letters.items():
        values = {"state": "waiting", "written_at_s": now_s, "due_at_s": now_s, "attempts": 0, "letter": text}
        connection.execute(insert(alert_letters).values(id=letter_id, receiver=receiver, **values))
    given_up = 0
    for receiver in {receiver for receiver, _ in letters.values()}:
        waiting = (_columns.receiver == receiver) & (_columns.state == "waiting")
        count = connection.execute(select(func.count()).select_from(alert_letters).where(waiting)).scalar_one()
        if count > max_waiting:
            oldest = select(_columns.id).where(waiting).order_by(_columns.written_at_s).limit(count - max_waiting)
            given = update(alert_letters).where(_columns.id.in_(oldest.scalar_subquery()))
            given_up += connection.execute(given.values(state="given_up", failure=_TOO_MANY)).rowcount
    return given_up


def forget_letters(connection: Connection, before_s: float) -> None:
    connection.execute(delete(alert_letters).where(_columns.state != "waiting", _columns.written_at_s < before_s))


class LetterRepository:
    """Methods block: call them from a thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, now_s: float, hold_s: float, most: int) -> list[Taken]:
        """Letters that are due, for this process alone during the next ``hold_s``."""
        due = (_columns.state == "waiting") & (_columns.due_at_s <= now_s)
        if not self._database.exists:
            return []
        with self._database.read() as connection:
            if connection.execute(select(_columns.id).where(due).limit(1)).first() is None:
                return []
        with self._database.write("alerts") as connection:
            query = select(alert_letters).where(due).order_by(_columns.due_at_s, _columns.written_at_s).limit(most)
            rows = connection.execute(query).mappings().all()
            for row in rows:
                held = update(alert_letters).where(_columns.id == row["id"])
                connection.execute(held.values(due_at_s=now_s + hold_s, attempts=row["attempts"] + 1))
        return [Taken(_decode(row["letter"]), row["attempts"] + 1, row["written_at_s"]) for row in rows]

    def delivered(self, letter_id: str) -> None:
        self._set(letter_id, state="delivered", failure=None)

    def put_off(self, letter_id: str, due_at_s: float, failure: str) -> None:
        self._set(letter_id, due_at_s=due_at_s, failure=failure)

    def give_up(self, letter_id: str, failure: str) -> None:
        self._set(letter_id, state="given_up", failure=failure)

    def post(self) -> dict[str, Post]:
        """By receiver."""
        found: dict[str, Post] = {}
        if not self._database.exists:
            return found
        counts = select(_columns.receiver, _columns.state, func.count(), func.count(_columns.failure))
        failures = (
            select(_columns.receiver, _columns.failure)
            .where(_columns.failure.is_not(None), _columns.state != "delivered")
            .order_by(_columns.written_at_s.desc())
            .limit(1000)
        )
        with self._database.read() as connection:
            for receiver, state, count, failing in connection.execute(
                counts.group_by(_columns.receiver, _columns.state)
            ):
                post = found.setdefault(receiver, Post())
                setattr(post, state, count)
                if state == "waiting":
                    post.failing = failing
            for receiver, failure in connection.execute(failures):
                if found[receiver].failure is None:
                    found[receiver].failure = failure
        return found

    def _set(self, letter_id: str, **values: object) -> None:
        with self._database.write("alerts") as connection:
            connection.execute(update(alert_letters).where(_columns.id == letter_id).values(**values))
