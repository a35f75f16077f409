"""The three client dialects as tests speak them: a neutral `Ask` written as a request, an answer read as `Said`."""

import json
from dataclasses import dataclass, field
from typing import Any

from llmops.types import Operation

from ..fakes.wires import ARGUMENTS

DIALECTS: tuple[Operation, ...] = ("chat", "responses", "messages")
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}},
    "required": ["answer"],
    "additionalProperties": False,
}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@dataclass(frozen=True)
class Ask:
    """What a client wants. ``results`` makes it the follow-up turn: earlier calls (id, name) with what they gave."""

    text: str = "Tell me something"
    system: str | None = None
    image: tuple[str, str] | None = None
    tools: tuple[str, ...] = ()
    results: tuple[tuple[str, str, str], ...] = ()
    schema: Any = None
    stream: bool = False
    max_tokens: int = 500


@dataclass
class Said:
    text: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    finish: str | None = None
    prompt: int | None = None
    completion: int | None = None


def write(operation: Operation, ask: Ask, model: str = "m", **more: Any) -> dict[str, Any]:
    """The request of an operation."""
    return {"model": model, **_WRITERS[operation](ask), **({"stream": True} if ask.stream else {}), **more}


def _write_chat(ask: Ask) -> dict[str, Any]:
    content: Any = ask.text
    if ask.image:
        content = [
            {"type": "text", "text": ask.text},
            {"type": "image_url", "image_url": {"url": f"data:{ask.image[0]};base64,{ask.image[1]}"}},
        ]
    messages: list[dict[str, Any]] = [{"role": "system", "content": ask.system}] if ask.system else []
    messages.append({"role": "user", "content": content})
    if ask.results:
        messages.append(
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": id_, "type": "function", "function": {"name": name, "arguments": json.dumps(ARGUMENTS)}}
                    for id_, name, _ in ask.results
                ],
            }
        )
        messages += [{"role": "tool", "tool_call_id": id_, "content": gave} for id_, _, gave in ask.results]
    body: dict[str, Any] = {"messages": messages, "max_tokens": ask.max_tokens}
    if ask.tools:
        body["tools"] = [
            {"type": "function", "function": {"name": name, "parameters": PARAMETERS}} for name in ask.tools
        ]
    if ask.schema:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "out", "schema": ask.schema, "strict": True},
        }
    if ask.stream:
        body["stream_options"] = {"include_usage": True}
    return body


def _write_responses(ask: Ask) -> dict[str, Any]:
    content: Any = ask.text
    if ask.image:
        content = [
            {"type": "input_text", "text": ask.text},
            {"type": "input_image", "detail": "auto", "image_url": f"data:{ask.image[0]};base64,{ask.image[1]}"},
        ]
    items: list[dict[str, Any]] = [{"role": "user", "content": content}]
    items += [
        {"type": "function_call", "call_id": id_, "name": name, "arguments": json.dumps(ARGUMENTS)}
        for id_, name, _ in ask.results
    ]
    items += [{"type": "function_call_output", "call_id": id_, "output": gave} for id_, _, gave in ask.results]
    body: dict[str, Any] = {"input": items, "max_output_tokens": ask.max_tokens, "store": False}
    if ask.system:
        body["instructions"] = ask.system
    if ask.tools:
        body["tools"] = [{"type": "function", "name": name, "parameters": PARAMETERS} for name in ask.tools]
    if ask.schema:
        body["text"] = {"format": {"type": "json_schema", "name": "out", "schema": ask.schema, "strict": True}}
    return body


def _write_messages(ask: Ask) -> dict[str, Any]:
    content: Any = ask.text
    if ask.image:
        source = {"type": "base64", "media_type": ask.image[0], "data": ask.image[1]}
        content = [{"type": "image", "source": source}, {"type": "text", "text": ask.text}]
    messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if ask.results:
        messages.append(
            {
                "role": "assistant",
                "content": [
                    {"type": "tool_use", "id": id_, "name": name, "input": ARGUMENTS} for id_, name, _ in ask.results
                ],
            }
        )
        messages.append(
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": id_, "content": gave} for id_, _, gave in ask.results
                ],
            }
        )
    body: dict[str, Any] = {"messages": messages, "max_tokens": ask.max_tokens}
    if ask.system:
        body["system"] = ask.system
    if ask.tools:
        body["tools"] = [{"name": name, "input_schema": PARAMETERS} for name in ask.tools]
    if ask.schema:
        body["output_config"] = {"format": {"type": "json_schema", "schema": ask.schema}}
    return body


_WRITERS = {"chat": _write_chat, "responses": _write_responses, "messages": _write_messages}


