"""The features of the matrix: how each dialect asks for one, and how to see that it arrived and came back.

A dialect that a feature leaves out has no field for it. Values that are looked for upstream are unmistakable.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from llmops.dialects.conversation import Answer, Reasoning, Text, ToolCall

Body = dict[str, Any]
IMAGE, FILE, SOUND = "TUFSS0lNQUdF", "TUFSS0ZJTEU", "TUFSS1NPVU5E"
IMAGE_URL, FILE_URL = "https://example.com/mark.png", "https://example.com/mark.pdf"
SCHEMA = {
    "type": "object",
    "properties": {"mark_property": {"type": "integer"}},
    "required": ["mark_property"],
    "additionalProperties": False,
}
PARAMETERS = {"type": "object", "properties": {"mark_argument": {"type": "string"}}, "required": ["mark_argument"]}
ARGUMENTS = '{"mark_argument":"x"}'
THOUGHT, PROOF = "The mock thinks before it answers.", "MARK-PROOF"


@dataclass(frozen=True)
class Feature:
    """``asks`` holds each dialect's request beyond the plain one; ``arrived`` looks at the upstream's request,
    ``answered`` at the answer that the client got (None: nothing shows in it)."""

    name: str
    asks: dict[str, Body]
    arrived: Callable[[Any], bool]
    answered: Callable[[Answer], bool] | None = None
    replays: bool = False
    """The answer's own turn is sent back first, and the feature is judged by the next request."""


