"""The answer in good health: what a strike damages, and what every request gets that nothing strikes.

The text is numbered words, ``w1 w2 w3 …``: whoever reads it sees a gap, a repetition or a second beginning.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from .request import Ask
from .wire import Wire

DONE = b"data: [DONE]\n\n"
_CREATED_S = 1_700_000_000
_DIMENSIONS = 8


class Answer:
    """To one request: ``document`` as a whole, ``events`` as a stream, or the events one by one."""

    def __init__(self, ask: Ask, words: int, *, flourish: str = "") -> None:
        """``flourish`` follows each word's number."""
        self.words = [f"w{number}{flourish} " for number in range(1, words + 1)]
        self._ask = ask
        self._head = {"id": "chatcmpl-fault", "created": _CREATED_S, "model": ask.model}

    @property
    def usage(self) -> dict[str, int]:
        prompt, completion = self._ask.prompt_tokens, len(self.words)
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}

    def document(self) -> dict[str, Any]:
        match self._ask.operation:
            case "embeddings":
                vector = [round(0.1 * number, 1) for number in range(_DIMENSIONS)]
                data: list[dict[str, Any]] = [{"object": "embedding", "index": 0, "embedding": vector}]
                prompt = self._ask.prompt_tokens
                usage = {"prompt_tokens": prompt, "total_tokens": prompt}
                return {"object": "list", "data": data, "model": self._ask.model, "usage": usage}
            case "models":
                data = [{"id": "fault", "object": "model", "created": _CREATED_S, "owned_by": "llmops"}]
                return {"object": "list", "data": data}
        message = {"role": "assistant", "content": "".join(self.words)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return {**self._head, "object": "chat.completion", "choices": [choice], "usage": self.usage}

    def body(self, **changes: Any) -> bytes:
        """The document as JSON; what is None in ``changes`` is left out."""
        changed = {**self.document(), **changes}
        return msgspec.json.encode({name: value for name, value in changed.items() if value is not None})

    # --- a stream's events ---

    def events(self) -> Iterator[bytes]:
        """All of them, in order."""
        yield self.opening()
        yield from map(self.word, self.words)
        yield from self.closing()

    def opening(self) -> bytes:
        """The role: no content yet."""
        return self.event([self._choice({"role": "assistant", "content": ""})])

    def word(self, word: str) -> bytes:
        return self.event([self._choice({"content": word})])

    def closing(self) -> Iterator[bytes]:
        """What follows the last word."""
        yield self.finish()
        if self._ask.include_usage:
            yield self.event([], usage=self.usage)
        yield DONE

    def finish(self, reason: str = "stop") -> bytes:
        return self.event([self._choice({}, reason)])

    def tool_call(self, fragment: str, *, first: bool) -> bytes:
        """A piece of a tool call's arguments; the first one names the tool."""
        function: dict[str, Any] = {"arguments": fragment}
        call: dict[str, Any] = {"index": 0, "function": function}
        if first:
            function["name"] = "note_words"
            call |= {"id": "call_1", "type": "function"}
        return self.event([self._choice({"tool_calls": [call]})])

    def event(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        chunk = {**self._head, "object": "chat.completion.chunk", "choices": choices, **more}
        return b"data: %b\n\n" % msgspec.json.encode(chunk)

    @staticmethod
    def _choice(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {"index": 0, "delta": delta, "finish_reason": reason}


def error_body(message: str, kind: str = "server_error", code: str | None = None) -> bytes:
    """An error in OpenAI's shape."""
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": None, "code": code}})


async def answer_well(wire: Wire) -> None:
    """What a request gets that nothing strikes."""
    answer = Answer(wire.ask, wire.words)
    if wire.ask.operation == "other":
        await wire.answer(404, error_body("this upstream knows chat completions, embeddings and models"))
    elif wire.ask.stream:
        await stream_events(wire, answer.events())
    else:
        await wire.answer(200, answer.body())


async def stream_events(wire: Wire, events: Iterator[bytes]) -> None:
    """A whole stream, an event a chunk."""
    await wire.begin()
    for event in events:
        await wire.chunk(event)
        if wire.pause_s:
            await wire.settle(wire.pause_s)
    await wire.end()


async def begin_with_words(wire: Wire, answer: Answer, count: int) -> None:
    """A stream up to its ``count``-th word: past the commit point."""
    await wire.begin()
    await wire.chunk(answer.opening())
    for word in answer.words[:count]:
        await wire.chunk(answer.word(word))
    await wire.settle()
