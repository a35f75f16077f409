"""How scorers read cases and outputs: one meaning of "the answer", "the reference", "the question".

A reference is what is right itself, or an object of several such: ``{"answer": …, "relevant": …, "contexts": …,
"tool_calls": …}``, each scorer taking its part.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from ..case import Case
from ..output import Output, ToolCall
from ..score import Score

PARTS = frozenset({"answer", "relevant", "contexts", "tool_calls"})
_FENCE = re.compile(r"\s*```[A-Za-z]{0,10}[ \t]*\n(.*?)\n?[ \t]*```\s*", re.DOTALL)


class NoReference(ValueError):
    """The case lacks what this scorer holds an answer against: a defect of the dataset, not of the answer."""

    code = "no_reference"


class TooLong(ValueError):
    """Judging these texts would take longer than anybody waits."""

    code = "too_long"


def text_of(output: Output) -> str:
    """The answer as text; data is told as JSON, and no answer at all is an empty text."""
    if output.text is not None:
        return output.text
    if isinstance(output.data, str):
        return output.data
    return "" if output.data is None else msgspec.json.encode(output.data, order="deterministic").decode()


def data_of(output: Output) -> Any:
    """The answer as data: what a callable returned, or the text as JSON. `ValueError` if it is none."""
    if output.data is not None:
        return output.data
    return json_in(output.text or "", fenced=False)


def json_in(text: str, *, fenced: bool) -> Any:
    """The JSON that a text is; with ``fenced`` also the one inside a single Markdown fence. `ValueError` if none."""
    if fenced and (inside := _FENCE.fullmatch(text)):
        text = inside[1]
    try:
        return msgspec.json.decode(text)
    except RecursionError as exc:
        raise ValueError("nested too deep") from exc
    except UnicodeEncodeError as exc:
        raise ValueError("it holds a lone surrogate") from exc


def part_of(case: Case, part: str) -> Any:
    """This part of the reference, or the whole one where it is not divided into parts. None: it has no such thing."""
    reference = case.reference
    if isinstance(reference, Mapping) and PARTS & reference.keys():
        return reference.get(part)
    return reference


def answers_of(case: Case) -> list[str]:
    """The texts that are all right, at least one. `NoReference` otherwise."""
    answer = part_of(case, "answer")
    several = answer if isinstance(answer, list) else [answer]
    texts = [_as_text(each) for each in several if each is not None]
    if not texts:
        raise NoReference(
            f"reference: {case.reference!r:.100}: a text is needed, or a list of texts that are all right"
        )
    return texts


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value, order="deterministic").decode()


def question_of(case: Case) -> str:
    """What was asked: the text, the last message of the user's, or an object's ``question``; else the input as JSON."""
    asked = case.input
    if isinstance(asked, list):
        users = [each for each in asked if isinstance(each, Mapping) and each.get("role") == "user"]
        asked = users[-1].get("content") if users else asked
    if isinstance(asked, Mapping) and "question" in asked:
        asked = asked["question"]
    return _as_text(asked)


def passages_of(output: Output) -> list[str]:
    """The texts that were looked up, in the retriever's order."""
    return [passage.text for passage in output.passages if passage.text is not None]


def contexts_of(case: Case) -> list[str]:
    """The texts that should have been looked up. `NoReference` without any."""
    contexts = part_of(case, "contexts")
    if not isinstance(contexts, list) or not contexts or not all(isinstance(each, str) for each in contexts):
        raise NoReference(f"reference: {case.reference!r:.100}: a list of texts is needed under 'contexts'")
    return contexts


def relevant_of(case: Case) -> dict[str, int]:
    """Document → relevance; a plain list of ids means 1 for each. `NoReference` without one."""
    said = part_of(case, "relevant")
    if isinstance(said, list):
        return {str(each): 1 for each in said}
    if isinstance(said, Mapping) and all(type(grade) is int for grade in said.values()):
        return {str(document): grade for document, grade in said.items()}
    raise NoReference(
        f"reference: {case.reference!r:.100}: under 'relevant' a list of ids is needed, or an object of id: relevance"
    )


def tool_calls_of(case: Case) -> list[ToolCall]:
    """The calls that should have been made. `NoReference` without a list."""
    said = part_of(case, "tool_calls")
    try:
        if said is None:
            raise ValueError("there are none")
        return msgspec.convert(said, list[ToolCall])
    except ValueError as exc:
        raise NoReference(
            f"reference: {case.reference!r:.100}: a list of {{'name': …, 'arguments': …}} is needed: {exc}"
        ) from exc


def binary(name: str, ok: bool, explanation: str | None = None) -> Score:
    """1 or 0, passed or not."""
    return Score(name=name, value=1.0 if ok else 0.0, passed=ok, explanation=explanation)


def bounded(name: str, value: float, threshold: float | None, **told: Any) -> Score:
    """A figure, and whether it reaches the threshold where there is one."""
    return Score(name=name, value=value, passed=None if threshold is None else value >= threshold, **told)


def observed(name: str, output: Output, figure: float | None, limit: float | None) -> Score:
    """Something that was measured of the call itself; an answer from a cache is no observation."""
    if figure is None:
        return Score(name=name, note="the subject did not tell it")
    if output.cached:
        return Score(name=name, note="served from a cache: no fresh observation")
    return Score(name=name, value=float(figure), passed=None if limit is None else figure <= limit)
