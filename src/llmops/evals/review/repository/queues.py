"""Queues and what is in them: made, filled, listed, counted, removed."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import and_, delete, exists, func, insert, select
from sqlalchemy.exc import IntegrityError

from ....errors import Conflict, InvalidRequest
from ....store.database import Database
from ....store.tables import review_items, review_marks, review_queues
from ...datasets.version import checked_name
from ..item import Item, Placed, Progress, Queue, State
from .rows import SUBJECT, known_item, known_queue, placed_of, queue_of

MAX_REVIEWERS = 20
_AT_ONCE = 500


class QueueRepository:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer, and
    `NotFound` for what is not there or another tenant's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, queue: Queue) -> Queue:
        """`Conflict` where the tenant has one of that name."""
        checked_name(queue.name, "queue")
        if not 1 <= queue.reviewers <= MAX_REVIEWERS:
            raise InvalidRequest(f"reviewers {queue.reviewers!r}: 1 to {MAX_REVIEWERS} are right", param="reviewers")
        if not 10 <= queue.lease_s <= 7 * 86_400:
            raise InvalidRequest(f"lease_s {queue.lease_s!r}: 10 seconds to 7 days are right", param="lease_s")
        values = {**msgspec.structs.asdict(queue), "question": msgspec.json.encode(queue.question).decode()}
        try:
            with self._database.write(SUBJECT) as connection:
                connection.execute(insert(review_queues).values(values))
        except IntegrityError as exc:
            raise Conflict(f"there is a review queue {queue.name!r} already", param="queue") from exc
        return queue

    def queues(self, tenant: str | None) -> list[Queue]:
        """Of a tenant, or (None) of all."""
        if not self._database.exists:
            return []
        query = select(review_queues).order_by(review_queues.c.tenant, review_queues.c.name)
        if tenant is not None:
            query = query.where(review_queues.c.tenant == tenant)
        with self._database.read() as connection:
            return [queue_of(row) for row in connection.execute(query)]

    def queue(self, tenant: str, name: str) -> Queue:
        with self._database.read() as connection:
            return known_queue(connection, tenant, name)

    def add(self, tenant: str, name: str, items: Iterable[Item], *, now_ms: int) -> int:
        """Put items at the queue's end; returns how many were not there yet."""
        columns, added = review_items.c, 0
        waiting: dict[str, Item] = {}

        def store() -> int:
            with self._database.write(SUBJECT) as connection:
                queue = known_queue(connection, tenant, name)
                there = set(
                    connection.execute(
                        select(columns.id).where(columns.queue_id == queue.id, columns.id.in_(list(waiting)))
                    ).scalars()
                )
                last = connection.execute(select(func.max(columns.place)).where(columns.queue_id == queue.id)).scalar()
                new = [(item_id, item) for item_id, item in waiting.items() if item_id not in there]
                rows = [
                    {
                        "queue_id": queue.id,
                        "id": item_id,
                        "place": place,
                        "state": "open",
                        "trace_id": item.trace_id,
                        "agreed": None,
                        "added_at_ms": now_ms,
                        "body": msgspec.json.encode(item),
                    }
                    for place, (item_id, item) in enumerate(new, (last or 0) + 1)
                ]
                if rows:
                    connection.execute(insert(review_items), rows)
                return len(rows)

        for item in items:
            waiting[item.id] = item
            if len(waiting) == _AT_ONCE:
                added += store()
                waiting = {}
        return added + (store() if waiting else 0)

    def items(
        self, tenant: str, name: str, limit: int, *, after: int = 0, states: tuple[State, ...] = ()
    ) -> list[Placed]:
        """In the queue's order, behind the place ``after``."""
        columns = review_items.c
        with self._database.read() as connection:
            queue = known_queue(connection, tenant, name)
            query = select(review_items).where(columns.queue_id == queue.id, columns.place > after)
            if states:
                query = query.where(columns.state.in_(states))
            return placed_of(connection, queue, connection.execute(query.order_by(columns.place).limit(limit)))

    def item(self, tenant: str, name: str, item_id: str) -> Placed:
        with self._database.read() as connection:
            return known_item(connection, known_queue(connection, tenant, name), item_id)

    def progress(self, tenant: str, name: str, reviewer: str | None = None) -> Progress:
        items, marks = review_items.c, review_marks.c
        with self._database.read() as connection:
            queue = known_queue(connection, tenant, name)
            counting = select(items.state, func.count()).where(items.queue_id == queue.id).group_by(items.state)
            states = {state: int(count) for state, count in connection.execute(counting)}
            answered = select(func.count()).where(marks.queue_id == queue.id, marks.state == "answered")
            answers = int(connection.execute(answered).scalar_one())
            mine = waiting = None
            if reviewer is not None:
                mine = int(connection.execute(answered.where(marks.reviewer == reviewer)).scalar_one())
                seen = exists().where(
                    and_(
                        marks.queue_id == items.queue_id,
                        marks.item_id == items.id,
                        marks.reviewer == reviewer,
                        marks.state != "leased",
                    )
                )
                unseen = select(func.count()).select_from(review_items).where(items.queue_id == queue.id, ~seen)
                waiting = int(connection.execute(unseen.where(items.state == "open")).scalar_one())
        known = {state: states.get(state, 0) for state in ("open", "disputed", "agreed", "settled")}
        return Progress(items=sum(states.values()), answers=answers, mine=mine, waiting=waiting, **known)

    def remove(self, tenant: str, name: str) -> None:
        """With everything in it. The scores that came of it stay."""
        with self._database.write(SUBJECT) as connection:
            queue = known_queue(connection, tenant, name)
            for table in (review_marks, review_items):
                connection.execute(delete(table).where(table.c.queue_id == queue.id))
            connection.execute(delete(review_queues).where(review_queues.c.id == queue.id))
