"""Neutral deltas into a Responses stream.

Items are opened as deltas need them. A message or a piece of reasoning is done as soon as something else follows;
function calls stay open until the end, as their arguments may be interleaved. The last event carries the whole
response. Only choice 0 is written: the dialect knows no alternatives.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from ...types import Call, Usage
from ..conversation import (
    Delta,
    Finished,
    FinishReason,
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
from .logprobs import from_chat
from .response_object import numbered_id, response_object, response_status
from .stream_items import OpenCall, OpenMessage, OpenReasoning


class ResponsesStreamWriter:
    """Deltas to events; ``end`` writes what is still open and the one terminal event."""

    def __init__(self, call: Call) -> None:
        self._id = call.request_id
        self._model = call.view.model
        self._created_s = int(call.started_at_s)
        self._events: list[bytes] = []
        self._sequence_number = 0
        self._begun = self._ended = False
        self._output: list[dict[str, Any]] = []
        """The items by output index; an open one holds its place with an empty dict."""
        self._item: OpenMessage | OpenReasoning | None = None
        self._calls: dict[int, OpenCall] = {}
        self._messages = self._thoughts = 0
        self._finish: FinishReason = "stop"
        self._usage: Usage | None = None

    def feed(self, deltas: Iterable[Delta]) -> bytes:
        for delta in deltas:
            if isinstance(delta, Started | UsageReported | Lost) or delta.choice == 0:
                self._write(delta)
        return self._take()

    def _take(self) -> bytes:
        written = b"".join(self._events)
        self._events.clear()
        return written

    def _emit(self, kind: str, members: dict[str, Any]) -> None:
        wire = {"type": kind, "sequence_number": self._sequence_number, **members}
        self._sequence_number += 1
        self._events.append(write_event(msgspec.json.encode(wire), kind.encode()))

    def _write(self, delta: Delta) -> None:
        match delta:
            case Started():
                if not self._begun:
                    self._id, self._model = delta.id or self._id, delta.model or self._model
                    self._created_s = delta.created_s or self._created_s
                self._usage = delta.usage or self._usage
                self._begin()
            case TextDelta():
                if delta.text or delta.logprobs:
                    self._message().add_text(delta.text, from_chat(delta.logprobs))
            case RefusalDelta():
                if delta.text:
                    self._message().add_refusal(delta.text)
            case ReasoningDelta():
                if delta.text or delta.signature or delta.encrypted:
                    thought = self._reasoning(delta.text, delta.encrypted)
                    thought.add(delta.text, delta.signature, delta.encrypted)
            case ToolCallStarted():
                self._start_call(delta.index, delta.id, delta.name, delta.signature)
            case ToolCallDelta():
                if delta.index not in self._calls:
                    self._start_call(delta.index, f"call_{delta.index}", "")
                if delta.arguments:
                    self._calls[delta.index].add(delta.arguments)
            case Finished():
                self._finish = delta.reason
            case UsageReported():
                self._usage = delta.usage
            case Lost():
                pass

    def _begin(self) -> None:
        if self._begun:
            return
        self._begun = True
        self._emit("response.created", {"response": self._response(None)})
        self._emit("response.in_progress", {"response": self._response(None)})

    def _response(self, finish: FinishReason | None) -> dict[str, Any]:
        return response_object(
            self._id, self._model, self._created_s, self._output, finish=finish, usage=self._usage if finish else None
        )

    def _reserve(self) -> int:
        """The next output index, held for an item that is about to open."""
        self._begin()
        self._close_item("completed")
        self._output.append({})
        return len(self._output) - 1

    def _close_item(self, status: str) -> None:
        if self._item is not None:
            self._output[self._item.output_index] = self._item.close(status)
            self._item = None

    def _message(self) -> OpenMessage:
        if not isinstance(self._item, OpenMessage):
            index = self._reserve()
            self._item = OpenMessage(self._emit, index, numbered_id("msg", self._id, self._messages))
            self._messages += 1
        return self._item

    def _reasoning(self, text: str, encrypted: str | None) -> OpenReasoning:
        if not (isinstance(self._item, OpenReasoning) and self._item.takes(text, encrypted)):
            index = self._reserve()
            self._item = OpenReasoning(self._emit, index, numbered_id("rs", self._id, self._thoughts))
            self._thoughts += 1
        return self._item

    def _start_call(self, number: int, call_id: str, name: str, signature: str | None = None) -> None:
        if number not in self._calls:
            self._calls[number] = OpenCall(self._emit, self._reserve(), call_id, name, signature)

    def end(self) -> bytes:
        if self._ended:
            return b""
        self._ended = True
        self._begin()
        status = response_status(self._finish)
        last = len(self._output) - 1
        still_open = [*self._calls.values(), *([self._item] if self._item is not None else [])]
        for item in sorted(still_open, key=lambda item: item.output_index):
            cut = status == "incomplete" and item.output_index == last
            self._output[item.output_index] = item.close("incomplete" if cut else "completed")
        self._emit(f"response.{status}", {"response": self._response(self._finish)})
        return self._take()
