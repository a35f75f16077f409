"""One upstream for all providers' wires: it understands the request as the mock provider does, and answers in kind.

OpenAI's and Anthropic's wires are read and written by the dialects, which their own tests hold against the official
SDKs; Gemini's, which no client speaks, is put together here by hand. Reasoning comes with the proof its provider gives.
"""

import json
from typing import Any

import msgspec

from llmops.dialects.conversation import (
    Answer,
    Conversation,
    Delta,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    ReasoningConfig,
    ReasoningDelta,
    Started,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    UsageReported,
)
from llmops.dialects.registry import CONVERSATIONAL
from llmops.dialects.written import deltas_of
from llmops.providers.mock_answer import answer_to
from llmops.types import Call, Operation, Usage
from tests.fakes.upstream import Wire

from .features import PROOF

USAGE = Usage(prompt=11, completion=7)


def dialect_of(path: str) -> Operation | None:
    """The client dialect that a path of an upstream speaks; None for Gemini's."""
    endings: dict[str, Operation] = {"/chat/completions": "chat", "/responses": "responses", "/v1/messages": "messages"}
    return next((dialect for ending, dialect in endings.items() if path.endswith(ending)), None)


async def provider(wire: Wire) -> None:
    """The `Script` of the upstream."""
    body, operation = wire.request.body, dialect_of(wire.request.path)
    if operation is None:
        await _gemini(wire)
        return
    dialect = CONVERSATIONAL[operation]
    conversation = dialect.read_request(body)
    proofs = {"messages": {"signature": PROOF}, "responses": {"encrypted": PROOF}}
    answer = _answer(conversation, proofs.get(operation, {}))
    if not conversation.stream:
        await wire.answer(200, dialect.write_reply(answer))
        return
    writer = dialect.stream_writer(
        Call(
            operation=operation,
            body=body,
            view=dialect.view(body),
            request_id="r",
            trace_id="t",
            span_id="s",
            started_at_s=1,
            started_s=0,
        )
    )
    await wire.sse([writer.feed(_deltas(answer)), writer.end()])


def _answer(conversation: Conversation, proof: dict[str, str]) -> Answer:
    choices, _, _ = answer_to(conversation, 7, 24, None)
    for choice in choices:
        choice.parts = [
            msgspec.structs.replace(part, **proof) if isinstance(part, Reasoning) else part for part in choice.parts
        ]
    return Answer(id="answer-1", model="upstream-model", created_s=1, choices=choices, usage=USAGE)


def _deltas(answer: Answer) -> list[Delta]:
    deltas: list[Delta] = [Started(id=answer.id, model=answer.model, created_s=answer.created_s)]
    for choice in answer.choices:
        said = deltas_of(choice)
        proofs: list[Delta] = [
            ReasoningDelta(signature=part.signature, encrypted=part.encrypted, choice=choice.index)
            for part in choice.parts
            if isinstance(part, Reasoning) and (part.signature or part.encrypted)
        ]
        after = sum(isinstance(delta, ReasoningDelta) for delta in said)
        deltas += [*said[:after], *proofs, *said[after:]]
    return [*deltas, UsageReported(answer.usage)]


# --- Gemini -----------------------------------------------------------------------------------------------------


async def _gemini(wire: Wire) -> None:
    answer = _answer(_read_gemini(wire.request.json()), {"signature": PROOF})
    if wire.request.path.endswith(":generateContent"):
        await wire.answer(200, _response([_candidate(choice, choice.parts, end=True) for choice in answer.choices]))
        return
    events = [_response([_candidate(choice, [part], end=False)]) for choice in answer.choices for part in choice.parts]
    events.append(_response([_candidate(choice, [], end=True) for choice in answer.choices]))
    await wire.sse([f"data: {json.dumps(event)}\n\n".encode() for event in events])


def _read_gemini(body: dict[str, Any]) -> Conversation:
    """As much of a request as decides the answer."""
    generation, calling = body.get("generationConfig", {}), body.get("toolConfig", {}).get("functionCallingConfig", {})
    last: list[Part] = []
    for part in body["contents"][-1]["parts"]:
        if "functionResponse" in part:
            last.append(ToolResult(call_id=part["functionResponse"]["id"], content=[]))
        elif "text" in part:
            last.append(Text(part["text"]))
    forced = calling.get("allowedFunctionNames")
    return Conversation(
        messages=[Message("user", last)],
        tools=[
            Tool(name=found["name"], parameters=found.get("parametersJsonSchema", {}))
            for tool in body.get("tools", [])
            for found in tool["functionDeclarations"]
        ],
        tool_choice=ToolChoice("tool", forced[0]) if forced else None,
        output=OutputFormat(schema=generation.get("responseJsonSchema")) if "responseMimeType" in generation else None,
        reasoning=ReasoningConfig() if generation.get("thinkingConfig", {}).get("includeThoughts") else None,
        max_tokens=generation.get("maxOutputTokens"),
        n=generation.get("candidateCount"),
        logprobs=generation.get("responseLogprobs"),
        top_logprobs=generation.get("logprobs"),
        stop=generation.get("stopSequences", []),
    )


def _candidate(choice: Any, parts: list[Part], *, end: bool) -> dict[str, Any]:
    candidate: dict[str, Any] = {
        "index": choice.index,
        "content": {"role": "model", "parts": [_write_part(part) for part in parts]},
    }
    if end:
        candidate["finishReason"] = "MAX_TOKENS" if choice.finish_reason == "length" else "STOP"
        if choice.logprobs:
            tokens = [
                {"token": entry["token"], "logProbability": entry["logprob"]} for entry in choice.logprobs["content"]
            ]
            candidate["logprobsResult"] = {"chosenCandidates": tokens}
    return candidate


def _write_part(part: Part) -> dict[str, Any]:
    match part:
        case Reasoning():
            return {"text": part.text, "thought": True, "thoughtSignature": part.signature}
        case ToolCall():
            return {"functionCall": {"id": part.id, "name": part.name, "args": json.loads(part.arguments)}}
    assert isinstance(part, Text)
    return {"text": part.text}


def _response(candidates: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "candidates": candidates,
        "responseId": "answer-1",
        "modelVersion": "upstream-model",
        "usageMetadata": {"promptTokenCount": USAGE.prompt, "candidatesTokenCount": USAGE.completion},
    }
