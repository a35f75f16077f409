"""Streamed Chat Completions: the tap on a stream that passes through, and the road to and from neutral deltas."""

from collections.abc import Iterable
from typing import Any

import msgspec

from ...errors import UpstreamBroken
from ...types import Call, Outcome, Usage
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
from ..openai_errors import event_error, read_error
from ..sse import Event, write_event
from .reasoning_details import DetailsWriter, read_delta
from .reply import WireMessage, WireUsage, decode_raw, message_chars, read_finish, read_usage, write_stop, write_usage

_DONE = b"[DONE]"
_DONE_EVENT = b"data: [DONE]\n\n"


class _ChunkChoice(msgspec.Struct):
    index: int = 0
    delta: WireMessage | None = None
    finish_reason: str | None = None
    logprobs: Any = None
    stop_reason: Any = None


class _Chunk(msgspec.Struct):
    choices: list[_ChunkChoice] | None = None
    id: str | None = None
    model: str | None = None
    created: float | None = None
    usage: WireUsage | None = None
    error: msgspec.Raw = msgspec.Raw()


_CHUNK = msgspec.json.Decoder(_Chunk)


def _decode(event: Event) -> _Chunk:
    try:
        chunk = _CHUNK.decode(event.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise UpstreamBroken(f"the upstream sent an event that is not a chat chunk: {exc}") from exc
    if bytes(chunk.error) not in (b"", b"null"):
        raise event_error(read_error(200, event.data))
    return chunk


def _says_anything(chunk: _Chunk) -> bool:
    """LiteLLM hangs the usage of a stream on a choice, which is then empty."""
    return any(
        choice.finish_reason is not None or (choice.delta is not None and message_chars(choice.delta))
        for choice in chunk.choices or ()
    )


class ChatTap:
    """Forwards chunks as they are; hides the usage chunk from a client that did not ask for it."""

    def __init__(self, call: Call, outcome: Outcome) -> None:
        self.has_content = False
        self.finished = False
        self._done_sent = False
        self._ended: set[int] = set()
        self._wanted = call.view.choices
        self._hide_usage = not call.view.wants_usage
        self._keep_text = call.keep_text
        self._texts: list[str] = []
        self._outcome = outcome

    def feed(self, events: list[Event]) -> bytes:
        if len(events) == 1:
            return self._feed_one(events[0])
        return b"".join([self._feed_one(event) for event in events])

    def _feed_one(self, event: Event) -> bytes:
        data = event.data
        if data == _DONE:
            if self._done_sent:
                return b""
            self.finished = self._done_sent = True
            if self._keep_text:
                self._outcome.text = "".join(self._texts)
            return _DONE_EVENT
        chunk = _decode(event)
        outcome = self._outcome
        if chunk.usage is not None:
            outcome.usage = read_usage(chunk.usage)
            if self._hide_usage and (not chunk.choices or (self.finished and not _says_anything(chunk))):
                return b""
        if outcome.model is None:
            outcome.model, outcome.upstream_id = chunk.model, chunk.id
        for choice in chunk.choices or ():
            self._note(choice)
        if b"\n" in data:  # JSON that came in several data lines: between its tokens a space is as good
            data = data.replace(b"\n", b" ")
        return b"data: %b\n\n" % data

    def _note(self, choice: _ChunkChoice) -> None:
        if choice.delta is not None:
            chars = message_chars(choice.delta)
            if chars:
                self.has_content = True
                self._outcome.output_chars += chars
                if self._keep_text and choice.index == 0 and choice.delta.content:
                    self._texts.append(choice.delta.content)
        if choice.finish_reason is not None:
            self._ended.add(choice.index)
            self.finished = self.finished or len(self._ended) >= self._wanted
            if choice.index == 0:
                self._outcome.finish_reason = choice.finish_reason

    def end(self) -> bytes:
        if self._keep_text:
            self._outcome.text = "".join(self._texts)
        return b"" if self._done_sent else _DONE_EVENT


class ChatStreamReader:
    """Chunks to deltas. A tool call starts with its first fragment. A server that sends no ``[DONE]`` has finished
    when every choice that began has."""

    def __init__(self) -> None:
        self.finished = False
        self._started = False
        self._done = False
        self._open: dict[int, bool] = {}
        """The choices that have begun, and whether each goes on."""
        self._tool_calls: set[tuple[int, int]] = set()

    def feed(self, event: Event) -> list[Delta]:
        if event.data == _DONE:
            self.finished = self._done = True
            return []
        if self._done:
            return []
        chunk = _decode(event)
        deltas: list[Delta] = []
        if not self._started:
            self._started = True
            deltas.append(Started(id=chunk.id or "", model=chunk.model or "", created_s=int(chunk.created or 0)))
        for choice in chunk.choices or ():
            self._read_choice(choice, deltas)
        if chunk.usage is not None:
            deltas.append(UsageReported(read_usage(chunk.usage)))
        return deltas

    def _read_choice(self, choice: _ChunkChoice, deltas: list[Delta]) -> None:
        delta = choice.delta or WireMessage()
        self._open.setdefault(choice.index, True)
        for thought in read_delta(decode_raw(delta.reasoning_details), delta.reasoning_content or delta.reasoning):
            deltas.append(msgspec.structs.replace(thought, choice=choice.index))
        if delta.content or choice.logprobs:
            deltas.append(TextDelta(delta.content or "", choice.index, choice.logprobs))
        if delta.annotated:
            deltas.append(Lost("annotations"))
        if delta.refusal:
            deltas.append(RefusalDelta(delta.refusal, choice.index))
        for position, call in enumerate(delta.tool_calls or ()):
            index = call.index if call.index is not None else position
            name = call.function.name if call.function else None
            arguments = call.function.arguments if call.function else None
            if (choice.index, index) not in self._tool_calls:
                self._tool_calls.add((choice.index, index))
                deltas.append(
                    ToolCallStarted(
                        index=index,
                        id=call.id or f"call_{index}",
                        name=name or "",
                        choice=choice.index,
                        signature=call.signature,
                    )
                )
            if arguments:
                deltas.append(ToolCallDelta(index=index, arguments=arguments, choice=choice.index))
        if choice.finish_reason is not None:
            self._open[choice.index] = False
            self.finished = not any(self._open.values())
            stop = choice.stop_reason if isinstance(choice.stop_reason, str) else None
            deltas.append(Finished(reason=read_finish(choice.finish_reason), choice=choice.index, stop_sequence=stop))


class ChatStreamWriter:
    """Deltas to chunks. The usage chunk is written only for a client that asked for it."""

    def __init__(self, call: Call) -> None:
        self._wants_usage = call.view.wants_usage
        self._head: dict[str, Any] = {
            "id": call.request_id,
            "object": "chat.completion.chunk",
            "created": int(call.started_at_s),
            "model": call.view.model,
        }
        self._roles_sent: set[int] = set()
        self._details: dict[int, DetailsWriter] = {}
        self._usage: Usage | None = None

    def feed(self, deltas: Iterable[Delta]) -> bytes:
        return b"".join([self._write(delta) for delta in deltas])

    def _write(self, delta: Delta) -> bytes:
        match delta:
            case Started():
                self._head |= {
                    "id": delta.id or self._head["id"],
                    "model": delta.model or self._head["model"],
                    "created": delta.created_s or self._head["created"],
                }
                return b""
            case TextDelta():
                return self._chunk(delta.choice, {"content": delta.text}, logprobs=delta.logprobs)
            case ReasoningDelta():
                return self._write_reasoning(delta)
            case RefusalDelta():
                return self._chunk(delta.choice, {"refusal": delta.text})
            case ToolCallStarted():
                function = {"name": delta.name, "arguments": ""}
                call = {
                    "index": delta.index,
                    "id": delta.id,
                    "type": "function",
                    "function": function,
                    **write_proof(delta.signature),
                }
                return self._chunk(delta.choice, {"tool_calls": [call]})
            case ToolCallDelta():
                call = {"index": delta.index, "function": {"arguments": delta.arguments}}
                return self._chunk(delta.choice, {"tool_calls": [call]})
            case Finished():
                return self._chunk(delta.choice, {}, finish_reason=delta.reason, stop=write_stop(delta.stop_sequence))
            case UsageReported():
                self._usage = delta.usage
                return b""
            case Lost():
                return b""

    def _write_reasoning(self, delta: ReasoningDelta) -> bytes:
        """The text under its plain name; and in the details, where a proof that may follow finds what it proves."""
        details = self._details.setdefault(delta.choice, DetailsWriter())
        entries = details.write(delta.text, delta.signature, delta.encrypted)
        if not entries:
            return b""
        text = {"reasoning_content": delta.text} if delta.text else {}
        return self._chunk(delta.choice, {**text, "reasoning_details": entries})

    def _chunk(
        self,
        index: int,
        delta: dict[str, Any],
        *,
        finish_reason: str | None = None,
        logprobs: Any = None,
        stop: dict[str, Any] | None = None,
    ) -> bytes:
        if index not in self._roles_sent:
            self._roles_sent.add(index)
            delta = {"role": "assistant", **delta}
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason, **(stop or {})}
        return write_event(msgspec.json.encode({**self._head, "choices": [choice]}))

    def end(self) -> bytes:
        usage = b""
        if self._wants_usage and self._usage is not None:
            usage = write_event(msgspec.json.encode({**self._head, "choices": [], "usage": write_usage(self._usage)}))
        return usage + _DONE_EVENT
