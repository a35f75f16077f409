"""Neutral deltas as a Messages stream.

A message's content blocks follow one another: each is started, filled and stopped before the next one starts. Chat
upstreams may interleave the arguments of parallel tool calls, so blocks stand in a queue. The first is *live*: its
pieces are written at once. The pieces of those behind it are held until it is known to be complete: text and
thinking as soon as something else follows, a tool call once its arguments are a whole JSON object.

Invariants: exactly one ``message_start``, indexes without gaps, one ``message_delta`` with the usage (which chat
upstreams report last, hence written in `end`), ``message_stop`` last.
"""

from collections import deque
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from ...errors import UpstreamBroken
from ...types import NO_USAGE, Call, Usage
from ..call_proof import write_proof
from ..conversation import (
    Delta,
    Finished,
    Lost,
    ReasoningDelta,
    RefusalDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from ..sse import write_event
from .reply import write_stop
from .usage import write_usage

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _Block(msgspec.Struct):
    """A content block that is live or waits in the queue; ``held`` are deltas not yet written."""

    kind: Literal["text", "thinking", "redacted_thinking", "tool_use"]
    start: dict[str, Any]
    held: list[dict[str, Any]] = []
    arguments: list[str] = []
    sealed: bool = False
    """Nothing may be added any more: redacted thinking, or thinking that has got its signature."""

    @property
    def complete(self) -> bool:
        """Whether a following block may take over: the arguments of a tool call must be a whole JSON object."""
        if self.kind != "tool_use":
            return True
        if not self.arguments or not self.arguments[-1].rstrip().endswith("}"):
            return False
        try:
            _OBJECT.decode("".join(self.arguments))
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return False
        return True


class MessagesStreamWriter:
    """Deltas to events. Choices other than the first do not exist in this dialect."""

    def __init__(self, call: Call) -> None:
        self._id = call.request_id
        self._model = call.view.model
        self._started = False
        self._usage: Usage = NO_USAGE
        self._queue: deque[_Block] = deque()
        self._live = False
        self._index = 0
        self._calls: dict[int, _Block] = {}
        self._refused = False
        self._finished: Finished | None = None

    def feed(self, deltas: Iterable[Delta]) -> bytes:
        written: list[bytes] = []
        for delta in deltas:
            self._write(delta, written)
        return b"".join(written)

    def end(self) -> bytes:
        written: list[bytes] = []
        self._start(written)
        self._advance(written, to_end=True)
        finished = self._finished or Finished(reason="stop")
        stop_reason = write_stop(
            finished.reason, finished.stop_sequence, refused=self._refused, called=bool(self._calls)
        )
        delta = {"stop_reason": stop_reason, "stop_sequence": finished.stop_sequence}
        written.append(_event("message_delta", delta=delta, usage=write_usage(self._usage)))
        written.append(_event("message_stop"))
        return b"".join(written)

    def _write(self, delta: Delta, written: list[bytes]) -> None:
        match delta:
            case Started():
                if not self._started:
                    self._id, self._model = delta.id or self._id, delta.model or self._model
                    self._usage = delta.usage or self._usage
                    self._start(written)
                return
            case UsageReported():
                self._usage = delta.usage
                return
            case Lost():
                return
        if delta.choice != 0:
            return
        self._start(written)
        match delta:
            case TextDelta() | RefusalDelta():
                self._refused = self._refused or isinstance(delta, RefusalDelta)
                if delta.text:
                    block = self._last("text", {"type": "text", "text": ""})
                    self._add(block, {"type": "text_delta", "text": delta.text}, written)
            case ReasoningDelta():
                self._write_reasoning(delta, written)
            case ToolCallStarted():
                self._start_call(delta, written)
            case ToolCallDelta():
                self._write_arguments(delta, written)
            case Finished():
                self._finished = self._finished or delta
                if delta.reason == "error":
                    raise UpstreamBroken("the upstream ended its answer with an error")
                self._advance(written, to_end=True)

    def _write_reasoning(self, delta: ReasoningDelta, written: list[bytes]) -> None:
        if delta.text or delta.signature:
            block = self._last("thinking", {"type": "thinking", "thinking": "", "signature": ""})
            if delta.text:
                self._add(block, {"type": "thinking_delta", "thinking": delta.text}, written)
            if delta.signature:
                self._add(block, {"type": "signature_delta", "signature": delta.signature}, written)
                block.sealed = True
        if delta.encrypted:
            start = {"type": "redacted_thinking", "data": delta.encrypted}
            self._queue.append(_Block("redacted_thinking", start, sealed=True))
            self._advance(written)

    def _start_call(self, delta: ToolCallStarted, written: list[bytes]) -> None:
        if delta.index in self._calls:
            raise UpstreamBroken(f"the upstream's stream starts tool call {delta.index} twice")
        block = _Block(
            "tool_use",
            {"type": "tool_use", "id": delta.id, "name": delta.name, "input": {}, **write_proof(delta.signature)},
        )
        self._calls[delta.index] = block
        self._queue.append(block)
        self._advance(written)

    def _write_arguments(self, delta: ToolCallDelta, written: list[bytes]) -> None:
        block = self._calls.get(delta.index)
        if block is None:
            raise UpstreamBroken(f"the upstream's stream adds to tool call {delta.index}, which it has not started")
        if not delta.arguments:
            return
        if not any(block is waiting for waiting in self._queue):  # already stopped, so its arguments were whole
            if delta.arguments.strip():
                raise UpstreamBroken(f"the upstream's stream adds to tool call {delta.index} after its end")
            return
        block.arguments.append(delta.arguments)
        self._add(block, {"type": "input_json_delta", "partial_json": delta.arguments}, written)

    # --- the queue of blocks ---

    def _last(self, kind: Literal["text", "thinking"], start: dict[str, Any]) -> _Block:
        """The block at the end of the queue if more of ``kind`` can go there, else a new one."""
        if self._queue and self._queue[-1].kind == kind and not self._queue[-1].sealed:
            return self._queue[-1]
        block = _Block(kind, start)
        self._queue.append(block)
        return block

    def _add(self, block: _Block, piece: dict[str, Any], written: list[bytes]) -> None:
        if self._live and block is self._queue[0]:
            written.append(_event("content_block_delta", index=self._index, delta=piece))
        else:
            block.held.append(piece)
        if not self._live or len(self._queue) > 1:
            self._advance(written)

    def _advance(self, written: list[bytes], *, to_end: bool = False) -> None:
        """Make the first block live; stop it and go on while it is complete and another one waits."""
        while self._queue:
            block = self._queue[0]
            if not self._live:
                self._live = True
                written.append(_event("content_block_start", index=self._index, content_block=block.start))
                written += [_event("content_block_delta", index=self._index, delta=piece) for piece in block.held]
                block.held.clear()
            if not to_end and (len(self._queue) == 1 or not block.complete):
                return
            written.append(_event("content_block_stop", index=self._index))
            self._queue.popleft()
            self._live = False
            self._index += 1

    def _start(self, written: list[bytes]) -> None:
        if self._started:
            return
        self._started = True
        message: dict[str, Any] = {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": write_usage(self._usage),
        }
        written.append(_event("message_start", message=message))


def _event(name: str, **fields: Any) -> bytes:
    return write_event(msgspec.json.encode({"type": name, **fields}), name.encode())
