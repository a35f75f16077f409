"""Carrying a call from the client's dialect to the upstream's and its answer back, with nothing dropped in silence."""

from typing import NoReturn

import msgspec

from ..errors import InvalidRequest, UnsupportedParameter
from ..types import Call, Outcome
from .conversation import (
    CONTENT_DELTAS,
    Answer,
    Delta,
    Finished,
    Lost,
    Reasoning,
    ReasoningDelta,
    Refusal,
    RefusalDelta,
    Started,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    Uncarried,
    UsageReported,
)
from .dialect import Dialect, StreamReader, StreamWriter, UpstreamDialect
from .sse import Event


def translate_request(call: Call, source: Dialect, target: UpstreamDialect, model: str) -> bytes:
    """The upstream's request. What it cannot carry is an `UnsupportedParameter`, or noted in ``call.dropped`` where
    the caller allowed that."""
    conversation = source.read_request(call.body)
    uncarried = Uncarried(conversation)
    try:
        body = target.write_request(conversation, model, uncarried)
    except InvalidRequest as exc:  # writers know neutral places only; the caller wants to hear its own
        if uncarried.parameters and not call.allow_dropped:
            _refuse(uncarried, call, target)  # the deeper reason: what is left may be nothing at all
        place = exc.param and uncarried.named(exc.param)
        raise InvalidRequest(exc.message.replace(repr(exc.param), repr(place)), param=place) from exc
    if uncarried.parameters:
        if not call.allow_dropped:
            _refuse(uncarried, call, target)
        call.dropped = uncarried.parameters
    return body


def _refuse(uncarried: Uncarried, call: Call, target: UpstreamDialect) -> NoReturn:
    raise UnsupportedParameter(
        f"the deployment behind model {call.view.model!r} speaks the {target.name!r} dialect, which cannot carry: "
        f"{', '.join(uncarried.parameters)}. Leave them out, or send the header X-LLMOps-Allow-Dropped: true to go "
        "without them",
        param=uncarried.parameters[0],
    )


def translate_reply(body: bytes, source: Dialect, target: UpstreamDialect, call: Call, outcome: Outcome) -> bytes:
    """The client's form of the upstream's complete answer, with ``outcome`` filled."""
    answer = target.read_reply(body)
    note_answer(answer, call, outcome)
    note_lost(answer.lost, call)
    return source.write_reply(answer)


def note_lost(what: list[str], call: Call) -> None:
    """Tell the caller, and the log, what of the answer did not come along. The answer itself is worth having."""
    call.dropped += [name for one in dict.fromkeys(what) if (name := f"reply.{one}") not in call.dropped]


def note_answer(answer: Answer, call: Call, outcome: Outcome) -> None:
    """Fill ``outcome`` from a complete answer, and the answer's own gaps (id, time, model) from the call."""
    outcome.usage = answer.usage
    outcome.model = answer.model or None
    outcome.upstream_id = answer.id or None
    answer.id = answer.id or call.request_id
    answer.created_s = answer.created_s or int(call.started_at_s)
    answer.model = answer.model or call.view.model
    for choice in answer.choices:
        for part in choice.parts:
            match part:
                case Text() | Refusal() | Reasoning():
                    outcome.output_chars += len(part.text)
                case ToolCall():
                    outcome.output_chars += len(part.name) + len(part.arguments)
    if answer.choices:
        outcome.finish_reason = answer.choices[0].finish_reason
        outcome.text = "".join(part.text for part in answer.choices[0].parts if isinstance(part, Text))


class TranslatedStream:
    """A `StreamTap` that reads one dialect's events, notes the outcome and writes another's."""

    def __init__(self, reader: StreamReader, writer: StreamWriter, call: Call, outcome: Outcome) -> None:
        self.has_content = False
        self._reader = reader
        self._writer = writer
        self._call = call
        self._outcome = outcome
        self._texts: list[str] = []

    @property
    def finished(self) -> bool:
        return self._reader.finished

    def feed(self, events: list[Event]) -> bytes:
        return b"".join([self.take(self._reader.feed(event)) for event in events])

    def take(self, deltas: list[Delta]) -> bytes:
        """Note the deltas and write them in the client's dialect."""
        if lost := [delta.what for delta in deltas if isinstance(delta, Lost)]:
            note_lost(lost, self._call)
            deltas = [delta for delta in deltas if not isinstance(delta, Lost)]
        for position, delta in enumerate(deltas):
            if isinstance(delta, Started):
                deltas[position] = self._named(delta)
            else:
                self._note(delta)
        return self._writer.feed(deltas)

    def end(self) -> bytes:
        if self._call.keep_text:
            self._outcome.text = "".join(self._texts)
        return self._writer.end()

    def _named(self, started: Started) -> Started:
        self._outcome.model, self._outcome.upstream_id = started.model or None, started.id or None
        if started.usage is not None:
            self._outcome.usage = started.usage
        return msgspec.structs.replace(
            started,
            id=started.id or self._call.request_id,
            model=started.model or self._call.view.model,
            created_s=started.created_s or int(self._call.started_at_s),
        )

    def _note(self, delta: object) -> None:
        if isinstance(delta, CONTENT_DELTAS):
            self.has_content = True
        match delta:
            case TextDelta():
                self._outcome.output_chars += len(delta.text)
                if self._call.keep_text and delta.choice == 0:
                    self._texts.append(delta.text)
            case ReasoningDelta() | RefusalDelta():
                self._outcome.output_chars += len(delta.text)
            case ToolCallStarted():
                self._outcome.output_chars += len(delta.name)
            case ToolCallDelta():
                self._outcome.output_chars += len(delta.arguments)
            case Finished():
                if delta.choice == 0:
                    self._outcome.finish_reason = delta.reason
            case UsageReported():
                self._outcome.usage = delta.usage
