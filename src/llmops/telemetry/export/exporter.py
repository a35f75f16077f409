"""One export: follows calls, spans and scores, sends what its destination is to have, and remembers how far it came.

A turn reads some records, chooses, and sends them part by part; then positions and counts are stored together. What is
under way when the process ends is sent again: at least once, never none. While a tool takes nothing its records wait
where they are, on disk; what has waited too long, or what is too much, is dropped and counted, the oldest first.

Blocking; runs in a thread of its own, so that no tool waits for another.
"""

import logging
import random
from collections.abc import Callable, Sequence
from typing import TypeVar

from ..assessments.assessment import Assessment
from ..assessments.repository.assessments import AssessmentRepository
from ..spans.span import Span
from .choice import Choice
from .counts import Counts, Status, Waiting
from .delivery import Delivery
from .destination import Destination
from .repository.exports import ExportRepository, Progress
from .sent import Sent, pause_s
from .source import Batch, Source
from .tools import Tool

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
SCORES = "scores"
TOO_OLD, TOO_MUCH, UNREADABLE = "it waited too long", "too much waited", "it could not be read"
_SCORES_AT_ONCE = 100
_MOST_NOTICES = 5
POLL_S = 0.25


class Exporter:
    """``place`` names the folder of the log, ``now_s`` is the time since the epoch."""

    def __init__(
        self,
        destination: Destination,
        tool: Tool,
        sources: Sequence[Source],
        repository: ExportRepository,
        assessments: AssessmentRepository,
        place: str,
        now_s: Callable[[], float],
    ) -> None:
        self.destination = destination
        self.status = Status(name=destination.name, kind=destination.kind)
        self._tool = tool
        self.sources = sources
        self._repository = repository
        self._assessments = assessments
        self._place = place
        self._now_s = now_s
        self._choice = Choice(destination)
        self._version = 0
        self._unsaved = False
        self._failures = 0
        self._spans: tuple[Source, Batch, Delivery[Span]] | None = None
        self._scores: tuple[Delivery[Assessment], int] | None = None
        self._oldest_s = 0.0
        self._begun = 0

    def begin(self) -> None:
        """Go on where it stood; a new export begins with what comes from now on."""
        known = self._repository.find(self.destination.name, self._place)
        for source in self.sources:
            source.begin(known.positions.get(source.name) if known is not None else None)
        if known is not None:
            self.status = known.status
            self.status.kind = self.destination.kind
            self.status.failing = None
            self._version = known.positions.get(SCORES, {}).get("version", 0)
        else:
            self._version = self._assessments.version()
            self._save()

    def turn(self) -> float:
        """Do what is next; returns how long to rest. `StoreUnavailable` and `OSError`: it can be tried again."""
        if self._unsaved:
            self._save()
        if self._spans is None:
            self._spans = self._next_spans()
        if self._spans is not None:
            source, batch, delivery = self._spans
            self._shed(delivery)
            rest_s = self._send(delivery, self._tool.send_spans)
            if not delivery.left:
                self._settle_spans(source, batch, delivery)
            return rest_s
        if self.destination.scores and (self._scores is not None or self._next_scores()):
            return self._send_scores()
        return POLL_S

    def measure(self) -> None:
        """Bring what waits up to date; reads what is not sent yet."""
        waiting = Waiting(scores=self._assessments.count_after(self._version) if self.destination.scores else 0)
        for source in self.sources:
            source.look()
            calls, spans = source.waiting()
            waiting.calls += calls
            waiting.spans += spans
            waiting.bytes += source.waiting_bytes
        self.status.waiting = waiting

    def save_status(self) -> None:
        self._save()

    def close(self) -> None:
        self._tool.close()
        for source in self.sources:
            source.close()

    # --- spans ---

    def _next_spans(self) -> tuple[Source, Batch, Delivery[Span]] | None:
        for turned in range(len(self.sources)):
            source = self.sources[(self._begun + turned) % len(self.sources)]
            source.look()
            batch = source.next_batch()
            if batch is None:
                continue
            self._begun += turned + 1  # where there is always something to send, every source has its turn
            for notice in batch.notices:
                self._note(notice)
            counts, chosen = Counts(), []
            oldest_s, begun_s = self._now_s(), self._now_s() - self.destination.max_age_s
            counts.drop(UNREADABLE, batch.unreadable)
            for each in batch.produced:
                if each.at_s < begun_s:
                    counts.drop(TOO_OLD, len(each.spans))
                    continue
                spans = self._choice.spans(each.spans, each.tenant)
                counts.skipped += len(each.spans) - len(spans)
                if spans:
                    oldest_s = min(oldest_s, each.at_s)
                    chosen += spans
            delivery = Delivery(chosen, self.destination.spans_per_request)
            delivery.counts.add(counts)
            self._oldest_s = oldest_s
            return source, batch, delivery
        return None

    def _shed(self, delivery: Delivery[Span]) -> None:
        """Give up what is in hand where it is too old by now, or where too much waits behind it."""
        if not delivery.left:
            return
        if self._failures:
            for each in self.sources:
                each.look()  # what comes meanwhile is seen, so that the bound holds while nothing is taken
        if self._now_s() - self._oldest_s > self.destination.max_age_s:
            delivery.drop(TOO_OLD)
        elif sum(each.waiting_bytes for each in self.sources) > self.destination.max_backlog_bytes:
            delivery.drop(TOO_MUCH)

    def _settle_spans(self, source: Source, batch: Batch, delivery: Delivery[Span]) -> None:
        """All of a batch has met its fate."""
        self._spans = None
        source.advance(batch)
        self.status.spans.add(delivery.counts)
        if delivery.counts.delivered:
            self.status.delay_s = round(max(self._now_s() - self._oldest_s, 0.0), 3)
        self._save()

    # --- scores ---

    def _next_scores(self) -> bool:
        found, version = self._assessments.after(self._version, _SCORES_AT_ONCE)
        if not found:
            return False
        wanted = [each for each in found if self._choice.wants(each)]
        carried = [self._choice.shown(each) for each in wanted if self._tool.carries(each)]
        delivery = Delivery(carried, 1)
        delivery.counts.skipped = len(found) - len(wanted)
        delivery.counts.refuse(f"{self.destination.kind} has no scores of sessions", len(wanted) - len(carried))
        self._scores = delivery, version
        return True

    def _send_scores(self) -> float:
        assert self._scores is not None
        delivery, version = self._scores
        rest_s = self._send(delivery, lambda part: self._tool.send_score(part[0]))
        if not delivery.left:
            self._scores, self._version = None, version
            self.status.scores.add(delivery.counts)
            self._save()
        return rest_s

    # --- both ---

    def _send(self, delivery: Delivery[_T], send: Callable[[list[_T]], Sent]) -> float:
        """Send the next part; returns how long to rest."""
        part = delivery.next_part()
        if part is None:
            return 0.0
        sent = self._sent(part, send)
        if delivery.answered(sent):
            self._failures = 0
            if sent.verdict == "taken":
                self._works()
            return 0.0
        self._failures += 1
        self._fails(sent.why)
        return pause_s(self._failures, sent.retry_after_s, random.random())

    def _sent(self, part: list[_T], send: Callable[[list[_T]], Sent]) -> Sent:
        try:
            return send(part)
        except Exception as exc:  # noqa: BLE001 - a border: a record that cannot be written must not hold up the others
            _log.exception("what is exported to %s cannot be written", self.destination.name)
            return Sent("smaller", why=f"it cannot be written: {type(exc).__name__}")

    def _save(self) -> None:
        self._unsaved = True
        positions = {source.name: source.positions for source in self.sources}
        positions[SCORES] = {"version": self._version}
        self._repository.save(self._place, Progress(positions=positions, status=self.status), self._now_s())
        self._unsaved = False

    def _works(self) -> None:
        if self.status.failing is not None:
            _log.warning("the export %s goes on", self.destination.name)
        self.status.failing = None

    def _fails(self, why: str) -> None:
        if self.status.failing is None:
            _log.error("the export %s waits: %s", self.destination.name, why)
        self.status.failing = why

    def _note(self, notice: str) -> None:
        _log.error("%s", notice)
        self.status.notices = [*self.status.notices, notice][-_MOST_NOTICES:]
