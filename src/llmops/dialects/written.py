"""An answer that no upstream wrote as the reply to a call: whole or as a stream, in the client's dialect.

Beside the providers' roads, which begin with an upstream's bytes, this one begins with an `Answer`: the mock
provider's, or a template's.
"""

from collections.abc import Awaitable, Callable
from typing import Self

from ..types import Call, Outcome, Reply
from .conversation import (
    Answer,
    Choice,
    Delta,
    Finished,
    Reasoning,
    ReasoningDelta,
    Started,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from .dialect import Dialect
from .translation import TranslatedStream, note_answer

Pause = Callable[[], Awaitable[None]]


def written(answer: Answer, call: Call, dialect: Dialect, now_s: float, pause: Pause | None = None) -> Reply:
    """The reply that says ``answer``; its id, time and model are the call's where they are empty.

    ``now_s`` is monotonic; ``pause`` is waited for before each of a stream's words.
    """
    outcome = Outcome(first_content_s=now_s)
    if call.view.stream:
        stream = TranslatedStream(_NothingToRead(), dialect.stream_writer(call), call, outcome)
        return Reply(stream=_WrittenStream(answer, stream, pause), outcome=outcome)
    note_answer(answer, call, outcome)
    return Reply(body=dialect.write_reply(answer), outcome=outcome)


def words_of(text: str) -> list[str]:
    """Words, each with the space before it."""
    words = text.split(" ")
    return [word if not position else f" {word}" for position, word in enumerate(words)]


def deltas_of(choice: Choice) -> list[Delta]:
    """A choice as a stream would bring it: word by word, tool arguments in two pieces."""
    deltas: list[Delta] = []
    called = 0
    for part in choice.parts:
        match part:
            case Reasoning():
                deltas += [ReasoningDelta(text=word, choice=choice.index) for word in words_of(part.text)]
            case Text():
                logprobs = (choice.logprobs or {}).get("content") or []
                for position, word in enumerate(words_of(part.text)):
                    about = {"content": [logprobs[position]]} if position < len(logprobs) else None
                    deltas.append(TextDelta(word, choice.index, about))
            case ToolCall():
                deltas.append(ToolCallStarted(index=called, id=part.id, name=part.name, choice=choice.index))
                half = len(part.arguments) // 2
                deltas += [
                    ToolCallDelta(index=called, arguments=piece, choice=choice.index)
                    for piece in (part.arguments[:half], part.arguments[half:])
                    if piece
                ]
                called += 1
    deltas.append(Finished(reason=choice.finish_reason, choice=choice.index, stop_sequence=choice.stop_sequence))
    return deltas


class _WrittenStream:
    """The answer delta by delta."""

    def __init__(self, answer: Answer, stream: TranslatedStream, pause: Pause | None) -> None:
        self._pause = pause
        self._stream = stream
        self._deltas: list[Delta] = [Started(id=answer.id, model=answer.model, created_s=answer.created_s)]
        self._deltas += [delta for choice in answer.choices for delta in deltas_of(choice)]
        self._deltas.append(UsageReported(answer.usage))
        self._position = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while self._position < len(self._deltas):
            if self._pause is not None and self._position > 1:
                await self._pause()
            delta = self._deltas[self._position]
            self._position += 1
            if events := self._stream.take([delta]):
                return events
        if self._position > len(self._deltas):
            raise StopAsyncIteration
        self._position += 1
        return self._stream.end()

    async def aclose(self) -> None:
        self._position = len(self._deltas) + 1


class _NothingToRead:
    """The reader's place in a stream whose deltas are made here."""

    finished = True

    def feed(self, event: object) -> list[Delta]:
        return []
