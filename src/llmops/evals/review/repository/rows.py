"""What every query about review shares: queues, items, marks as values."""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from ....errors import NotFound
from ....store.tables import review_items, review_marks, review_queues
from ..item import Item, Mark, Placed, Queue
from ..question import Question

SUBJECT = "review"
_IDS_AT_ONCE = 500
_question = msgspec.json.Decoder(Question).decode
_item = msgspec.json.Decoder(Item).decode
_answer = msgspec.json.Decoder(str | int | None).decode


def queue_of(row: Any) -> Queue:
    fields = {name: getattr(row, name) for name in Queue.__struct_fields__ if name != "question"}
    return Queue(question=_question(row.question), **fields)


def known_queue(connection: Connection, tenant: str, name: str) -> Queue:
    """`NotFound` where this tenant has none of that name."""
    where = (review_queues.c.tenant == tenant, review_queues.c.name == name)
    row = connection.execute(select(review_queues).where(*where)).first()
    if row is None:
        raise NotFound(f"there is no review queue {name!r}", param="queue")
    return queue_of(row)


def marks_of(connection: Connection, queue: Queue, items: list[str]) -> dict[str, list[Mark]]:
    """By item, in the order in which they were made."""
    found: dict[str, list[Mark]] = {}
    columns = review_marks.c
    for begin in range(0, len(items), _IDS_AT_ONCE):
        some = columns.item_id.in_(items[begin : begin + _IDS_AT_ONCE])
        query = select(review_marks).where(columns.queue_id == queue.id, some)
        for row in connection.execute(query.order_by(columns.at_ms, columns.reviewer)):
            found.setdefault(row.item_id, []).append(mark_of(row))
    return found


def mark_of(row: Any) -> Mark:
    fields = {name: getattr(row, name) for name in Mark.__struct_fields__ if name != "answer"}
    return Mark(answer=_answer(row.answer) if row.answer is not None else None, **fields)


def placed_of(connection: Connection, queue: Queue, rows: Iterable[Any]) -> list[Placed]:
    """Items with their marks."""
    listed = list(rows)
    marks = marks_of(connection, queue, [row.id for row in listed])
    return [
        Placed(
            id=row.id,
            place=row.place,
            state=row.state,
            agreed=_answer(row.agreed) if row.agreed is not None else None,
            item=_item(row.body),
            marks=tuple(marks.get(row.id, ())),
        )
        for row in listed
    ]


def known_item(connection: Connection, queue: Queue, item_id: str) -> Placed:
    """`NotFound` for what is not in this queue."""
    columns = review_items.c
    query = select(review_items).where(columns.queue_id == queue.id, columns.id == item_id)
    found = placed_of(connection, queue, connection.execute(query))
    if not found:
        raise NotFound(f"there is no item {item_id[:40]!r} in the queue {queue.name!r}", param="item")
    return found[0]
