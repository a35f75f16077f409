"""The words in captured messages, whatever they are wrapped in, so that they can be searched. Roles are left out.

Three forms are read: messages with parts (OpenTelemetry), messages with content (OpenAI), and plain text. What a tool
was given and what it answered are words too. The raw attribute is kept with its span; this is only what a search reads.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from .values import json

MAX_TEXT_CHARS = 65_536
"""What is searched of one side of a span; the rest is in the span."""

_PART_WORDS = ("content", "text", "arguments", "result", "response", "message")
_DEEPEST = 6


def text(value: Any) -> str | None:
    """A value of any kind as one text."""
    if type(value) is str:
        return _bounded(value)
    if value is None or value == "" or value == [] or value == {}:
        return None
    try:
        return _bounded(msgspec.json.encode(value).decode())
    except (TypeError, ValueError, RecursionError, UnicodeError):
        return None


def messages(value: Any) -> str | None:
    """The words of a list of messages, of one message, or of JSON text with either; other text is words itself."""
    if type(value) is not str:
        return joined(words(value))
    found = json(value) if value.lstrip()[:1] in ("[", "{") else None
    return joined(words(found)) or _bounded(value)


def joined(found: Iterator[str] | list[str]) -> str | None:
    """Texts on lines of their own, as many as may be searched."""
    kept, size = [], 0
    for each in found:
        kept.append(each)
        size += len(each) + 1
        if size > MAX_TEXT_CHARS:
            break
    return _bounded("\n".join(kept))


def words(value: Any, depth: int = 0) -> Iterator[str]:
    """The texts in a message, in its parts and in its tool calls, in their order."""
    if type(value) is str:
        if value:
            yield value
    elif depth > _DEEPEST:
        return
    elif type(value) is list:
        for each in value:
            yield from words(each, depth + 1)
    elif type(value) is dict:
        for key in ("parts", *_PART_WORDS, "tool_calls", "function"):
            inside = value.get(key)
            if inside is None:
                continue
            if key in ("arguments", "result", "response") and type(inside) is not str:
                if (found := text(inside)) is not None:
                    yield found
            else:
                yield from words(inside, depth + 1)


def _bounded(value: str) -> str | None:
    if len(value) > MAX_TEXT_CHARS:
        value = value[:MAX_TEXT_CHARS]
    if "\0" in value:
        value = value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return value or None
