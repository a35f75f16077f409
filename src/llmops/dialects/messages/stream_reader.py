"""A Messages stream into neutral deltas.

Blocks are told apart by their index: text and thinking become deltas as they come, tool calls are counted from 0, and
a call without arguments gets the ``{}`` that other dialects expect. Unknown events are skipped, as Anthropic's
versioning rules ask; unknown blocks and deltas would be a loss of content and are refused.
"""

from typing import Any

import msgspec

from ...errors import UpstreamBroken
from ..conversation import (
    Delta,
    Finished,
    Lost,
    Reasoning,
    ReasoningDelta,
    RefusalDelta,
    Started,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from ..sse import Event
from .errors import stream_error
from .events import (
    BLOCK_DELTA,
    BLOCK_START,
    BLOCK_STOP,
    MESSAGE_DELTA,
    MESSAGE_START,
    BlockDelta,
    decode_event,
    event_name,
)
from .reply import WireBlock, read_block, read_finish
from .usage import StreamUsage


class _OpenCall(msgspec.Struct):
    """A tool call whose block is open; ``arguments`` are those its start held, used if no delta brings any."""

    index: int
    arguments: str
    filled: bool = False


class MessagesStreamReader:
    """Events to deltas. ``finished`` at ``message_stop``; nothing after it is read."""

    def __init__(self) -> None:
        self.finished = False
        self._started = False
        self._ended = False
        self._usage = StreamUsage()
        self._open: dict[int, _OpenCall | None] = {}
        self._calls = 0

    def feed(self, event: Event) -> list[Delta]:
        if self.finished:
            return []
        match event_name(event):
            case b"error":
                raise stream_error(event.data)
            case b"message_start":
                return self._start(event.data)
            case b"ping":
                return []
            case (
                b"content_block_start"
                | b"content_block_delta"
                | b"content_block_stop"
                | b"message_delta"
                | b"message_stop"
            ) if not self._started:
                raise UpstreamBroken("the upstream's stream does not begin with message_start")
            case b"content_block_start":
                return self._start_block(event.data)
            case b"content_block_delta":
                return self._read_delta(event.data)
            case b"content_block_stop":
                return self._stop_block(decode_event(event.data, BLOCK_STOP).index)
            case b"message_delta":
                return self._read_end(event.data)
            case b"message_stop":
                self.finished = True
                return [*self._stop_all(), *self._finish("tool_use" if self._calls else None)]
        return []

    def _start(self, data: bytes) -> list[Delta]:
        if self._started:
            raise UpstreamBroken("the upstream's stream holds a second message_start")
        self._started = True
        message = decode_event(data, MESSAGE_START).message
        usage = self._usage.start(message.usage) if message.usage else None
        return [Started(id=message.id or "", model=message.model or "", created_s=0, usage=usage)]

    def _start_block(self, data: bytes) -> list[Delta]:
        start = decode_event(data, BLOCK_START)
        if start.index in self._open:
            raise UpstreamBroken(f"the upstream's stream starts content block {start.index} twice")
        part = read_block(_complete(start.content_block))
        self._open[start.index] = None
        match part:
            case Text():
                lost: list[Delta] = [Lost("citations")] if start.content_block.cites else []
                return [*lost, TextDelta(part.text)] if part.text else lost
            case Reasoning():
                if not (part.text or part.signature or part.encrypted):
                    return []
                return [ReasoningDelta(text=part.text, signature=part.signature, encrypted=part.encrypted)]
            case ToolCall():
                call = self._open[start.index] = _OpenCall(self._calls, part.arguments)
                self._calls += 1
                return [ToolCallStarted(index=call.index, id=part.id, name=part.name, signature=part.signature)]
        raise AssertionError(part)  # read_block makes no other

    def _read_delta(self, data: bytes) -> list[Delta]:
        event = decode_event(data, BLOCK_DELTA)
        if event.index not in self._open:
            raise UpstreamBroken(f"the upstream's stream adds to content block {event.index}, which is not open")
        match event.delta:
            case BlockDelta(type="text_delta", text=str(text)):
                return [TextDelta(text)] if text else []
            case BlockDelta(type="thinking_delta", thinking=str(thinking)):
                return [ReasoningDelta(text=thinking)] if thinking else []
            case BlockDelta(type="signature_delta", signature=str(signature)):
                return [ReasoningDelta(signature=signature)] if signature else []
            case BlockDelta(type="input_json_delta", partial_json=str(arguments)):
                call = self._open[event.index]
                if call is None:
                    raise UpstreamBroken("the upstream's stream adds arguments to a block that is not a tool call")
                if not arguments:
                    return []
                call.filled = True
                return [ToolCallDelta(index=call.index, arguments=arguments)]
            case BlockDelta(type="citations_delta"):
                return [Lost("citations")]  # see reply: only given where a request asked for them
        raise UpstreamBroken(f"the upstream sent a delta of type {event.delta.type!r}, which cannot be translated")

    def _stop_block(self, index: int) -> list[Delta]:
        call = self._open.pop(index, None)
        if call is None or call.filled:
            return []
        return [ToolCallDelta(index=call.index, arguments=call.arguments)]

    def _stop_all(self) -> list[Delta]:
        return [delta for index in list(self._open) for delta in self._stop_block(index)]

    def _read_end(self, data: bytes) -> list[Delta]:
        end = decode_event(data, MESSAGE_DELTA)
        deltas: list[Delta] = []
        if end.delta.stop_reason is not None:
            deltas += self._stop_all()
            if end.delta.stop_reason == "refusal" and end.delta.stop_details and end.delta.stop_details.explanation:
                deltas.append(RefusalDelta(end.delta.stop_details.explanation))
            deltas += self._finish(end.delta.stop_reason, end.delta.stop_sequence)
        if end.usage is not None:
            deltas.append(UsageReported(self._usage.update(end.usage)))
        return deltas

    def _finish(self, stop_reason: str | None, stop_sequence: str | None = None) -> list[Delta]:
        """The one `Finished`; at ``message_stop`` for a server that named no stop reason."""
        if self._ended:
            return []
        self._ended = True
        return [Finished(reason=read_finish(stop_reason), stop_sequence=stop_sequence)]


def _complete(block: WireBlock) -> WireBlock:
    """A block as it starts in a stream: servers may leave out what is still empty."""
    missing: dict[str, Any] = {}
    match block:
        case WireBlock(type="text", text=None):
            missing["text"] = ""
        case WireBlock(type="thinking", thinking=None):
            missing["thinking"] = ""
        case WireBlock(type="tool_use") if bytes(block.input) in (b"", b"null"):
            missing["input"] = msgspec.Raw(b"{}")
    return msgspec.structs.replace(block, **missing) if missing else block
