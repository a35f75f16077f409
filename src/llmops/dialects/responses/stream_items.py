"""The output items that a stream is writing: each knows the events of its own life, from added to done.

``emit`` takes an event's type and its members; the writer adds the sequence number. ``close`` says what is still to be
said of the item and returns it complete, as it stands in the final response.
"""

from collections.abc import Callable
from typing import Any, Literal

from ..conversation import Reasoning, ToolCall
from .response_object import call_item, message_item, reasoning_item, refusal_content, text_content

Emit = Callable[[str, dict[str, Any]], None]


class OpenMessage:
    """A message: one content part at a time, text or refusal."""

    def __init__(self, emit: Emit, output_index: int, item_id: str) -> None:
        self.output_index = output_index
        self._emit = emit
        self._id = item_id
        self._content: list[dict[str, Any]] = []
        self._kind: Literal["text", "refusal"] | None = None
        self._pieces: list[str] = []
        self._logprobs: list[dict[str, Any]] = []
        emit(
            "response.output_item.added",
            {"output_index": output_index, "item": message_item(item_id, [], "in_progress")},
        )

    def _place(self) -> dict[str, Any]:
        return {"item_id": self._id, "output_index": self.output_index, "content_index": len(self._content)}

    def _part(self) -> dict[str, Any]:
        text = "".join(self._pieces)
        return text_content(text, self._logprobs) if self._kind == "text" else refusal_content(text)

    def _turn_to(self, kind: Literal["text", "refusal"]) -> None:
        if self._kind == kind:
            return
        self._close_part()
        self._kind, self._pieces, self._logprobs = kind, [], []
        self._emit("response.content_part.added", {**self._place(), "part": self._part()})

    def _close_part(self) -> None:
        if self._kind is None:
            return
        part = self._part()
        if self._kind == "text":
            self._emit(
                "response.output_text.done", {**self._place(), "text": part["text"], "logprobs": part["logprobs"]}
            )
        else:
            self._emit("response.refusal.done", {**self._place(), "refusal": part["refusal"]})
        self._emit("response.content_part.done", {**self._place(), "part": part})
        self._content.append(part)
        self._kind = None

    def add_text(self, text: str, logprobs: list[dict[str, Any]]) -> None:
        self._turn_to("text")
        self._pieces.append(text)
        self._logprobs += logprobs
        self._emit("response.output_text.delta", {**self._place(), "delta": text, "logprobs": logprobs})

    def add_refusal(self, text: str) -> None:
        self._turn_to("refusal")
        self._pieces.append(text)
        self._emit("response.refusal.delta", {**self._place(), "delta": text})

    def close(self, status: str) -> dict[str, Any]:
        self._close_part()
        item = message_item(self._id, self._content, status)
        self._emit("response.output_item.done", {"output_index": self.output_index, "item": item})
        return item


class OpenReasoning:
    """A piece of thinking, shown as one summary. A signature or an encrypted content ends its text."""

    def __init__(self, emit: Emit, output_index: int, item_id: str) -> None:
        self.output_index = output_index
        self._emit = emit
        self._id = item_id
        self._pieces: list[str] = []
        self._signature: list[str] = []
        self._encrypted: str | None = None
        emit("response.output_item.added", {"output_index": output_index, "item": reasoning_item(item_id, Reasoning())})

    def takes(self, text: str, encrypted: str | None) -> bool:
        """Whether more of this thinking can still be put into this item."""
        return self._encrypted is None and not ((text or encrypted) and self._signature)

    def _place(self) -> dict[str, Any]:
        return {"item_id": self._id, "output_index": self.output_index, "summary_index": 0}

    def add(self, text: str, signature: str | None, encrypted: str | None) -> None:
        if text:
            if not self._pieces:
                part = {"type": "summary_text", "text": ""}
                self._emit("response.reasoning_summary_part.added", {**self._place(), "part": part})
            self._pieces.append(text)
            self._emit("response.reasoning_summary_text.delta", {**self._place(), "delta": text})
        if signature:
            self._signature.append(signature)
        if encrypted:
            self._encrypted = encrypted

    def close(self, status: str) -> dict[str, Any]:
        text = "".join(self._pieces)
        if text:
            self._emit("response.reasoning_summary_text.done", {**self._place(), "text": text})
            part = {"type": "summary_text", "text": text}
            self._emit("response.reasoning_summary_part.done", {**self._place(), "part": part})
        thought = Reasoning(text=text, signature="".join(self._signature) or None, encrypted=self._encrypted)
        item = reasoning_item(self._id, thought)
        self._emit("response.output_item.done", {"output_index": self.output_index, "item": item})
        return item


class OpenCall:
    """A function call. Several may be open at once: their deltas are told apart by the output index."""

    def __init__(self, emit: Emit, output_index: int, call_id: str, name: str, signature: str | None) -> None:
        self.output_index = output_index
        self._emit = emit
        self._call_id = call_id
        self._name = name
        self._signature = signature
        self._pieces: list[str] = []
        emit("response.output_item.added", {"output_index": output_index, "item": self._item("in_progress")})

    def _item(self, status: str) -> dict[str, Any]:
        call = ToolCall(id=self._call_id, name=self._name, arguments="".join(self._pieces), signature=self._signature)
        return call_item(call, status)

    def _place(self) -> dict[str, Any]:
        return {"item_id": f"fc_{self._call_id}", "output_index": self.output_index}

    def add(self, arguments: str) -> None:
        self._pieces.append(arguments)
        self._emit("response.function_call_arguments.delta", {**self._place(), "delta": arguments})

    def close(self, status: str) -> dict[str, Any]:
        item = self._item(status)
        self._emit(
            "response.function_call_arguments.done",
            {**self._place(), "name": self._name, "arguments": item["arguments"]},
        )
        self._emit("response.output_item.done", {"output_index": self.output_index, "item": item})
        return item
