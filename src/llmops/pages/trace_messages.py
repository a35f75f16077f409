"""The messages of a span, whatever convention its program speaks: those of OpenTelemetry, OpenLLMetry, OpenInference.

Of the gateway's own calls the control plane gives them; of other spans they stand in attributes, as JSON or one by one.
What is none of that is a text of nobody in particular. All of it is masked already, and shown as text.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..viewing.tracing import Said

_LISTS = (
    ("gen_ai.system_instructions", "system"),
    ("gen_ai.input.messages", "user"),
    ("gen_ai.prompt", "user"),
    ("gen_ai.output.messages", "assistant"),
    ("gen_ai.completion", "assistant"),
    ("gen_ai.tool.call.arguments", "tool"),
    ("gen_ai.tool.call.result", "tool"),
)
_PLAIN = (("input.value", "user"), ("output.value", "assistant"))
_ONE_BY_ONE = re.compile(
    r"(?P<list>gen_ai\.prompt|gen_ai\.completion|llm\.input_messages|llm\.output_messages)"
    r"\.(?P<number>\d{1,4})\.(?:message\.)?(?P<what>role|content)"
)
_ROLES = {"system": "system", "developer": "system", "user": "user", "human": "user", "assistant": "assistant"}
_ROLES |= {"ai": "assistant", "model": "assistant", "tool": "tool", "function": "tool"}
_MOST, _DEEPEST = 200, 6


def messages_of(span: Mapping[str, Any]) -> list[Said]:
    """In the order in which they were said; none where nothing was captured."""
    found = [Said(each["role"], each["text"]) for each in span.get("messages") or ()]
    attributes = span["attributes"]
    found = found or list(_of_lists(attributes)) or list(_one_by_one(attributes)) or list(_of_values(attributes))
    if not found and span.get("text"):
        found = [Said("other", span["text"])]
    return [each for each in found if each.text][:_MOST]


def latest(messages: list[Said]) -> list[Said]:
    """From the user's last word on: what came before was said in earlier turns."""
    asked = [number for number, each in enumerate(messages) if each.role == "user"]
    return messages[asked[-1] :] if asked else messages


def message_attributes(attributes: Mapping[str, Any]) -> set[str]:
    """Names of attributes that are shown as messages."""
    named = {name for name, _ in _LISTS if name in attributes}
    return named | {name for name in attributes if _ONE_BY_ONE.fullmatch(name)}


def _of_lists(attributes: Mapping[str, Any]) -> Iterator[Said]:
    for name, role in _LISTS:
        value = attributes.get(name)
        if value is not None:
            yield from _parsed(value, role)


def _of_values(attributes: Mapping[str, Any]) -> Iterator[Said]:
    for name, role in _PLAIN:
        if isinstance(value := attributes.get(name), str):
            yield Said(role, value)


def _one_by_one(attributes: Mapping[str, Any]) -> Iterator[Said]:
    kept: dict[tuple[bool, int], dict[str, str]] = {}
    for name, value in attributes.items():
        if (found := _ONE_BY_ONE.fullmatch(name)) is not None:
            is_output = found["list"] in ("gen_ai.completion", "llm.output_messages")
            kept.setdefault((is_output, int(found["number"])), {})[found["what"]] = str(value)
    for (is_output, _), message in sorted(kept.items()):
        role = _ROLES.get(message.get("role", ""), "assistant" if is_output else "user")
        yield Said(role, message.get("content", ""))


def _parsed(value: Any, role: str) -> Iterator[Said]:
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            pass
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, dict):
            named = each.get("role")
            yield Said(_ROLES.get(named, role) if isinstance(named, str) else role, _content(each))
        else:
            yield Said(role, each if isinstance(each, str) else json.dumps(each, ensure_ascii=False))


def _content(message: Mapping[str, Any], depth: int = 0) -> str:
    parts = message.get("parts", message.get("content", message.get("text")))
    if isinstance(parts, str):
        return parts
    if isinstance(parts, list) and depth < _DEEPEST:
        return "\n".join(_content(part, depth + 1) if isinstance(part, dict) else str(part) for part in parts)
    return json.dumps(dict(message), ensure_ascii=False)
