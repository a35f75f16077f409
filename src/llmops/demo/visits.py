"""What one visit asks for, by its kind: the turns of a conversation, a RAG question, an invoice, an agent's steps.

A visit is a coroutine over a `Visitor`, which sends for it, waits for it and rolls its dice. It ends early, by
`Leave`, when the play does.
"""

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from . import cast
from .client import Answer
from .shape import Arrival, answer_tokens, few_most, prompt_tokens
from .spans import SpanTree
from .workshop import BOT

_MOST_STREAMED = 60
"""Words of a streamed answer: each is an event, and thousands of streams are played in a minute."""


class Leave(Exception):
    """The play is over."""


class Voice(Protocol):
    """How a visit reaches the world."""

    def now_s(self) -> float: ...
    async def pause(self, seconds: float) -> None: ...
    async def post(self, path: str, body: Any, tenant: str, headers: Mapping[str, str]) -> Answer: ...
    @property
    def is_frowned_at(self) -> bool: ...
    @property
    def is_released(self) -> bool: ...


@dataclass(frozen=True)
class Visitor:
    """Somebody of a tenant, with something in mind."""

    voice: Voice
    tenant: cast.Tenant
    arrival: Arrival
    luck: random.Random
    number: int

    @property
    def user(self) -> str:
        return f"{self.tenant.id}-{int(self.tenant.users * (self.number * 0.618034 % 1.0) ** 2)}"

    async def ask(self, body: dict[str, Any], *, path: str = "/v1/chat/completions", **headers: str) -> Answer:
        """A call; header names are given without ``x-llmops-``, but ``traceparent``."""
        labels = {"user": self.user, "tags": ", ".join(f"{name}={value}" for name, value in self.tenant.tags.items())}
        named = {
            name if name == "traceparent" else f"x-llmops-{name}": text for name, text in {**labels, **headers}.items()
        }
        return await self.voice.post(path, {"model": self.tenant.model, **body}, self.tenant.id, named)

    async def judge(self, name: str, *, value: bool | float, source: str = "human", **about: str | None) -> None:
        """Send a score of a trace or a session."""
        given = {key: text for key, text in about.items() if text}
        await self.voice.post(
            "/api/scores", {"name": name, "value": value, "source": source, **given}, self.tenant.id, {}
        )


async def play(visitor: Visitor) -> None:
    """The visit from its beginning to its end."""
    await _KINDS[visitor.tenant.kind](visitor)


async def _talk(visitor: Visitor) -> None:
    luck, arrival = visitor.luck, visitor.arrival
    session = f"chat-{visitor.number:05d}"
    usual = BOT if visitor.voice.is_released else visitor.tenant.model
    model = "assistant-mini" if luck.random() < 0.25 else usual
    system = {"role": "system", "content": cast.text_of(min(arrival.prompt_tokens, 1500), visitor.number)}
    messages = [system]
    words, answer = arrival.answer_tokens, None
    for turn in range(1 + few_most(luck, 5)):
        if turn:
            await visitor.voice.pause(luck.lognormvariate(2.6, 0.7))
            words = answer_tokens(luck)
        is_streamed = luck.random() < 0.3
        words = min(words, _MOST_STREAMED) if is_streamed else words
        subject = luck.choice(cast.SUBJECTS)
        messages.append({"role": "user", "content": f"It is about {subject}. Please answer in about {words} words."})
        answer = await visitor.ask({"model": model, "messages": messages, "stream": is_streamed}, session=session)
        if not answer.is_well:
            break
        messages.append({"role": "assistant", "content": cast.text_of(words, turn)})
    if answer is not None and luck.random() < 0.35:
        await _thumb(visitor, answer, session if luck.random() < 0.3 else None)


async def _thumb(visitor: Visitor, answer: Answer, session: str | None = None) -> None:
    luck = visitor.luck
    content = 0.0 if not answer.is_well else 0.35 if visitor.voice.is_frowned_at else 0.9
    is_up = luck.random() < content
    await visitor.voice.pause(luck.uniform(1.0, 8.0))
    about = {"session": session} if session else {"trace_id": answer.trace_id}
    comment = luck.choice(cast.PRAISE if is_up else cast.BLAME)
    await visitor.judge("helpful", value=is_up, comment=comment, source_id=visitor.user, **about)


