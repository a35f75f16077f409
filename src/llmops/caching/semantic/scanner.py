"""What of a question must be said exactly: quotes, addresses, code, dates, times, quantities and signs, in their order.

The same written differently is the same: ``1,000``, ``1000`` and ``a thousand``; ``5 km`` and ``5 kilometres``;
``$5`` and ``5 dollars``; ``5pm`` and ``17:00``; ``Jan 5, 2024`` and ``2024-01-05``. What may mean two things stays as
it is written (``1.000``, ``1/5/2024``): two ways of writing it are then two things.

Nothing is converted: 1 km and 1000 m differ here.
"""

import re
from collections.abc import Callable

from .vocabulary import MONTHS, MULTIPLIERS, NUMBER_WORDS, UNITS

Found = list[tuple[int, str]]
"""Where in the text, and what in its one way of being written."""

_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_DIGITS = r"\d{1,3}(?:[,'\u2019_]\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?"
_UNIT_SIGNS = r"%|€|\$|£|¥|₹"


class Scanner:
    """One text; each step takes what it knows out of ``left``, so that the next does not see it."""

    def __init__(self, text: str) -> None:
        self.left = text
        self.literals: Found = []
        self.quantities: Found = []
        self.signs: Found = []
        for pattern, read in _LITERALS:
            self._take(pattern, self.literals, read)
        for pattern, read in _TIMES:
            self._take(pattern, self.quantities, read)
        self._take(_IDENTIFIER, self.literals, lambda match: match[0].casefold())
        self._take(_AMOUNT, self.quantities, _amount)
        self._take(_NUMBER, self.quantities, _quantity)
        self._take(_NUMBER_WORDS, self.quantities, _worded)
        self._take(_SIGN, self.signs, lambda match: match[0].strip())

    def _take(self, pattern: re.Pattern[str], into: Found, read: "Read") -> None:
        def replace(match: re.Match[str]) -> str:
            value = read(match)
            if value is None:
                return match[0]
            into.append((match.start(), value))
            return " " * len(match[0])

        self.left = pattern.sub(replace, self.left)


Read = Callable[[re.Match[str]], str | None]


def _date(year: str | None, month: str, day: str) -> str:
    return f"date {year or '?'}-{int(MONTHS.get(month.casefold(), month) or 0):02d}-{int(day):02d}"


def _clock(match: re.Match[str]) -> str | None:
    hour, minute, half = int(match[1]), int(match[2] or 0), (match[3] or "").casefold()[:1]
    if hour > 23 or minute > 59 or not (match[2] or half):
        return None
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    return f"time {hour:02d}:{minute:02d}"


def _number(text: str) -> str:
    """The number in one way of writing it."""
    bare = re.sub(r"(?<=\d)[,'\u2019_](?=\d{3}(?!\d))", "", text)
    if re.fullmatch(r"\d{1,3}\.\d{3}", bare):
        return bare  # a thousand to some, one to others
    bare = bare.replace(",", ".")
    whole, _, part = bare.partition(".")
    part = part.rstrip("0")
    return f"{whole.lstrip('0') or '0'}{'.' if part else ''}{part}"


def _times(number: str, factor: int) -> str:
    """``1.5`` times a million, exactly."""
    whole, _, part = number.partition(".")
    width = len(str(factor)) - 1
    if len(part) > width:
        return f"{number}e{width}"
    return (whole + part.ljust(width, "0")).lstrip("0") or "0"


def _quantity(match: re.Match[str]) -> str:
    number = _number(match["number"])
    short, word = match["short"], (match["multiplier"] or "").casefold()
    if short:
        number = _times(number, {"k": 10**3, "m": 10**6, "b": 10**9}[short[0].casefold()])
    if word:
        number = _times(number, MULTIPLIERS[word])
    unit = (match["unit"] or "").casefold()
    sign = "-" if match["minus"] else ""
    return f"{sign}{number} {UNITS[unit]}" if unit in UNITS else f"{sign}{number}"


def _amount(match: re.Match[str]) -> str:
    """A number after its currency."""
    return f"{_quantity(match)} {UNITS[match['currency'].casefold()]}"


def _worded(match: re.Match[str]) -> str | None:
    total = part = 0
    words = re.split(r"[\s-]+", match["words"].casefold())
    for word in words:
        if word in NUMBER_WORDS:
            part += NUMBER_WORDS[word]
        elif word == "hundred":
            part = (part or 1) * 100
        elif word in MULTIPLIERS:
            total += (part or 1) * MULTIPLIERS[word]
            part = 0
    unit = (match["unit"] or "").casefold()
    return f"{total + part} {UNITS[unit]}" if unit in UNITS else str(total + part)


