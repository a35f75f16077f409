"""Are the answer's citations real, and do they say what they are cited for?

Citations are written ``[1]`` (a passage by its place, from 1) or ``[id]``. `citation_validity`: markers that point to a
passage / markers, by rules. `citation_coverage`: sentences with a valid one / sentences, by rules.
`citation_support`: cited sentences that their passages bear out / cited sentences, by a judge.
"""

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from ...case import Case
from ...judge import FLAG, TEXT, Hearing, Prompt, a_list, an_object, one_for_each
from ...output import Output
from ...score import Metric, Score
from ..judged import Judged
from ..reading import text_of

BORNE_OUT = Prompt(
    name="borne_out",
    instructions=(
        "Each statement comes with the passages that it cites. Say of each, in the given order, whether these passages "
        "together state it or it follows directly from them. What you know yourself does not count. Give a short "
        "reason before each verdict."
    ),
    schema=an_object(verdicts=a_list(an_object(reason=TEXT, supported=FLAG))),
)
# Marks behind a full stop belong to the sentence before it.
_SENTENCE = re.compile(r"[^\n.!?\u3002\uff01\uff1f]+(?:[.!?\u3002\uff01\uff1f]+(?:[ \t]*\[[^\[\]\n]{1,200}\])*)?")
_MARK = re.compile(r"\[([^\[\]\n]{1,200})\](?!\()")
_MOST_SENTENCES = 200


class Cited(NamedTuple):
    statement: str
    marks: tuple[str, ...]
    places: tuple[int, ...]
    """Of the passages that there are."""


def cited_sentences(text: str, passages: int, ids: dict[str, int]) -> list[Cited]:
    """The sentences of a text with their citations. A mark that is no number and no known id, such as ``[sic]``, counts
    as a citation only where it looks like an id: letters and digits with a digit among them."""
    found = []
    for each in _SENTENCE.finditer(text):
        marks = tuple(
            part.strip()
            for mark in _MARK.findall(each[0])
            for part in re.split(r"[,;]", mark)
            if part.strip() in ids or re.fullmatch(r"[\w:./-]{0,100}\d[\w:./-]{0,100}", part.strip())
        )
        places = [ids[mark] if mark in ids else _place(mark, passages) for mark in marks]
        statement = _MARK.sub("", each[0]).strip()
        if any(char.isalnum() for char in statement):
            found.append(Cited(statement, marks, tuple(place for place in places if place is not None)))
        elif marks and found:  # a line that is nothing but marks
            last = found.pop()
            known = tuple(place for place in places if place is not None)
            found.append(Cited(last.statement, last.marks + marks, last.places + known))
    return found


def _place(mark: str, passages: int) -> int | None:
    if not (mark.isascii() and mark.isdecimal() and len(mark) < 7):
        return None
    return int(mark) - 1 if 0 < int(mark) <= passages else None


@dataclass(frozen=True, kw_only=True)
class Citations(Judged):
    """Citations: do they exist (`citation_validity`), everywhere (`citation_coverage`), right (`citation_support`)?"""

    prompts = (BORNE_OUT,)

    @property
    def kinds(self) -> tuple[Metric, ...]:
        return tuple(Metric(name=f"citation_{what}", scale="bounded") for what in ("support", "validity", "coverage"))

    async def hear(self, hearing: Hearing, case: Case, output: Output) -> list[Score]:
        ids = {passage.id: place for place, passage in enumerate(output.passages) if passage.id is not None}
        sentences = cited_sentences(text_of(output), len(output.passages), ids)
        marks = sum(len(each.marks) for each in sentences)
        valid = sum(len(each.places) for each in sentences)
        cited = [each for each in sentences if each.places]
        unmeasured = "the answer cites nothing"
        return [
            await self._support(hearing, cited[:_MOST_SENTENCES], output),
            Score(name="citation_validity", value=valid / marks)
            if marks
            else Score(name="citation_validity", note=unmeasured),
            Score(name="citation_coverage", value=len(cited) / len(sentences))
            if sentences
            else Score(name="citation_coverage", note="the answer has no sentences"),
        ]

    async def _support(self, hearing: Hearing, cited: list[Cited], output: Output) -> Score:
        if not cited:
            return Score(name="citation_support", note="the answer cites no passage that there is")
        material = [
            {"statement": each.statement, "passages": [output.passages[place].text or "" for place in each.places]}
            for each in cited
        ]
        said: Any = await hearing.ask(
            BORNE_OUT, {"statements": material}, check=one_for_each("verdicts", len(material))
        )
        evidence = [
            {"statement": each.statement, "marks": list(each.marks), **verdict}
            for each, verdict in zip(cited, said["verdicts"], strict=True)
        ]
        value = sum(each["supported"] for each in said["verdicts"]) / len(cited)
        return Score(name="citation_support", value=value, evidence={"statements": evidence})
