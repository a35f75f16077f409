"""The replay server: OpenAI's chat completions out of a recording, on the loopback address.

A prompt that is not in the recording gets a 404, never another's answer. ``GET /_replay`` counts what was asked.
"""

import asyncio
from typing import Any

import msgspec

from ..faults.answer import error_body
from ..faults.request import HEAD_LIMIT_BYTES, BadRequest, Request, read_request
from ..faults.wire import head
from ..loopback_server import LoopbackServer
from .recording import Recording

_COUNTERS = ("/_replay", "/ready", "/health")
_CREATED_S = 1_700_000_000
_CHARS_PER_TOKEN = 4


class _Message(msgspec.Struct):
    role: str
    content: Any = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Body(msgspec.Struct):
    model: str
    messages: list[_Message]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None


class ReplayServer(LoopbackServer):
    """``async with ReplayServer(recording) as server``: serves at ``server.url`` until the block ends."""

    def __init__(self, recording: Recording, *, port: int = 0, latency_s: float = 0.0) -> None:
        """Port 0 takes a free one; ``latency_s`` passes before each answer."""
        super().__init__(port, head_limit_bytes=HEAD_LIMIT_BYTES)
        self.answered = self.unknown = self.refused = self.waiting = 0
        self._recording = recording
        self._latency_s = latency_s

    def counts(self) -> dict[str, int]:
        """``requests`` is every chat request that began; ``waiting`` those that are not answered yet."""
        requests = self.answered + self.unknown + self.waiting
        return {
            "requests": requests,
            "answered": self.answered,
            "unknown": self.unknown,
            "refused": self.refused,
            "waiting": self.waiting,
        }

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while first := await reader.read(1):
                try:
                    request = await read_request(first, reader)
                except BadRequest as exc:
                    self.refused += 1
                    writer.write(_whole(400, error_body(str(exc), "invalid_request_error")))
                    break
                writer.write(await self._answer(request))
                await writer.drain()
            writer.close()
            await writer.wait_closed()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # callers may leave at any time
        finally:
            writer.transport.abort()

    async def _answer(self, request: Request) -> bytes:
        if request.path in _COUNTERS:
            return _whole(200, msgspec.json.encode(self.counts()))
        if (request.method, request.path) == ("GET", "/v1/models"):
            data = [{"id": name, "object": "model", "owned_by": "replay"} for name in self._recording.models]
            return _whole(200, msgspec.json.encode({"object": "list", "data": data}))
        if (request.method, request.path) != ("POST", "/v1/chat/completions"):
            self.refused += 1
            return _whole(404, error_body("a replay knows /v1/chat/completions and /v1/models", "not_found"))
        try:
            body = msgspec.json.decode(request.body, type=_Body)
        except msgspec.DecodeError as exc:
            self.refused += 1
            return _whole(400, error_body(str(exc), "invalid_request_error"))
        return await self._complete(body)

    async def _complete(self, body: _Body) -> bytes:
        asked = [text for each in body.messages if each.role == "user" and (text := _text(each.content))]
        said = self._recording.answer(body.model, asked[-1]) if asked else None
        if self._latency_s:
            self.waiting += 1
            try:
                await asyncio.sleep(self._latency_s)
            finally:
                self.waiting -= 1
        if said is None:
            self.unknown += 1
            return _whole(404, error_body("the recording has no answer of this model to this prompt", "not_found"))
        self.answered += 1
        prompt = sum(len(_text(each.content)) for each in body.messages) // _CHARS_PER_TOKEN + 1
        completion = len(said) // _CHARS_PER_TOKEN + 1
        usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
        about = {"id": f"replay-{self.answered}", "created": _CREATED_S, "model": body.model}
        if body.stream:
            wants_usage = body.stream_options is not None and bool(body.stream_options.include_usage)
            return _whole(200, _events(about, said, usage if wants_usage else None), "text/event-stream")
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        document = {**about, "object": "chat.completion", "choices": [choice], "usage": usage}
        return _whole(200, msgspec.json.encode(document))


def _events(about: dict[str, Any], said: str, usage: dict[str, int] | None) -> bytes:
    def event(choices: list[dict[str, Any]], **more: Any) -> bytes:
        chunk = {**about, "object": "chat.completion.chunk", "choices": choices, **more}
        return b"data: %b\n\n" % msgspec.json.encode(chunk)

    first = {"index": 0, "delta": {"role": "assistant", "content": said}, "finish_reason": None}
    parts = [event([first]), event([{"index": 0, "delta": {}, "finish_reason": "stop"}])]
    if usage is not None:
        parts.append(event([], usage=usage))
    return b"".join(parts) + b"data: [DONE]\n\n"


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _whole(status: int, body: bytes, content_type: str = "application/json") -> bytes:
    return head(status, {"content-type": content_type, "content-length": str(len(body))}) + body
