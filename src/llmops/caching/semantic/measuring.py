"""How good hits would be, from pairs of questions that somebody has labelled: precision and recall by threshold.

A pair is a hit where its similarity reaches the threshold, and with verification where nothing speaks against it
besides. Precision is the share of hits whose questions are the same, recall the share of same questions that are hits.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from .agreement import disagreement
from .facts import facts_of


class Pair(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=False):
    """Two questions, and whether one answer is right for both; None where nobody has said so yet."""

    a: str
    b: str
    same: bool | None = None


class Scored(msgspec.Struct, frozen=True, gc=False):
    """``refused`` is what verification has against the pair."""

    pair: Pair
    similarity: float
    refused: str | None


class Point(msgspec.Struct, frozen=True, gc=False):
    """Precision None: there is no hit."""

    threshold: float
    hits: int
    precision: float | None
    recall: float


class Row(msgspec.Struct, frozen=True, gc=False):
    """One threshold, with similarity alone and with verification."""

    threshold: float
    alone: Point
    verified: Point


_PAIR = msgspec.json.Decoder(Pair)


def read_pairs(file: Path) -> list[Pair]:
    """The pairs of a file with a JSON object a line. Raises `ValueError` that names the line, and `OSError`."""
    pairs = []
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    pairs.append(_PAIR.decode(line))
                except (msgspec.DecodeError, UnicodeDecodeError) as exc:
                    raise ValueError(f'{file}:{number}: {exc}; a line is {{"a": …, "b": …, "same": true}}') from exc
    return pairs


def score(pair: Pair, similarity: float) -> Scored:
    return Scored(pair, similarity, disagreement(facts_of(pair.a), facts_of(pair.b)))


def point(scored: Iterable[Scored], threshold: float, *, verified: bool) -> Point:
    """Of labelled pairs."""
    hits = right = same = 0
    for each in scored:
        same += bool(each.pair.same)
        if each.similarity >= threshold and not (verified and each.refused):
            hits += 1
            right += bool(each.pair.same)
    return Point(threshold, hits, right / hits if hits else None, right / same if same else 0.0)


def table(scored: Sequence[Scored], thresholds: Iterable[float]) -> list[Row]:
    return [Row(each, point(scored, each, verified=False), point(scored, each, verified=True)) for each in thresholds]


def best_at(scored: Sequence[Scored], precision: float, *, verified: bool) -> Point | None:
    """The threshold with the most recall among those of at least that precision; None where there is none."""
    thresholds = sorted({each.similarity for each in scored})
    points = [point(scored, each, verified=verified) for each in thresholds]
    enough = [each for each in points if each.precision is not None and each.precision >= precision]
    return max(enough, key=lambda each: each.recall, default=None)


def at_equal_recall(scored: Sequence[Scored]) -> tuple[Point, Point] | None:
    """Both ways at the most recall that verification reaches: similarity alone first, at the highest threshold that
    reaches as much."""
    verified = best_at(scored, 0.0, verified=True)
    if verified is None:
        return None
    thresholds = sorted({each.similarity for each in scored}, reverse=True)
    for each in thresholds:
        alone = point(scored, each, verified=False)
        if alone.recall >= verified.recall:
            return alone, verified
    return None
