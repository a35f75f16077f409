"""Where people review: an answer is a score of its trace as well as a mark in its queue.

The score (`telemetry.assessments`, source ``human``) is written first and under an id made of queue, item and reviewer:
after a crash in between the item is asked again, and the same answer replaces its own score. An item without a trace is
scored under the session ``review/<item>``.
"""

import secrets
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from ...errors import Conflict, InvalidRequest
from ...store.database import Database
from ...telemetry.assessments.assessment import MAX_COMMENT_CHARS, Assessment, assessment_of, derived_id
from ...telemetry.assessments.repository.assessments import AssessmentRepository
from .agreement import Agreement, agreement_of
from .item import DONE, Item, Placed, Queue, State
from .question import Question
from .repository.queues import QueueRepository
from .repository.work import ReviewWork

_AT_ONCE = 500
_MAX_REVIEWER_CHARS = 200


class ReviewDesk:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer, and
    `NotFound` for what is not there or another tenant's."""

    def __init__(self, database: Database, assessments: AssessmentRepository | None = None) -> None:
        self.assessments = assessments or AssessmentRepository(database)
        self._work = ReviewWork(database)
        self._queues = QueueRepository(database)
        self.queues = self._queues.queues
        self.queue = self._queues.queue
        self.item = self._queues.item
        self.items = self._queues.items
        self.progress = self._queues.progress
        self.remove = self._queues.remove

    def create(
        self,
        tenant: str,
        name: str,
        question: Question,
        *,
        now_ms: int,
        reviewers: int = 1,
        lease_s: float = 900.0,
        who: str | None = None,
    ) -> Queue:
        return self._queues.create(
            Queue(
                id=secrets.token_hex(6),
                tenant=tenant,
                name=name,
                question=question,
                reviewers=reviewers,
                lease_s=lease_s,
                created_at_ms=now_ms,
                created_by=who,
            )
        )

    def add(self, tenant: str, name: str, items: Iterable[Item], *, now_ms: int) -> int:
        """How many were not there yet."""
        return self._queues.add(tenant, name, items, now_ms=now_ms)

    def next(self, tenant: str, name: str, reviewer: str, *, now_ms: int, disputed: bool = False) -> Placed | None:
        """The reviewer's item, without what others answered, unless it is a dispute to be settled."""
        placed = self._work.next(tenant, name, _reviewer(reviewer), now_ms=now_ms, disputed=disputed)
        return placed if placed is None or disputed else blind(placed, reviewer)

    def answer(
        self,
        tenant: str,
        name: str,
        item_id: str,
        reviewer: str,
        answer: Any,
        *,
        now_ms: int,
        comment: str | None = None,
    ) -> Placed:
        """Keep an answer, as a mark and as a score. `Conflict` where none of this reviewer's is wanted."""
        reviewer = _reviewer(reviewer)
        score_id = derived_id("review", tenant, name, item_id, reviewer)
        queue, placed = self._work.answer(
            tenant, name, item_id, reviewer, answer, assessment_id=score_id, now_ms=now_ms, dry=True
        )
        kept = queue.question.checked(answer)
        self.assessments.store([_score(queue, placed, reviewer, kept, comment, score_id, now_ms)])
        try:
            _, placed = self._work.answer(
                tenant, name, item_id, reviewer, answer, assessment_id=score_id, now_ms=now_ms
            )
        except Conflict:  # somebody else was quicker by a moment
            self.assessments.remove(tenant, [score_id])
            raise
        return placed

    def skip(self, tenant: str, name: str, item_id: str, reviewer: str, *, now_ms: int) -> None:
        self._work.skip(tenant, name, item_id, _reviewer(reviewer), now_ms=now_ms)

    def undo(self, tenant: str, name: str, reviewer: str, *, now_ms: int) -> Placed | None:
        """Take the reviewer's last answer or skip back, and its score; the item is theirs again."""
        undone = self._work.undo(tenant, name, _reviewer(reviewer), now_ms=now_ms)
        if undone is None:
            return None
        mark, placed = undone
        if mark.assessment_id is not None:
            self.assessments.remove(tenant, [mark.assessment_id])
        return blind(placed, reviewer)

    def all(self, tenant: str, name: str, states: tuple[State, ...] = ()) -> Iterator[Placed]:
        """All items, a part at a time."""
        after = 0
        while page := self._queues.items(tenant, name, _AT_ONCE, after=after, states=states):
            yield from page
            after = page[-1].place

    def done(self, tenant: str, name: str) -> Iterator[Placed]:
        """Those with an answer that stands."""
        return self.all(tenant, name, DONE)

    def agreement(self, tenant: str, name: str) -> Agreement:
        return agreement_of(self.queue(tenant, name).question, self.all(tenant, name))


def blind(placed: Placed, reviewer: str) -> Placed:
    """Without what others said: whoever has seen that does not judge independently."""
    mine = tuple(mark for mark in placed.marks if mark.reviewer == reviewer)
    return msgspec.structs.replace(placed, marks=mine, agreed=None)


def _score(
    queue: Queue, placed: Placed, reviewer: str, answer: str | int, comment: str | None, score_id: str, now_ms: int
) -> Assessment:
    kind, item = queue.question.kind, placed.item
    if comment is not None and (kind == "text" or len(comment) > MAX_COMMENT_CHARS):
        right = (
            "the answer itself is a text" if kind == "text" else f"at most {MAX_COMMENT_CHARS:,} characters are kept"
        )
        raise InvalidRequest(f"comment: {right}", param="comment")
    given = {
        "id": score_id,
        "trace_id": item.trace_id,
        "session": None if item.trace_id is not None else f"review/{placed.id}",
        "name": queue.question.name,
        "value": answer if kind == "scale" else None,
        "label": answer if kind == "choices" else None,
        "comment": answer if kind == "text" else comment,
        "source": "human",
        "source_id": reviewer,
        "run_id": item.run_id,
    }
    return assessment_of(given, queue.tenant, now_ms, score_id)


def _reviewer(name: str) -> str:
    clean = name.strip()
    if not 0 < len(clean) <= _MAX_REVIEWER_CHARS or not clean.isprintable():
        raise InvalidRequest(
            f"reviewer {name[:60]!r}: must be 1 to {_MAX_REVIEWER_CHARS} printable characters", param="reviewer"
        )
    return clean
