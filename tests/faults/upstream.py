"""A provider that paces its answers and keeps count: who asked, and what was produced for them before they left."""

import asyncio
from dataclasses import dataclass
from typing import Any

from tests.fakes.upstream import Upstream, Wire
from tests.fakes.wires import data

from .plan import Plan, PlanOf


@dataclass
class Asked:
    """One call as the upstream saw it. ``times`` is more than one where it was asked again over a new connection."""

    times: int = 0
    produced_bytes: int = 0
    """Content sent so far, in bytes of text."""
    whole: bool = False


class PacedUpstream(Upstream):
    """Speaks Chat Completions; ``asked`` has every call by its trace id."""

    def __init__(self, plan_of: PlanOf) -> None:
        super().__init__(self._answer)
        self.asked: dict[str, Asked] = {}
        self._plan_of = plan_of

    async def _answer(self, wire: Wire) -> None:
        self.requests.clear()  # they are many, and nobody looks at them again
        trace_id = wire.request.headers["traceparent"].split("-")[1]
        asked = self.asked.setdefault(trace_id, Asked())
        asked.times += 1
        plan = self._plan_of(trace_id)
        await asyncio.sleep(plan.first_s)
        if plan.stream:
            await self._stream(wire, plan, asked)
        else:
            asked.produced_bytes = plan.chunks * len(plan.piece)
            await wire.answer(200, _answer_to(plan))
        asked.whole = True

    async def _stream(self, wire: Wire, plan: Plan, asked: Asked) -> None:
        await wire.begin()
        for number in range(plan.chunks):
            asked.produced_bytes += len(plan.piece)
            await _send(wire, _chunk(plan, _delta(plan, number)))
            if plan.pause_s:
                await asyncio.sleep(plan.pause_s)
        usage = data({"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": _usage(plan)})
        await _send(wire, _chunk(plan, {}, finish="tool_calls" if plan.tools else "stop"))
        await _send(wire, usage + data("[DONE]"))
        await wire.end()


async def _send(wire: Wire, events: bytes) -> None:
    if wire.writer.is_closing():  # uvloop would call the next write a defect of ours
        raise ConnectionResetError
    await wire.chunk(events)


def _delta(plan: Plan, number: int) -> dict[str, Any]:
    if not plan.tools:
        return {"content": plan.piece}
    function = {"arguments": plan.piece}
    if number == 0:
        head = {"id": "call_1", "type": "function", "function": {**function, "name": "weather"}}
        return {"role": "assistant", "tool_calls": [{"index": 0, **head}]}
    return {"tool_calls": [{"index": 0, "function": function}]}


def _chunk(plan: Plan, delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return data({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": plan.model, "choices": [choice]})


def _answer_to(plan: Plan) -> dict[str, Any]:
    text = plan.piece * plan.chunks
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if plan.tools:
        call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Bern"}'}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": plan.model,
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if plan.tools else "stop"}],
        "usage": _usage(plan),
    }


def _usage(plan: Plan) -> dict[str, Any]:
    return {
        "prompt_tokens": plan.prompt_tokens,
        "completion_tokens": plan.completion_tokens,
        "total_tokens": plan.prompt_tokens + plan.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": plan.cached_tokens},
    }
