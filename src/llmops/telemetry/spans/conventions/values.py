"""Attribute values as facts: each reader returns the value where it is one, and None for everything else.

A span comes from anybody, so a value may be of any type and any size. A reader never raises and never guesses: a count
that is text, negative, not whole or absurdly large is no count. A name that is too long is cut, as in the request log.
"""

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any, NamedTuple

import msgspec

Reader = Callable[[Any], Any]

MAX_NAME_CHARS = 256
MAX_TOKENS = 10**9
MAX_COST_NANOUSD = 10**15
"""A million dollars, as for a call of the request log."""
MAX_SECONDS = 30 * 86_400
_NANO = Decimal(10**9)


class Said(NamedTuple):
    """The attribute ``name`` says ``fact``; a fact that begins with ``_`` is only part of one."""

    name: str
    fact: str
    read: Reader


def name(value: Any) -> str | None:
    """Text of one to 256 characters; longer text is cut. NUL, which PostgreSQL does not store, becomes U+FFFD."""
    if type(value) is not str or not value:
        return None
    found: str = value if len(value) <= MAX_NAME_CHARS else value[:MAX_NAME_CHARS]
    return found if "\0" not in found else found.replace("\0", "\N{REPLACEMENT CHARACTER}")


def version(value: Any) -> str | None:
    """A name, or a whole number as one: versions are counted by some and named by others."""
    if type(value) is int:
        return str(value) if 0 <= value < 10**18 else None
    return name(value)


def count(value: Any) -> int | None:
    """A whole number of tokens; some languages only know 12.0."""
    if type(value) is int:
        return value if 0 <= value <= MAX_TOKENS else None
    if type(value) is float and value.is_integer() and 0 <= value <= MAX_TOKENS:
        return int(value)
    return None


def usd(value: Any) -> int | None:
    """US dollars as nano-dollars, exactly as the number is written; less than half a nano-dollar is lost."""
    if type(value) not in (int, float, str) or (type(value) is str and len(value) > 40):
        return None
    try:
        nanousd = Decimal(repr(value) if type(value) is float else value) * _NANO
        if not 0 <= nanousd <= MAX_COST_NANOUSD:
            return None
        return int(nanousd.to_integral_value(ROUND_HALF_EVEN))
    except (InvalidOperation, ValueError):  # text that is no number; NaN, which is not comparable
        return None


def currency(value: Any) -> str:
    """``USD`` in any case, or something that is not that."""
    return value.upper() if type(value) is str else "?"


def nanousd(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value <= MAX_COST_NANOUSD else None


def seconds(value: Any) -> int | None:
    """Seconds as microseconds."""
    if type(value) not in (int, float) or not 0 <= value <= MAX_SECONDS:
        return None
    microseconds: int = round(value * 1_000_000)
    return microseconds


def first_name(value: Any) -> str | None:
    """The first of a list of names, also where the list is JSON text; or the name itself."""
    if type(value) is list:
        return name(value[0]) if value else None
    if type(value) is str and value.startswith("["):
        found = json(value)
        return name(found[0]) if type(found) is list and found else None
    return name(value)


def json(value: Any) -> Any:
    """The JSON in a text; None where there is none."""
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeError, RecursionError, TypeError):
        return None


def one_of(words: dict[str, str]) -> Reader:
    """A reader of names in any case that means the word they stand for; other names mean nothing."""

    def read(value: Any) -> str | None:
        if type(value) is not str:
            return None
        return words.get(value) or (words.get(value.lower()) if len(value) <= MAX_NAME_CHARS else None)

    return read


def field(key: str, read: Reader) -> Reader:
    """A reader of one field of an object, which may be JSON text."""

    def read_field(value: Any) -> Any:
        found = json(value) if type(value) is str else value
        return read(found.get(key)) if type(found) is dict else None

    return read_field
