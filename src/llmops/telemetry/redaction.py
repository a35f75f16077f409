"""Taking out of captured text what nobody should keep: addresses, numbers of telephones and cards, keys and tokens.

It happens before the text is written anywhere. Patterns find what looks like such a thing: they take out some that is
none, and miss what is split over messages or spelled out ("john at example dot org"). Whoever must be sure keeps
capture off. Every pattern of ours is bounded, so that no text takes long.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

_MARGIN_CHARS = 2_000
"""Read beyond what is kept, so that what the cut goes through is still known for what it is."""
_DEEPEST = 64
_DATA_URL_CHARS = 200

_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]{0,20000}(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?"
    r"|\beyJ[\w-]{8,4000}\.[\w-]{4,8000}(?:\.[\w-]{0,4000})?"
    r"|\b(?:sk|pk|rk|api|key|secret)[-_][\w-]{16,400}"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[opsur]_[0-9A-Za-z]{20,255}|\bgithub_pat_\w{20,255}|\bglpat-[\w-]{16,100}|\bhf_[0-9A-Za-z]{20,100}"
    r"|\bxox[abeprs]-[\w-]{10,300}|\bAIza[\w-]{30,60}|\bya29\.[\w-]{20,1000}"
    r"|(?<=[Bb]earer )[\w.~+/=-]{16,4000}"
    r"|(?<=://)[^\s/:@]{1,200}:[^\s/@]{1,200}(?=@)"
)
_EMAIL = re.compile(r"[\w.%+\-]{1,64}@(?:[\w\-]{1,63}\.){1,8}[^\W\d_]{2,24}")
_CARD = re.compile(r"(?<![\d.,])(?:\d[ \-]?){12,18}\d(?![\d])")
_PHONE = re.compile(
    r"(?<![\w.+])(?:(?:\+|00)\d{1,3}(?:[ ./()\-]{0,3}\d){6,13}"
    r"|\(?\d{3}\)?[ .\-]\d{3}[ .\-]\d{4}"
    r"|\(?0\d{1,5}\)?[ /\-]\d{2,9}(?:[ \-]\d{2,6}){0,4})(?![\w])"
)


class Redactor:
    """``patterns`` are the operator's own; ``known`` adds those above. At most ``max_chars`` of a text are kept."""

    def __init__(self, patterns: Sequence[str] = (), *, known: bool = True, max_chars: int = 32_000) -> None:
        self._max_chars = max_chars
        self._steps: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = []
        if known:
            self._steps += [(_KEY, "[key]"), (_EMAIL, "[email]"), (_CARD, _card), (_PHONE, "[phone]")]
        self._steps += [(re.compile(pattern), "[redacted]") for pattern in patterns]

    def text(self, text: str) -> str:
        """What may be kept of a text."""
        text = text[: self._max_chars + _MARGIN_CHARS]
        if not text.isascii():
            text = text.encode("utf-8", "replace").decode()  # a lone surrogate would stop the whole log
        return self._clean(text)[: self._max_chars]

    def content(self, raw: bytes) -> str:
        """What may be kept of a message's content: text, or the JSON of its parts, each of whose texts is looked at.

        Escapes of JSON are undone before, or an address could hide in them.
        """
        if raw[:1] in (b"[", b"{"):
            try:
                return msgspec.json.encode(self._inside(msgspec.json.decode(raw), 0)).decode()[: self._max_chars]
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                pass
        most = 4 * (self._max_chars + _MARGIN_CHARS)
        return self.text(raw[:most].decode("utf-8", "replace"))

    def _clean(self, text: str) -> str:
        for pattern, instead in self._steps:
            text = pattern.sub(instead, text)
        return text

    def _inside(self, value: Any, depth: int) -> Any:
        if depth > _DEEPEST:
            return "[too deep]"
        if type(value) is str:
            if value.startswith("data:") and len(value) > _DATA_URL_CHARS:
                return f"[data: {len(value)} characters]"
            return self.text(value)
        if type(value) is list:
            return [self._inside(each, depth + 1) for each in value]
        if type(value) is dict:
            return {self._clean(key): self._inside(each, depth + 1) for key, each in value.items()}
        return value


def _card(found: re.Match[str]) -> str:
    """Only what ends in the right check digit is a card's number."""
    digits = [int(char) for char in found[0] if char.isdigit()]
    total = sum(
        digit if place % 2 == 0 else digit * 2 - 9 * (digit > 4) for place, digit in enumerate(reversed(digits))
    )
    return "[card]" if total % 10 == 0 and any(digits) else found[0]
