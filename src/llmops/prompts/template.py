"""The logic-less template: text with ``{{variable}}`` in it, compiled once into pieces that are joined.

Rendering is one pass: what stands in a variable's value is never looked at, so a value with ``{{`` in it is text like
any other. ``\\{{`` writes two braces; two closing ones alone (the end of a JSON object) are text. ``{{> folder/name}}``
puts another prompt in (`composition`) and is gone before anything is rendered. Both steps are linear in the text.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from ..errors import InvalidRequest

MAX_CHARS = 256_000
"""Of a template, what it includes taken in."""
MAX_OUTPUT_CHARS = 4_000_000
_MAX_TAGS = 10_000
_MAX_TAG_CHARS = 400
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


class Tag(NamedTuple):
    """Something between ``{{`` and ``}}``: ``start`` to ``end`` of the text. ``escape``: two braces are meant."""

    kind: Literal["variable", "include", "escape"]
    value: str
    start: int
    end: int


class Template:
    """Compiled: literals and, between them, names. Immutable."""

    __slots__ = ("_literals", "_slots", "names")

    def __init__(self, text: str) -> None:
        """`InvalidRequest` with line and column for what is no template; so is one that still includes others."""
        literals: list[str] = []
        slots: list[str] = []
        literal, position = "", 0
        for tag in tags_of(text):
            literal += text[position : tag.start]
            position = tag.end
            if tag.kind == "escape":
                literal += "{{"
            elif tag.kind == "include":
                raise fault(text, tag.start, "another prompt cannot be included here")
            else:
                literals.append(literal)
                slots.append(tag.value)
                literal = ""
        literals.append(literal + text[position:])
        self._literals = tuple(literals)
        self._slots = tuple(slots)
        self.names = frozenset(slots)

    def render(self, values: Mapping[str, str], *, max_chars: int = MAX_OUTPUT_CHARS) -> str:
        """The text with these values in it; `InvalidRequest` for more characters than ``max_chars``."""
        if not self._slots:
            return self._literals[0]
        pieces = [self._literals[0]]
        for name, literal in zip(self._slots, self._literals[1:], strict=True):
            pieces.append(values[name])
            pieces.append(literal)
        size = sum(map(len, pieces))
        if size > max_chars:
            raise InvalidRequest(
                f"the rendered prompt has {size:,} characters; at most {max_chars:,} are accepted", param="prompt"
            )
        return "".join(pieces)


def tags_of(text: str) -> Iterator[Tag]:
    """The tags of a template in their order; `InvalidRequest` with line and column for what is none."""
    if len(text) > MAX_CHARS:
        raise InvalidRequest(f"the template has {len(text):,} characters; at most {MAX_CHARS:,} are accepted")
    position = found = 0
    while (start := text.find("{{", position)) >= 0:
        found += 1
        if found > _MAX_TAGS:
            raise fault(text, start, f"more than {_MAX_TAGS:,} variables")
        if start > 0 and text[start - 1] == "\\":
            position = start + 2
            yield Tag("escape", "", start - 1, position)
            continue
        if text.startswith("{{{", start):
            raise fault(text, start, "three braces in a row; write '{ {{name}} }' with spaces, or '\\{{' for text")
        end = text.find("}}", start + 2)
        inner = text[start + 2 : end].strip()
        if end < 0 or end - start > _MAX_TAG_CHARS or "{{" in inner:
            raise fault(text, start, "'{{' is not closed by '}}'; write '\\{{' where two braces are meant as text")
        position = end + 2
        if inner.startswith(">"):
            yield Tag("include", inner[1:].strip(), start, position)
        elif _NAME.fullmatch(inner):
            yield Tag("variable", inner, start, position)
        else:
            raise fault(
                text,
                start,
                f"{inner[:60]!r} is no variable's name (letters, digits and _, at most 64): templates have no logic; "
                "a prompt with 'engine: jinja' may",
            )


def fault(text: str, position: int, what: str) -> InvalidRequest:
    """An error that says where in the text."""
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return InvalidRequest(f"line {line}, column {column}: {what}", param="text")
