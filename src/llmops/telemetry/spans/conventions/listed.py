"""Lists that are flattened into names with numbers: ``llm.input_messages.0.message.content`` and their like.

Which names hold words is known by their ends.
"""

from typing import NamedTuple

_WORDS = (".content", ".text", ".arguments", ".arguments_json")


class Side(NamedTuple):
    """Names with this beginning are a list of what went in or came out. ``operation``: what its being there says;
    ``end``: where two conventions share a beginning."""

    beginning: str
    fact: str
    operation: str | None = None
    end: str = ""


class Listed(NamedTuple):
    """``number``: the place in the list."""

    side: Side
    number: int
    has_words: bool


def listed(name: str, sides: tuple[Side, ...]) -> Listed | None:
    """What a flattened name is; None for one that is none."""
    for side in sides:
        if name.startswith(side.beginning) and name.endswith(side.end):
            number, dot, _ = name[len(side.beginning) :].partition(".")
            if dot and number.isascii() and number.isdigit() and len(number) <= 6:
                return Listed(side, int(number), name.endswith(_WORDS))
    return None