_WORDED_UNIT = "|".join(sorted((re.escape(unit) for unit in UNITS if unit.isalpha()), key=len, reverse=True))
_UNIT = rf"(?:\s?(?P<unit>{_UNIT_SIGNS}|(?i:{_WORDED_UNIT})(?![^\W_])))?"
_MULTIPLIER = rf"(?:(?P<short>k|K|M|bn|B)(?![^\W_])|[\s-](?P<multiplier>(?i:{'|'.join(MULTIPLIERS)}))s?\b)?"
_LITERALS: tuple[tuple[re.Pattern[str], Read], ...] = (
    (re.compile(r"```(.*?)```", re.DOTALL), lambda match: match[1].strip()),
    (re.compile(r"`([^`\n]+)`"), lambda match: match[1]),
    (re.compile(r"\bhttps?://[^\s<>\"']+|\bwww\.[^\s<>\"']+", re.I), lambda match: match[0].rstrip(".,;:!?)")),
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), lambda match: match[0].casefold()),
    (re.compile(r"\"([^\"\n]+)\"|“([^”\n]+)”|„([^“\n]+)“|«([^»\n]+)»"), lambda match: match[match.lastindex or 0]),
    (re.compile(r"(?<!\w)[\u2018']([^'\u2019\n]+)[\u2019'](?!\w)"), lambda match: match[1]),
)
_TIMES: tuple[tuple[re.Pattern[str], Read], ...] = (
    (re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b"), lambda match: _date(match[1], match[2], match[3])),
    (re.compile(r"\b\d{1,4}[./]\d{1,2}[./]\d{2,4}\b"), lambda match: f"date {match[0]}"),
    (
        re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_MONTH})\b\.?(?:,? (\d{{4}})\b)?", re.I),
        lambda match: _date(match[3], match[2], match[1]),
    ),
    (
        re.compile(rf"\b({_MONTH})\.? (?:the )?(\d{{1,2}})(?:st|nd|rd|th)?\b(?:,? (\d{{4}})\b)?", re.I),
        lambda match: _date(match[3], match[1], match[2]),
    ),
    (re.compile(r"\b(\d{1,2})(?::(\d{2}))?\s?([ap]\.?m\b\.?)?", re.I), _clock),
)
_IDENTIFIER = re.compile(
    r"(?<![\w.])(?:"
    r"[\w.-]*/[\w./-]*\w|"  # paths and routes
    r"--?[A-Za-z][\w-]*|"  # flags
    r"[$@#][A-Za-z_]\w*|"  # variables, handles, channels
    r"\w+(?:\.\w+)*\(\)|"  # calls
    r"[A-Za-z]\w*(?:_\w+)+|_\w+|"  # snake_case
    r"[a-z]+[A-Z]\w*|(?:[A-Z][a-z]+){2,}|"  # camelCase, PascalCase
    r"[A-Za-z]\w*(?:\.\w+)+|"  # dotted names
    r"v?\d+(?:\.\d+){2,}|v\d+(?:\.\d+)*|"  # versions
    r"[A-Za-z]+[-]?\d[\w.-]*|\d+[A-Za-z]\w*-\w+|[A-Z]\+\+|[A-Za-z]#|\.[A-Za-z]\w+"  # gpt-4o, A4, C++, C#, .env
    r")(?!\w)"
)
_AMOUNT = re.compile(
    rf"(?P<minus>)(?P<currency>US\$|\$|€|£|¥|₹|(?:USD|EUR|GBP|JPY|INR)(?=\s?\d))\s?(?P<number>{_DIGITS}){_MULTIPLIER}(?P<unit>)(?!\d)"
)
_NUMBER = re.compile(
    rf"(?P<minus>(?<![\w)])[-\u2212](?=\d))?(?P<number>{_DIGITS})(?:st|nd|rd|th)?(?![.,]\d){_MULTIPLIER}{_UNIT}"
)
_COUNT = "|".join(sorted((*NUMBER_WORDS, *MULTIPLIERS), key=len, reverse=True))
_NUMBER_WORDS = re.compile(rf"\b(?P<words>(?:{_COUNT})s?(?:[\s-]+(?:and )?(?:{_COUNT})s?)*)\b{_UNIT}", re.I)
_SIGN = re.compile(r"[+*/=<>^%€$£¥≤≥≠&|~≈∈∉⊂∩→←°]+|(?<=\s)[-\u2212](?=\s)|!=?(?=\s*[\w(=])")