def read(operation: Operation, raw: bytes) -> Said:
    """A complete answer."""
    body = json.loads(raw)
    match operation:
        case "chat":
            choice, usage = body["choices"][0], body["usage"]
            calls = choice["message"].get("tool_calls") or []
            counts = _counts(usage, "prompt", "completion")
            assert body["object"] == "chat.completion" and usage["total_tokens"] == sum(counts)
            return Said(
                choice["message"]["content"] or "",
                [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls],
                [call["id"] for call in calls],
                choice["finish_reason"],
                *counts,
            )
        case "responses":
            return _read_response(body)
        case "messages":
            assert body["type"] == "message" and body["role"] == "assistant"
            calls = [block for block in body["content"] if block["type"] == "tool_use"]
            return Said(
                "".join(block["text"] for block in body["content"] if block["type"] == "text"),
                [(call["name"], call["input"]) for call in calls],
                [call["id"] for call in calls],
                body["stop_reason"],
                *_anthropic_counts(body["usage"]),
            )
    raise AssertionError(operation)


def read_stream(operation: Operation, raw: bytes) -> Said:
    """A whole stream, with its order and its end checked."""
    events = [_event(block) for block in raw.decode().split("\n\n") if block]
    match operation:
        case "chat":
            return _read_chat_stream(events)
        case "responses":
            assert [event["sequence_number"] for _, event in events] == list(range(len(events)))
            assert all(name == event["type"] for name, event in events)
            assert events[0][0] == "response.created"
            deltas = [event["delta"] for name, event in events if name == "response.output_text.delta"]
            said = _read_response(events[-1][1]["response"])
            assert "".join(deltas) == said.text
            return said
        case "messages":
            return _read_message_stream(events)
    raise AssertionError(operation)


def _event(block: str) -> tuple[str, Any]:
    lines = dict(line.split(": ", 1) for line in block.split("\n"))
    return lines.get("event", ""), lines["data"] if lines["data"] == "[DONE]" else json.loads(lines["data"])


def _read_response(body: dict[str, Any]) -> Said:
    assert body["object"] == "response" and body["status"] == "completed"
    calls = [item for item in body["output"] if item["type"] == "function_call"]
    parts = [part for item in body["output"] if item["type"] == "message" for part in item["content"]]
    return Said(
        "".join(part["text"] for part in parts),
        [(call["name"], json.loads(call["arguments"])) for call in calls],
        [call["call_id"] for call in calls],
        "tool" if calls else "end",
        body["usage"]["input_tokens"],
        body["usage"]["output_tokens"],
    )


def _read_chat_stream(events: list[tuple[str, Any]]) -> Said:
    assert events[-1][1] == "[DONE]"
    said = Said()
    names: list[str] = []
    arguments: list[str] = []
    for _, chunk in events[:-1]:
        if chunk.get("usage"):
            said.prompt, said.completion = _counts(chunk["usage"], "prompt", "completion")
        for choice in chunk["choices"]:
            said.text += choice["delta"].get("content") or ""
            said.finish = choice["finish_reason"] or said.finish
            for call in choice["delta"].get("tool_calls") or []:
                if call["index"] == len(names):
                    names.append(call["function"]["name"])
                    arguments.append("")
                    said.ids.append(call["id"])
                arguments[call["index"]] += call["function"]["arguments"]
    said.calls = [(name, json.loads(argument)) for name, argument in zip(names, arguments, strict=True)]
    return said


def _read_message_stream(events: list[tuple[str, Any]]) -> Said:
    kinds = [name for name, _ in events]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
    said = Said()
    open_block: dict[str, Any] | None = None
    arguments = ""
    for name, event in events:
        match name:
            case "content_block_start":
                assert open_block is None
                open_block, arguments = event["content_block"], ""
            case "content_block_delta":
                said.text += event["delta"].get("text", "")
                arguments += event["delta"].get("partial_json", "")
            case "content_block_stop":
                assert open_block is not None
                if open_block["type"] == "tool_use":
                    said.calls.append((open_block["name"], json.loads(arguments)))
                    said.ids.append(open_block["id"])
                open_block = None
            case "message_delta":
                said.finish = event["delta"]["stop_reason"]
                usage = {**events[0][1]["message"]["usage"], **event["usage"]}
                said.prompt, said.completion = _anthropic_counts(usage)
    return said


def _counts(usage: dict[str, Any], *names: str) -> tuple[int, int]:
    prompt, completion = (usage[f"{name}_tokens"] for name in names)
    return prompt, completion


def _anthropic_counts(usage: dict[str, Any]) -> tuple[int, int]:
    cache = (usage.get("cache_read_input_tokens") or 0) + (usage.get("cache_creation_input_tokens") or 0)
    return usage["input_tokens"] + cache, usage["output_tokens"]
