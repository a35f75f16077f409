"""A streamed chat completion read to its end: the same body as if it had come whole, and when its content began.

The first choice is what counts. A stream that says it failed, or ends before its choice does, raises the upstream's
error: half an answer is none.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from ...dialects.chat.stream import ChatStreamReader
from ...dialects.conversation import (
    CONTENT_DELTAS,
    Delta,
    Finished,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from ...dialects.sse import EventParser
from ...errors import UpstreamBroken
from ...types import Usage


class StreamedAnswer:
    """``now_s`` is monotonic; ``first_content_s`` by it, None while nothing was said."""

    def __init__(self, now_s: Callable[[], float], *, most_bytes: int = 64 * 1024 * 1024) -> None:
        self.first_content_s: float | None = None
        self._now_s = now_s
        self._left_bytes = most_bytes
        self._parser = EventParser()
        self._reader = ChatStreamReader()
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._names: dict[int, str] = {}
        self._arguments: dict[int, list[str]] = {}
        self._finish: str | None = None
        self._usage: Usage | None = None

    def feed(self, chunk: bytes) -> None:
        """The next bytes; `UpstreamError` for a stream that fails, or is too long."""
        self._left_bytes -= len(chunk)
        if self._left_bytes < 0:
            raise UpstreamBroken("the upstream's stream is too long")
        for event in self._parser.feed(chunk):
            for delta in self._reader.feed(event):
                self._take(delta)

    def _take(self, delta: Delta) -> None:
        if isinstance(delta, CONTENT_DELTAS) and self.first_content_s is None:
            self.first_content_s = self._now_s()
        if getattr(delta, "choice", 0) != 0:
            return
        match delta:
            case TextDelta(text=text):
                self._text.append(text)
            case RefusalDelta(text=text):
                self._refusal.append(text)
            case ToolCallStarted(index=index, name=name):
                self._names[index] = name
            case ToolCallDelta(index=index, arguments=arguments):
                self._arguments.setdefault(index, []).append(arguments)
            case Finished(reason=reason):
                self._finish = reason
            case UsageReported(usage=usage):
                self._usage = usage

    def body(self) -> bytes:
        """The completion; `UpstreamBroken` if the stream was cut."""
        if not self._reader.finished:
            raise UpstreamBroken("the upstream's stream was cut before its end")
        message: dict[str, Any] = {"content": "".join(self._text) if self._text else None}
        if self._refusal:
            message["refusal"] = "".join(self._refusal)
        if self._names:
            message["tool_calls"] = [
                {"function": {"name": name, "arguments": "".join(self._arguments.get(index, []))}}
                for index, name in sorted(self._names.items())
            ]
        answer: dict[str, Any] = {"choices": [{"message": message, "finish_reason": self._finish}]}
        if self._usage is not None:
            answer["usage"] = {
                "prompt_tokens": self._usage.prompt,
                "completion_tokens": self._usage.completion,
                "prompt_tokens_details": {"cached_tokens": self._usage.cached},
            }
        return msgspec.json.encode(answer)
