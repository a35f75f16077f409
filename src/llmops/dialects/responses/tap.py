"""The tap on a Responses stream that passes through: it forwards every event as it came.

What kind an event is, is told by its name alone; of the many deltas only the text is decoded. Deltas and items of
built-in tools count as content too: once a tool has run, the call must not be tried again elsewhere.
"""

from ...types import Call, Outcome
from ..sse import Event
from .events import (
    DELTAS,
    ENDS,
    FAILURES,
    ITEM_ADDED,
    STARTS,
    TEXT_DELTA,
    decode_delta_text,
    decode_end,
    decode_item_event,
    decode_start,
    event_kind,
    failure,
)
from .output_items import CallItem, count_chars, decode_item, joined_text
from .reply import check_failed, known_parts, note_response


class ResponsesTap:
    """Forwards the events as they are and fills the call's `Outcome`."""

    def __init__(self, call: Call, outcome: Outcome) -> None:
        self.has_content = False
        self.finished = False
        self._keep_text = call.keep_text
        self._texts: list[str] = []
        self._outcome = outcome

    def feed(self, events: list[Event]) -> bytes:
        if len(events) == 1:
            return self._feed_one(events[0])
        return b"".join([self._feed_one(event) for event in events])

    def _feed_one(self, event: Event) -> bytes:
        kind = event.name or event_kind(event)
        if kind in DELTAS:
            text = decode_delta_text(event)
            if text:
                self.has_content = True
                self._outcome.output_chars += len(text)
                if self._keep_text and kind == TEXT_DELTA:
                    self._texts.append(text)
        elif kind == ITEM_ADDED:
            self._note_item(event)
        elif kind in ENDS:
            self._note_end(event)
        elif kind in FAILURES:
            raise failure(kind, event)
        elif kind in STARTS:
            started = decode_start(event)
            self._outcome.model, self._outcome.upstream_id = started.model, started.id
        elif kind.endswith(b".delta"):
            self.has_content = True
        return _forward(event)

    def _note_item(self, event: Event) -> None:
        item = decode_item(decode_item_event(event).item)
        if item is None:
            self.has_content = True
        elif isinstance(item, CallItem):
            self.has_content = True
            self._outcome.output_chars += len(item.name or "")

    def _note_end(self, event: Event) -> None:
        wire = decode_end(event)
        check_failed(wire)
        self.finished = True
        note_response(wire, self._outcome)
        if not self.has_content:  # a server that streams nothing but the end
            parts = known_parts(wire)
            self._outcome.output_chars += count_chars(parts)
            self.has_content = bool(parts)
            if self._keep_text:
                self._texts += [joined_text(parts) or ""]
        self._keep()

    def _keep(self) -> None:
        if self._keep_text:
            self._outcome.text = "".join(self._texts)

    def end(self) -> bytes:
        self._keep()
        return b""


def _forward(event: Event) -> bytes:
    data = event.data
    if b"\n" in data:
        data = data.replace(b"\n", b"\ndata: ")
    if event.name:
        return b"event: %b\ndata: %b\n\n" % (event.name, data)
    return b"data: %b\n\n" % data