def nodes(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every member of a decoded JSON value, at any depth."""
    yield name, value
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield from nodes(inner, key)
    for inner in value if isinstance(value, list) else ():
        yield from nodes(inner)


def holds(*marks: Any) -> Callable[[Any], bool]:
    """All marks are somewhere in the request: texts inside of texts, other values as they are."""

    def found(mark: Any, value: Any) -> bool:
        if isinstance(mark, str):
            return isinstance(value, str) and mark in value
        return type(value) is type(mark) and bool(value == mark)

    return lambda body: all(any(found(mark, value) for _, value in nodes(body)) for mark in marks)


def names(*keys: str) -> Callable[[Any], bool]:
    """One of these members is somewhere in the request."""
    return lambda body: any(name in keys and value is not None for name, value in nodes(body))


def parts(answer: Answer, kind: type) -> list[Any]:
    return [part for part in answer.choices[0].parts if isinstance(part, kind)]


def text(answer: Answer) -> str:
    return "".join(part.text for part in parts(answer, Text))


def _said(chat: list[Any], responses: list[Any], messages: list[Any]) -> dict[str, Body]:
    """The same turns in each dialect; an empty list leaves the dialect out."""
    asks = {"chat": {"messages": chat}, "responses": {"input": responses}, "messages": {"messages": messages}}
    return {dialect: body for dialect, body in asks.items() if next(iter(body.values()))}


def _alike(*dialects: str, **members: Any) -> dict[str, Body]:
    """What several dialects ask for in the same words."""
    return {dialect: dict(members) for dialect in dialects}


def _user(*content: Any) -> list[Any]:
    return [{"role": "user", "content": list(content)}] if content else []


def _tools(words: str, **more: Any) -> dict[str, Body]:
    def called(name: str) -> dict[str, Any]:
        return {"name": name, "description": "Mark.", "parameters": PARAMETERS}

    both = ("mark_tool", "mark_other")
    asks = _said(
        [{"role": "user", "content": words}], [{"role": "user", "content": words}], [{"role": "user", "content": words}]
    )
    asks["chat"]["tools"] = [{"type": "function", "function": called(name)} for name in both]
    asks["responses"]["tools"] = [{"type": "function", "strict": False, **called(name)} for name in both]
    asks["messages"]["tools"] = [{"name": name, "description": "Mark.", "input_schema": PARAMETERS} for name in both]
    for dialect, extra in more.items():
        asks[dialect] |= extra
    return asks


def _follow_up() -> dict[str, Body]:
    asks = _tools("mark_tool")
    asks["chat"]["messages"] += [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_mark", "type": "function", "function": {"name": "mark_tool", "arguments": ARGUMENTS}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_mark", "content": "MARK-RESULT"},
    ]
    asks["responses"]["input"] += [
        {"type": "function_call", "call_id": "call_mark", "name": "mark_tool", "arguments": ARGUMENTS},
        {"type": "function_call_output", "call_id": "call_mark", "output": "MARK-RESULT"},
    ]
    asks["messages"]["messages"] += [
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "call_mark", "name": "mark_tool", "input": {"mark_argument": "x"}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_mark", "content": "MARK-RESULT"}]},
    ]
    return asks


def _names_called(*wanted: str) -> Callable[[Answer], bool]:
    return lambda answer: [call.name for call in parts(answer, ToolCall)] == list(wanted)


_ONE = {
    "chat": {"parallel_tool_calls": False},
    "responses": {"parallel_tool_calls": False},
    "messages": {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
}
_FORCED = {
    "chat": {"tool_choice": {"type": "function", "function": {"name": "mark_other"}}},
    "responses": {"tool_choice": {"type": "function", "name": "mark_other"}},
    "messages": {"tool_choice": {"type": "tool", "name": "mark_other"}},
}
_THINKING = {
    "chat": {"reasoning_effort": "high"},
    "responses": {"reasoning": {"effort": "high", "summary": "auto"}},
    "messages": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
}
_ASKS_REASONING = names("reasoning_effort", "reasoning", "thinking", "effort", "thinkingConfig")

FEATURES = [
    Feature("text", {"chat": {}, "responses": {}, "messages": {}}, holds("Hello"), lambda answer: bool(text(answer))),
    Feature(
        "system prompt",
        {
            "chat": {"messages": [{"role": "system", "content": "MARK-SYSTEM"}, {"role": "user", "content": "Hello"}]},
            "responses": {"instructions": "MARK-SYSTEM"},
            "messages": {"system": "MARK-SYSTEM"},
        },
        holds("MARK-SYSTEM"),
    ),
    Feature("tools", _tools("mark_tool"), holds("mark_tool", "mark_argument"), _names_called("mark_tool")),
    Feature("forced tool", _tools("mark_tool", **_FORCED), holds("mark_other"), _names_called("mark_other")),
    Feature(
        "parallel tool calls",
        _tools("mark_tool mark_other"),
        holds("mark_other"),
        _names_called("mark_tool", "mark_other"),
    ),
    Feature(
        "one tool call at a time",
        _tools("mark_tool mark_other", **_ONE),
        names("parallel_tool_calls", "disable_parallel_tool_use"),
        _names_called("mark_tool"),
    ),
    Feature("tool follow-up", _follow_up(), holds("MARK-RESULT", "call_mark"), lambda answer: bool(text(answer))),
    Feature(
        "JSON mode",
        {
            "chat": {"response_format": {"type": "json_object"}},
            "responses": {"text": {"format": {"type": "json_object"}}},
        },
        lambda body: holds("json_object")(body) or holds("application/json")(body),
        lambda answer: text(answer).startswith("{"),
    ),
    Feature(
        "JSON schema",
        {
            "chat": {"response_format": {"type": "json_schema", "json_schema": {"name": "mark", "schema": SCHEMA}}},
            "responses": {"text": {"format": {"type": "json_schema", "name": "mark", "schema": SCHEMA}}},
            "messages": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        },
        holds(SCHEMA),
        lambda answer: "mark_property" in text(answer),
    ),
    Feature(
        "image, inline",
        _said(
            _user({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}}),
            _user({"type": "input_image", "image_url": f"data:image/png;base64,{IMAGE}"}),
            _user({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": IMAGE}}),
        ),
        holds(IMAGE),
    ),
    Feature(
        "image, by URL",
        _said(
            _user({"type": "image_url", "image_url": {"url": IMAGE_URL}}),
            _user({"type": "input_image", "image_url": IMAGE_URL}),
            _user({"type": "image", "source": {"type": "url", "url": IMAGE_URL}}),
        ),
        holds(IMAGE_URL),
    ),
    Feature(
        "document, inline",
        _said(
            _user({"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{FILE}"}}),
            _user({"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{FILE}"}),
            _user({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": FILE}}),
        ),
        holds(FILE),
    ),
    Feature(
        "document, by URL",
        _said(
            [],
            _user({"type": "input_file", "file_url": FILE_URL}),
            _user({"type": "document", "source": {"type": "url", "url": FILE_URL}}),
        ),
        holds(FILE_URL),
    ),
    Feature(
        "audio",
        _said(
            _user({"type": "input_audio", "input_audio": {"data": SOUND, "format": "wav"}}),
            _user({"type": "input_audio", "input_audio": {"data": SOUND, "format": "wav"}}),
            [],
        ),
        holds(SOUND),
    ),
    Feature(
        "reasoning",
        _THINKING,
        _ASKS_REASONING,
        lambda answer: "".join(part.text for part in parts(answer, Reasoning)) == THOUGHT,
    ),
    Feature(
        "reasoning sent back",
        _THINKING,
        lambda body: holds(PROOF)(body) or holds(THOUGHT)(body),
        lambda answer: bool(text(answer)),
        replays=True,
    ),
    Feature(
        "max_tokens",
        {"chat": {"max_tokens": 13}, "responses": {"max_output_tokens": 13}, "messages": {"max_tokens": 13}},
        holds(13),
        lambda answer: len(text(answer).split()) == 13,
    ),
    Feature(
        "temperature, top_p",
        _alike("chat", "responses", "messages", temperature=0.125, top_p=0.625),
        holds(0.125, 0.625),
    ),
    Feature("top_k", _alike("chat", "messages", top_k=37), holds(37)),
    Feature(
        "stop sequences",
        {"chat": {"stop": ["MARKSTOP"]}, "messages": {"stop_sequences": ["MARKSTOP"]}},
        holds("MARKSTOP"),
    ),
    Feature("seed", {"chat": {"seed": 4242}}, holds(4242)),
    Feature("penalties", {"chat": {"presence_penalty": 0.375, "frequency_penalty": 0.875}}, holds(0.375, 0.875)),
    Feature("n", {"chat": {"n": 3}}, holds(3), lambda answer: len(answer.choices) == 3),
    Feature(
        "logprobs",
        {
            "chat": {"logprobs": True, "top_logprobs": 1},
            "responses": {"include": ["message.output_text.logprobs"], "top_logprobs": 1},
        },
        lambda body: names("logprobs", "responseLogprobs")(body) or holds("message.output_text.logprobs")(body),
        lambda answer: bool(answer.choices[0].logprobs),
    ),
    Feature(
        "user",
        {
            "chat": {"user": "mark-user"},
            "responses": {"user": "mark-user"},
            "messages": {"metadata": {"user_id": "mark-user"}},
        },
        holds("mark-user"),
    ),
    Feature("metadata", _alike("chat", "responses", metadata={"key": "mark-value"}), holds("mark-value")),
    Feature(
        "usage",
        {"chat": {"stream_options": {"include_usage": True}}, "responses": {}, "messages": {}},
        holds("Hello"),
        lambda answer: answer.usage.source == "provider" and answer.usage.completion > 0,
    ),
    Feature(
        "unknown parameter", _alike("chat", "responses", "messages", mark_unknown="mark-unknown"), holds("mark-unknown")
    ),
]
