"""Who has which item: leases, answers, what was passed over, and taking the last one back.

Each step is one transaction behind the subject's counter, so two reviewers who ask in the same moment get different
items, and no item gets more answers than are wanted.
"""

from typing import Any

import msgspec
from sqlalchemy import Connection, and_, delete, exists, func, insert, or_, select, update

from ....errors import Conflict
from ....store.database import Database
from ....store.tables import review_items, review_marks
from ..item import Mark, Placed, Queue, State
from .rows import SUBJECT, known_item, known_queue, mark_of, placed_of

_encode = msgspec.json.Encoder().encode


class ReviewWork:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer, and
    `NotFound` for what is not there or another tenant's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def next(self, tenant: str, name: str, reviewer: str, *, now_ms: int, disputed: bool = False) -> Placed | None:
        """The item that this reviewer has, or the next one, theirs from now until the lease ends; None: none is left.

        ``disputed``: one that others differ about, which none of them settles.
        """
        with self._database.write(SUBJECT) as connection:
            queue = known_queue(connection, tenant, name)
            wanted = "disputed" if disputed else "open"
            row = connection.execute(_free(queue, reviewer, now_ms, wanted)).first()
            if row is None:
                return None
            values = {"lease_until_ms": now_ms + round(queue.lease_s * 1000), "settles": disputed}
            _mark(connection, queue, row.id, reviewer, "leased", now_ms, values)
            return placed_of(connection, queue, [row])[0]

    def answer(
        self,
        tenant: str,
        name: str,
        item_id: str,
        reviewer: str,
        answer: Any,
        *,
        assessment_id: str,
        now_ms: int,
        dry: bool = False,
    ) -> tuple[Queue, Placed]:
        """Keep an answer. `Conflict` where no answer of this reviewer's is wanted any more; ``dry`` only looks."""
        with self._database.write(SUBJECT) as connection:
            queue = known_queue(connection, tenant, name)
            placed = known_item(connection, queue, item_id)
            kept = queue.question.checked(answer)
            settles = _may_answer(queue, placed, reviewer, now_ms)
            if not dry:
                values = {
                    "settles": settles,
                    "answer": _encode(kept).decode(),
                    "assessment_id": assessment_id,
                    "lease_until_ms": None,
                }
                _mark(connection, queue, item_id, reviewer, "answered", now_ms, values)
                _settle(connection, queue, item_id)
                placed = known_item(connection, queue, item_id)
            return queue, placed

    def skip(self, tenant: str, name: str, item_id: str, reviewer: str, *, now_ms: int) -> None:
        """Pass an item over: this reviewer does not get it again, others do."""
        with self._database.write(SUBJECT) as connection:
            queue = known_queue(connection, tenant, name)
            placed = known_item(connection, queue, item_id)
            mine = next((each for each in placed.marks if each.reviewer == reviewer), None)
            if mine is not None and mine.state == "answered":
                raise Conflict(f"{reviewer!r} has answered {item_id[:40]!r} already; undo that before", param="item")
            _mark(connection, queue, item_id, reviewer, "skipped", now_ms, {"lease_until_ms": None, "settles": False})

    def undo(self, tenant: str, name: str, reviewer: str, *, now_ms: int) -> tuple[Mark, Placed] | None:
        """Take this reviewer's last answer (or skip) back; the item is theirs again. None: there is nothing.

        `Conflict` where somebody has settled the item since.
        """
        columns = review_marks.c
        with self._database.write(SUBJECT) as connection:
            queue = known_queue(connection, tenant, name)
            query = select(review_marks).where(
                columns.queue_id == queue.id, columns.reviewer == reviewer, columns.state != "leased"
            )
            row = connection.execute(query.order_by(columns.at_ms.desc(), columns.item_id.desc()).limit(1)).first()
            if row is None:
                return None
            mark = mark_of(row)
            placed = known_item(connection, queue, mark.item_id)
            if placed.state == "settled" and not mark.settles and mark.state == "answered":
                raise Conflict(f"{mark.item_id[:40]!r} was settled since; that comes first", param="item")
            values = {"lease_until_ms": now_ms + round(queue.lease_s * 1000), "answer": None, "assessment_id": None}
            _mark(connection, queue, mark.item_id, reviewer, "leased", now_ms, {**values, "settles": mark.settles})
            _settle(connection, queue, mark.item_id)
            return mark, known_item(connection, queue, mark.item_id)


