"""Who said what, within the one text that is captured of a call: each message begins with a mark and its role's sign.

Mark and signs are no words, so a search sees none of them, and `plain` takes them out for whoever shows the text as it
is. A text without marks is one of a span, whose messages stand in its attributes, or of before there were marks.
"""

from collections.abc import Iterable
from typing import Any

_MARK = "\x1e"
_SIGNS = {"system": "#", "developer": "#", "user": ">", "assistant": "<", "tool": "|", "function": "|"}
_ROLES = {"#": "system", ">": "user", "<": "assistant", "|": "tool", "?": "other"}


def marked(role: str | None, text: str) -> str:
    """A message as part of such a text."""
    return f"{_MARK}{_SIGNS.get(role or '', '?')}{text.replace(_MARK, ' ')}"


def plain(text: str) -> str:
    """The text without marks."""
    first, *messages = text.split(_MARK)
    return first + "".join(each[1:] for each in messages)


def messages_of(text: str) -> list[dict[str, Any]]:
    """Its messages, each with ``role`` and ``text``; none where nothing is marked."""
    return list(_found(text.split(_MARK)[1:]))


def _found(parts: Iterable[str]) -> Iterable[dict[str, Any]]:
    for part in parts:
        yield {"role": _ROLES.get(part[:1], "other"), "text": part[1:].removesuffix("\n")}