async def _search(visitor: Visitor) -> None:
    """Embed the question, retrieve, rerank, generate; questions recur, and so do their answers."""
    luck, voice = visitor.luck, visitor.voice
    number = few_most(luck, 3 * len(cast.QUESTIONS))
    question, depth = cast.QUESTIONS[number % len(cast.QUESTIONS)], 1 + number // len(cast.QUESTIONS)
    begun_s = voice.now_s()
    tree = SpanTree(luck, "webshop-search", "answer question", begun_s, {"openinference.span.kind": "CHAIN"})
    parent = tree.traceparent()
    embedded = await visitor.ask(
        {"model": cast.EMBEDDINGS, "input": question, "dimensions": 64}, path="/v1/embeddings", traceparent=parent
    )
    found_s = voice.now_s()
    await voice.pause(luck.lognormvariate(-3.2, 0.6))
    kept_s = voice.now_s()
    tree.add(
        "retrieve",
        found_s,
        kept_s,
        {"gen_ai.operation.name": "retrieval", "db.system.name": "pgvector", "db.response.returned_rows": 40},
    )
    await voice.pause(luck.lognormvariate(-2.6, 0.5))
    tree.add("rerank", kept_s, voice.now_s(), {"openinference.span.kind": "RERANKER", "reranker.top_k": 4 * depth})
    words = 30 + number * 7 % 90
    context = cast.text_of(300 + 400 * depth, number)
    content = f"{context}\nQuestion: {question} Answer in about {words} words."
    answer = await visitor.ask({"messages": [{"role": "user", "content": content}]}, traceparent=parent)
    failure = None if embedded.is_well and answer.is_well else "the answer could not be made"
    await voice.post("/v1/traces", tree.body(voice.now_s(), error=failure), visitor.tenant.id, {})
    if answer.is_well and luck.random() < 0.3:
        value = round(min(1.0, max(0.0, luck.gauss(0.6 if voice.is_frowned_at else 0.84, 0.1))), 3)
        await visitor.judge("relevance", value=value, source="judge", source_id="judge-mini", trace_id=tree.trace_id)
    if answer.is_well and luck.random() < 0.08:
        await _thumb(visitor, answer)


async def _extract(visitor: Visitor) -> None:
    invoice = cast.text_of(visitor.arrival.prompt_tokens, visitor.number * 7)
    schema = {"name": "invoice", "strict": True, "schema": cast.INVOICE_SCHEMA}
    await visitor.ask({
        "messages": [{"role": "user", "content": f"Invoice {visitor.number}: {invoice}"}],
        "response_format": {"type": "json_schema", "json_schema": schema},
        "temperature": 0,
    })  # fmt: skip


async def _agent(visitor: Visitor) -> None:
    """A coding agent: think, use a tool, think again."""
    luck, voice = visitor.luck, visitor.voice
    session, task = f"task-{visitor.number:05d}", luck.choice(cast.TASKS)
    tree = SpanTree(
        luck,
        "code-agent",
        "invoke_agent coder",
        voice.now_s(),
        {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "coder", "gen_ai.conversation.id": session},
    )
    tools = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in cast.TOOLS]
    background = cast.text_of(prompt_tokens(luck, 2.0), visitor.number)
    messages: list[dict[str, Any]] = [{"role": "system", "content": background}]
    failure: str | None = None
    for step in range(luck.randint(2, 4)):
        tool = cast.TOOLS[step % len(cast.TOOLS)]
        messages.append({"role": "user", "content": f"Task: {task}. Next: {tool}"})
        answer = await visitor.ask(
            {"messages": messages, "tools": tools, "parallel_tool_calls": False},
            session=session,
            traceparent=tree.traceparent(),
        )
        called = _called(answer)
        if called is None:
            failure = "the model did not answer"
            break
        failed = tool == "run_tests" and luck.random() < 0.3
        await _use_tool(visitor, tree, tool, "two tests failed" if failed else None)
        messages.append({"role": "assistant", "tool_calls": [called]})
        messages.append({"role": "tool", "tool_call_id": called["id"], "content": cast.text_of(60, step)})
    else:
        messages.append({"role": "user", "content": f"Sum it up in about {answer_tokens(luck)} words."})
        body = {"messages": messages, "tools": tools, "tool_choice": "none"}
        answer = await visitor.ask(body, session=session, traceparent=tree.traceparent())
        failure = None if answer.is_well else "the model did not answer"
    await voice.post("/v1/traces", tree.body(voice.now_s(), error=failure), visitor.tenant.id, {})


def _called(answer: Answer) -> dict[str, Any] | None:
    body = answer.json() if answer.is_well else None
    try:
        called = body["choices"][0]["message"]["tool_calls"][0] if body else None
    except (KeyError, IndexError, TypeError):
        return None
    return called if isinstance(called, dict) else None


async def _use_tool(visitor: Visitor, tree: SpanTree, tool: str, failure: str | None) -> None:
    begun_s = visitor.voice.now_s()
    await visitor.voice.pause(visitor.luck.lognormvariate(0.3 if tool == "run_tests" else -1.5, 0.6))
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool}
    tree.add(f"execute_tool {tool}", begun_s, visitor.voice.now_s(), attributes, error=failure)


async def _write(visitor: Visitor) -> None:
    luck = visitor.luck
    brief, words = cast.text_of(visitor.arrival.prompt_tokens, visitor.number), answer_tokens(luck, 3.0)
    content = f"{brief}\nWrite campaign {visitor.number} in about {words} words."
    answer = await visitor.ask({"messages": [{"role": "user", "content": content}]})
    if answer.is_well and luck.random() < 0.1:
        await _thumb(visitor, answer)


async def _report(visitor: Visitor) -> None:
    figures = cast.text_of(prompt_tokens(visitor.luck, 1.5), visitor.number)
    content = f"{figures}\nSum up line {visitor.number} in about {visitor.arrival.answer_tokens} words."
    await visitor.ask({"messages": [{"role": "user", "content": content}]}, priority="low")


_KINDS: dict[cast.Kind, Callable[[Visitor], Awaitable[None]]] = {
    "talk": _talk,
    "search": _search,
    "extract": _extract,
    "agent": _agent,
    "write": _write,
    "report": _report,
}
