"""What every faked provider shares: reading a request in neutral words, and a scene to answer it with.

`Seen` is the test's own reading of a provider's wire, independent of the gateway's code, so that a contract test can
say what must have arrived. The answer follows from it: tools that the last text names are called, a schema is met,
otherwise a fixed text is spoken.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from .upstream import Request, Wire

TEXT = "Grüße aus Zürich, 世界! 🦊"
JSON_TEXT = '{"answer": 42}'
ARGUMENTS = {"city": "Zürich"}
PROMPT, CACHED, COMPLETION, REASONING = 21, 4, 9, 2


@dataclass
class Seen:
    """A request to a provider, whatever its wire."""

    model: str
    system: str = ""
    last_text: str = ""
    images: list[tuple[str, str]] = field(default_factory=list)
    """Media type and base64 of each, or ``("url", …)``."""
    tools: list[str] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Id and name of earlier tool calls."""
    results: list[tuple[str, str]] = field(default_factory=list)
    """Id (or name, at Gemini) and text of tool results."""
    schema: Any = None
    stream: bool = False
    max_tokens: int | None = None
    temperature: float | None = None

    @property
    def wanted_calls(self) -> list[str]:
        return [] if self.results else [name for name in self.tools if name in self.last_text]

    @property
    def text(self) -> str:
        return JSON_TEXT if self.schema is not None else TEXT


@dataclass(frozen=True)
class Failure:
    """An answer that is not a success: sent instead of every answer while it is set."""

    status: int
    message: str = "the provider says no"
    headers: Mapping[str, str] = field(default_factory=dict)


class FakeProvider:
    """A `Script` that checks what the real provider would check and answers as it does."""

    secret: ClassVar[str]

    def __init__(self) -> None:
        self.failure: Failure | None = None
        self.pieces: int | None = None
        """Cut streams into chunks of that many bytes."""
        self.seen: list[Seen] = []

    async def __call__(self, wire: Wire) -> None:
        request = wire.request
        refusal = self.failure or self.refusal(request)
        if refusal is not None:
            await wire.answer(refusal.status, self.error(refusal), refusal.headers)
            return
        if (plain := self.plain(request)) is not None:
            await wire.answer(200, plain)
            return
        seen = self.read(request)
        self.seen.append(seen)
        if seen.stream:
            await wire.sse(self.events(request, seen), pieces=self.pieces)
        else:
            await wire.answer(200, self.answer(request, seen))

    def refusal(self, request: Request) -> Failure | None:
        """What a real one would refuse: a wrong address, credential or body."""
        if request.method != "POST" or request.headers.get("content-type") != "application/json":
            return Failure(405, "POST application/json")
        try:
            body = request.json()
        except ValueError:
            return Failure(400, "the body is not JSON")
        if not isinstance(body, dict):
            return Failure(400, "the body is not an object")
        return self.check(request, body)

    def check(self, request: Request, body: dict[str, Any]) -> Failure | None:
        raise NotImplementedError

    def error(self, failure: Failure) -> dict[str, Any]:
        raise NotImplementedError

    def plain(self, request: Request) -> dict[str, Any] | None:
        """The answer to a request that is no conversation (embeddings, counts)."""
        return None

    def read(self, request: Request) -> Seen:
        raise NotImplementedError

    def answer(self, request: Request, seen: Seen) -> dict[str, Any]:
        raise NotImplementedError

    def events(self, request: Request, seen: Seen) -> list[bytes]:
        raise NotImplementedError


def data(value: Any, name: str = "") -> bytes:
    """One server-sent event."""
    raw = value if isinstance(value, str) else json.dumps(value)
    return (f"event: {name}\n" if name else "").encode() + f"data: {raw}\n\n".encode()


def split(text: str) -> list[str]:
    """A text in three pieces, as a stream brings it."""
    third = max(len(text) // 3, 1)
    return [piece for piece in (text[:third], text[third : 2 * third], text[2 * third :]) if piece]


def missing(body: dict[str, Any], *names: str) -> Failure | None:
    for name in names:
        if name not in body:
            return Failure(400, f"missing required parameter: {name!r}")
    return None


def data_url(url: str) -> tuple[str, str]:
    if not url.startswith("data:"):
        return "url", url
    media, _, content = url.removeprefix("data:").partition(";base64,")
    return media, content
