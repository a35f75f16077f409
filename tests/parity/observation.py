"""Asking every feature of every provider in every dialect, streamed and not, and putting what happened into a word.

``native``: the body went through as it was. ``translated``: the feature was seen in the upstream's request and, where
it shows in an answer, in the client's. ``400 `x` ``: refused, naming ``x``. ``yes`` and ``accepted`` are the mock's,
which has no upstream to look into: the answer shows the feature, or the request was taken without one to show.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from llmops.app import Stack
from llmops.dialects.conversation import (
    Answer,
    Choice,
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
from llmops.dialects.dialect import Dialect
from llmops.dialects.registry import CONVERSATIONAL
from llmops.dialects.sse import EventParser
from llmops.errors import InvalidRequest
from llmops.types import NO_USAGE, Operation, Reply
from tests.fakes.gateway import settings_for
from tests.fakes.upstream import Upstream

from .features import FEATURES, Body, Feature
from .upstream import dialect_of, provider

DIALECTS: tuple[Operation, ...] = ("chat", "responses", "messages")
PROVIDERS = ("mock", "openai", "compatible", "azure", "anthropic", "gemini")
NOT_CARRIED, NOT_ANSWERED = "LOST on the way there", "LOST on the way back"
_HELLO: dict[str, Body] = {
    "chat": {"messages": [{"role": "user", "content": "Hello"}]},
    "responses": {"input": [{"role": "user", "content": "Hello"}]},
    "messages": {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 64},
}
_TURNS = {"chat": "messages", "responses": "input", "messages": "messages"}

Cell = tuple[str, str]
"""What happened to the complete call and to the streamed one."""
Matrix = dict[str, dict[str, dict[str, Cell | None]]]
"""By dialect, feature and provider; None where the dialect has no field for the feature."""


async def observe(folder: Path) -> Matrix:
    """The whole matrix; ``folder`` takes the request log."""
    matrix: Matrix = {dialect: {feature.name: {} for feature in FEATURES} for dialect in DIALECTS}
    async with _bench(folder) as (stack, upstream):
        for dialect in DIALECTS:
            for feature in FEATURES:
                for name in PROVIDERS:
                    asked = feature.asks.get(dialect)
                    matrix[dialect][feature.name][name] = (
                        None
                        if asked is None
                        else (
                            await _try(stack, upstream, dialect, feature, name, streamed=False),
                            await _try(stack, upstream, dialect, feature, name, streamed=True),
                        )
                    )
    return matrix


@asynccontextmanager
async def _bench(folder: Path) -> AsyncIterator[tuple[Stack, Upstream]]:
    async with Upstream(provider) as upstream:
        there: dict[str, Any] = {"api_key": "sk-test", "base_url": upstream.url}
        models = {
            "mock": [{"provider": "mock"}],
            "openai": [{**there, "provider": "openai", "base_url": f"{upstream.url}/v1"}],
            "compatible": [{**there, "provider": "openai", "operations": ["chat", "embeddings"]}],
            "azure": [{**there, "provider": "azure"}],
            "anthropic": [{**there, "provider": "anthropic"}],
            "gemini": [{**there, "provider": "gemini", "model": "gemini-3-pro"}],
        }
        async with Stack(settings_for(folder, models)) as stack:
            yield stack, upstream


async def _try(
    stack: Stack, upstream: Upstream, dialect: Operation, feature: Feature, name: str, *, streamed: bool
) -> str:
    body = {"model": name, **_HELLO[dialect], **feature.asks[dialect]}
    try:
        if feature.replays:
            body = _continued(dialect, body, await stack.call(dialect, body))
        body["stream"] = streamed
        if not streamed:
            body.pop("stream_options", None)
        upstream.requests.clear()
        reply = await stack.call(dialect, body)
        answer = await _read(CONVERSATIONAL[dialect], reply)
    except InvalidRequest as exc:
        assert exc.status == 400 and exc.param and exc.param in exc.message, exc.message
        return f"400 `{exc.param}`"
    answer.usage = reply.outcome.usage if feature.name == "usage" else answer.usage
    answered = feature.answered is None or feature.answered(answer)
    if name == "mock":
        return "accepted" if feature.answered is None else "yes" if answered else NOT_ANSWERED
    sent = upstream.requests[-1]
    if not feature.arrived(sent.json()):
        return NOT_CARRIED
    if not answered:
        return NOT_ANSWERED
    if dialect_of(sent.path) != dialect:
        return "translated"
    assert _rest(sent.json()) == _rest(body), "the fast lane has changed a body"
    return "native"


def _rest(body: Body) -> Body:
    """All but what the gateway may change on the fast lane."""
    return {name: value for name, value in body.items() if name not in ("model", "stream_options")}


def _continued(dialect: Operation, body: Body, reply: Reply) -> Body:
    """The next request of a client that hands the model's turn back as it came."""
    said = json.loads(reply.body)
    turn: list[Any] = {
        "chat": lambda: [said["choices"][0]["message"]],
        "responses": lambda: said["output"],
        "messages": lambda: [{"role": "assistant", "content": said["content"]}],
    }[dialect]()
    turns = [*body[_TURNS[dialect]], *turn, {"role": "user", "content": "Go on"}]
    return {**body, _TURNS[dialect]: turns}


async def _read(dialect: Dialect, reply: Reply) -> Answer:
    """The client's answer in neutral form; a stream is put together."""
    if reply.stream is None:
        return dialect.read_reply(reply.body)
    reader, parser = dialect.stream_reader(), EventParser()
    choices: dict[int, Choice] = {}
    answer = Answer(id="", model="", created_s=0, choices=[], usage=NO_USAGE)
    async for piece in reply.stream:
        for event in parser.feed(piece):
            for delta in reader.feed(event):
                if isinstance(delta, UsageReported):
                    answer.usage = delta.usage
                elif not isinstance(delta, Started) and hasattr(delta, "choice"):
                    _add(choices.setdefault(delta.choice, Choice(index=delta.choice)), delta)
    assert reader.finished
    answer.choices = [choices[index] for index in sorted(choices)]
    return answer


def _add(choice: Choice, delta: Any) -> None:
    match delta:
        case TextDelta():
            choice.parts.append(Text(delta.text))
            choice.logprobs = choice.logprobs or delta.logprobs
        case ReasoningDelta():
            choice.parts.append(Reasoning(text=delta.text, signature=delta.signature, encrypted=delta.encrypted))
        case ToolCallStarted():
            choice.parts.append(ToolCall(id=delta.id, name=delta.name, arguments=""))
        case ToolCallDelta() | Finished():
            pass
