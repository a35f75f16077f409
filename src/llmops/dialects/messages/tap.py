"""The tap on a Messages stream that passes through to a client of the same dialect.

It runs once for each event: one typed decode at most, none for events that carry nothing for us. Events of a name that
is not known are forwarded, as Anthropic's versioning rules ask.
"""

from ...types import Call, Outcome
from ..sse import Event
from .errors import stream_error
from .events import BLOCK_DELTA, BLOCK_START, MESSAGE_DELTA, MESSAGE_START, decode_event, event_name
from .reply import read_finish
from .usage import StreamUsage


class MessagesTap:
    """Forwards events as they are, up to ``message_stop``; what an upstream may send after that is left out."""

    def __init__(self, call: Call, outcome: Outcome) -> None:
        self.has_content = False
        self.finished = False
        self._keep_text = call.keep_text
        self._texts: list[str] = []
        self._usage = StreamUsage()
        self._outcome = outcome

    def feed(self, events: list[Event]) -> bytes:
        if len(events) == 1:
            return self._feed_one(events[0])
        return b"".join([self._feed_one(event) for event in events])

    def _feed_one(self, event: Event) -> bytes:
        if self.finished:
            return b""
        name, data = event.name or event_name(event), event.data
        if name == b"content_block_delta":
            self._note_delta(data)
        elif name == b"content_block_start":
            self._note_block(data)
        elif name == b"message_delta":
            self._note_end(data)
        elif name == b"message_start":
            message = decode_event(data, MESSAGE_START).message
            self._outcome.model, self._outcome.upstream_id = message.model, message.id
            self._outcome.usage = self._usage.start(message.usage)
        elif name == b"message_stop":
            self.finished = True
            self._collect_text()
        elif name == b"error":
            raise stream_error(data)
        if b"\n" in data:  # JSON that came in several data lines: between its tokens a space is as good
            data = data.replace(b"\n", b" ")
        return b"event: %b\ndata: %b\n\n" % (name, data)

    def _note_delta(self, data: bytes) -> None:
        delta = decode_event(data, BLOCK_DELTA).delta
        content = delta.text or delta.partial_json or delta.thinking
        if content:
            self.has_content = True
            self._outcome.output_chars += len(content)
            if self._keep_text and delta.text:
                self._texts.append(delta.text)

    def _note_block(self, data: bytes) -> None:
        """Text and thinking start empty and grow; blocks of any other type are content by being there."""
        block = decode_event(data, BLOCK_START).content_block
        text = block.text or block.thinking or ""
        if text or block.type not in ("text", "thinking"):
            self.has_content = True
            self._outcome.output_chars += len(text) + len(block.name or "")
            if self._keep_text and block.type == "text":
                self._texts.append(text)

    def _note_end(self, data: bytes) -> None:
        end = decode_event(data, MESSAGE_DELTA)
        if end.usage is not None:
            self._outcome.usage = self._usage.update(end.usage)
        if end.delta.stop_reason is not None:
            self._outcome.finish_reason = read_finish(end.delta.stop_reason)

    def _collect_text(self) -> None:
        if self._keep_text:
            self._outcome.text = "".join(self._texts)

    def end(self) -> bytes:
        self._collect_text()
        return b""