def _free(queue: Queue, reviewer: str, now_ms: int, state: str) -> Any:
    """The reviewer's own lease first; then what has room for another answer, in the queue's order."""
    items, marks = review_items.c, review_marks.c
    of_item = and_(marks.queue_id == items.queue_id, marks.item_id == items.id)
    held = and_(marks.state == "leased", marks.lease_until_ms > now_ms)
    own = exists().where(of_item, marks.reviewer == reviewer, held)
    done = exists().where(of_item, marks.reviewer == reviewer, marks.state != "leased")
    taken = or_(marks.state == "answered", held) if state == "open" else held
    others = select(func.count()).select_from(review_marks).where(of_item, marks.reviewer != reviewer, taken)
    room = queue.reviewers if state == "open" else 1
    query = select(review_items).where(
        items.queue_id == queue.id, items.state == state, ~done, others.scalar_subquery() < room
    )
    return query.order_by(own.desc(), items.place).limit(1)


def _may_answer(queue: Queue, placed: Placed, reviewer: str, now_ms: int) -> bool:
    """Whether the answer settles a dispute; `Conflict` where none is wanted."""
    answered = [each for each in placed.marks if each.state == "answered"]
    if any(each.reviewer == reviewer for each in answered):
        raise Conflict(f"{reviewer!r} has answered {placed.id!r} already; undo that to change it", param="item")
    if placed.state not in ("open", "disputed"):
        raise Conflict(f"{placed.id!r} has all its answers", param="item")
    held = [
        each
        for each in placed.marks
        if each.reviewer != reviewer and each.state == "leased" and (each.lease_until_ms or 0) > now_ms
    ]
    mine = any(each.reviewer == reviewer and (each.lease_until_ms or 0) > now_ms for each in placed.marks)
    room = 1 if placed.state == "disputed" else queue.reviewers - len(answered)
    if not mine and len(held) >= room:
        raise Conflict(f"{placed.id!r} is with somebody else now", param="item")
    return placed.state == "disputed"


def _mark(
    connection: Connection, queue: Queue, item_id: str, reviewer: str, state: str, now_ms: int, values: dict[str, Any]
) -> None:
    columns = review_marks.c
    mine = (columns.queue_id == queue.id, columns.item_id == item_id, columns.reviewer == reviewer)
    connection.execute(delete(review_marks).where(*mine))
    key = {"queue_id": queue.id, "item_id": item_id, "reviewer": reviewer, "state": state, "at_ms": now_ms}
    connection.execute(insert(review_marks).values({**key, **values}))


def _settle(connection: Connection, queue: Queue, item_id: str) -> None:
    """What the answers come to now."""
    placed = known_item(connection, queue, item_id)
    answered = [each for each in placed.marks if each.state == "answered" and each.answer is not None]
    first = [each.answer for each in answered if not each.settles and each.answer is not None]
    final = next((each.answer for each in answered if each.settles), None)
    agreed = queue.question.agreed(first) if len(first) >= queue.reviewers else None
    state: State = "open"
    if len(first) >= queue.reviewers:
        state = "agreed" if agreed is not None else "settled" if final is not None else "disputed"
    told = agreed if agreed is not None else final if state == "settled" else None
    columns = review_items.c
    connection.execute(
        update(review_items)
        .where(columns.queue_id == queue.id, columns.id == item_id)
        .values(state=state, agreed=_encode(told).decode() if told is not None else None)
    )
