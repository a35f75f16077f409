"""How far the reviewers of a queue agree: the plain share, and beyond chance.

Krippendorff's alpha for any number of reviewers with gaps; Cohen's kappa beside it where there are exactly two. Answers
of those who settled disputes do not count: they saw that others differ. Texts are not compared.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import combinations

import msgspec

from ...statistics.agreement import Level, kappa, krippendorff
from .item import Placed
from .question import Question


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """``compared``: items with two answers or more. ``answers``: how often each was given; read alpha beside it. None:
    there is nothing to compare, or everybody always says the same."""

    compared: int
    share: float | None
    alpha: float | None
    kappa: float | None
    answers: dict[str, int]
    reviewers: dict[str, int]


def agreement_of(question: Question, items: Iterable[Placed]) -> Agreement:
    ratings: list[dict[str, str | int]] = []
    answers: Counter[str] = Counter()
    reviewers: Counter[str] = Counter()
    for placed in items:
        first = {
            mark.reviewer: mark.answer
            for mark in placed.marks
            if mark.state == "answered" and not mark.settles and mark.answer is not None
        }
        reviewers.update(list(first))
        if question.kind != "text":
            answers.update(str(each) for each in first.values())
            ratings.append(first)
    both = [row for row in ratings if len(row) > 1]
    tolerance = question.tolerance if question.kind == "scale" else 0
    pairs = [_alike(one, other, tolerance) for row in both for one, other in combinations(row.values(), 2)]
    level: Level = "ordinal" if question.kind == "scale" else "nominal"
    alpha = krippendorff([list(row.values()) for row in both], level=level) if both else None
    return Agreement(
        compared=len(both),
        share=sum(pairs) / len(pairs) if pairs else None,
        alpha=alpha,
        kappa=_kappa(question, both),
        answers=dict(sorted(answers.items())),
        reviewers=dict(sorted(reviewers.items())),
    )


def _alike(one: str | int, other: str | int, tolerance: int) -> bool:
    if isinstance(one, int) and isinstance(other, int):
        return abs(one - other) <= tolerance
    return one == other


def _kappa(question: Question, both: list[dict[str, str | int]]) -> float | None:
    """Of two reviewers who judged the same items; on a scale, quadratically weighted."""
    names = sorted({name for row in both for name in row})
    if len(names) != 2:
        return None
    first, second = ([row[name] for row in both] for name in names)
    if question.kind == "scale":
        return kappa(first, second, weights="quadratic", categories=list(range(question.low, question.high + 1)))
    return kappa(first, second)
