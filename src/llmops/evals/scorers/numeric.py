"""Is the number right, within a tolerance? Finds the number that an answer ends in.

What counts as the final one: behind the last ``####`` (as GSM8K writes it), else in the last ``\\boxed{}``, else behind
the last "answer is" or "answer:", else the last number of the text. Signs, currency, thousands with commas, exponents
are understood, 60% is 60; decimal commas are not, since ``1,234`` would mean two things.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from ..case import Case
from ..output import Output
from ..score import Metric, Score
from .reading import NoReference, binary, part_of, text_of

_NUMBER = re.compile(
    r"(?<![\w.])(?:[-+\u2212](?=[\d.$€£¥]))?[$€£¥]?[-\u2212]?(?P<digits>\d{1,3}(?:,\d{3}){1,20}(?![\d,])|\d{1,300}(?!\d))?"
    r"(?P<fraction>\.\d{1,300}(?!\d))?(?P<exponent>[eE][-+]?\d{1,3}(?!\d))?"
)
_MARKS = (re.compile(r"####"), re.compile(r"\\boxed\{"), re.compile(r"\banswer(?:\s+is|\s*:)(?:\s*:)?", re.IGNORECASE))


def number_in(text: str, *, whole: bool = False) -> float | None:
    """The final number of a text; with ``whole`` only if the text is nothing else. None: there is none."""
    text = text.replace("**", "")
    if whole:
        found = _NUMBER.fullmatch(text.strip().removesuffix("%").rstrip())
        return _value(found) if found else None
    for mark in _MARKS:
        places = [each.end() for each in mark.finditer(text)]
        if places:
            first = next(_numbers(text[places[-1] : places[-1] + 1_000]), None)
            if first is not None:
                return first
    last = None
    for last in _numbers(text):  # noqa: B007 - the last one is what is wanted
        pass
    return last


def _numbers(text: str) -> Iterator[float]:
    return (value for value in map(_value, _NUMBER.finditer(text)) if value is not None)


def _value(found: re.Match[str]) -> float | None:
    digits, fraction = found["digits"] or "", found["fraction"] or ""
    if not digits and not fraction:
        return None
    value = float(f"{digits.replace(',', '')}{fraction}{found['exponent'] or ''}")
    sign = -1 if re.search("[-\u2212]", found[0][: found[0].find((digits or fraction)[0])]) else 1
    return sign * value


@dataclass(frozen=True, kw_only=True)
class Numeric:
    """The number that the answer ends in is the reference's, within a tolerance."""

    tolerance: Annotated[float, Meta(ge=0, description="Largest difference that is still right")] = 1e-9
    relative: Annotated[float, Meta(ge=0, description="Or as a share of the reference; the larger one counts")] = 0.0
    extract: Annotated[
        Literal["final", "whole"], Meta(description="`final`: the number the text ends in; `whole`: it is nothing else")
    ] = "final"
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "numeric"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric(name=self.name),)

    def score(self, case: Case, output: Output) -> Score:
        wanted = self._wanted(case)
        said = number_in(text_of(output), whole=self.extract == "whole")
        if said is None or not math.isfinite(said):
            return binary(self.name, False, "there is no number in the answer")
        near = any(abs(said - each) <= max(self.tolerance, self.relative * abs(each)) for each in wanted)
        return binary(self.name, near, f"{said:.15g} against {' or '.join(f'{each:.15g}' for each in wanted)}")

    def _wanted(self, case: Case) -> list[float]:
        answer = part_of(case, "answer")
        found = [_told(each) for each in (answer if isinstance(answer, list) else [answer])]
        numbers = [each for each in found if each is not None and math.isfinite(each)]
        if not numbers:
            raise NoReference(f"reference: {case.reference!r:.100}: a number is needed, or a text that ends in one")
        return numbers


def _told(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    return number_in(value) if isinstance(value, str) else None
