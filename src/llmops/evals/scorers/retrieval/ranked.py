"""Many rankings as arrays: how relevant the document at each place is, and what could have been found.

The rules are trec_eval's: a ranking is by score (compared as 32-bit floats, as it keeps them), equal scores by document
id descending; a rank that is written somewhere plays no part. A relevance below 0 means that nobody judged the
document: it counts as not relevant, but not as judged.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

UNJUDGED = -1

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]


class Ranked(NamedTuple):
    """One row per query."""

    relevance: Ints
    """(queries, places), best place first; `UNJUDGED` for what nobody judged, and behind the end of a ranking."""
    ideal: Ints
    """(queries, relevant): the relevances above 0 of all judged documents, descending, filled up with 0."""
    nonrelevant: Ints
    """(queries,): how many documents were judged and are not relevant."""

    @property
    def relevant(self) -> Ints:
        """(queries,): how many documents are relevant."""
        return cast(Ints, (self.ideal > 0).sum(axis=1))


def order(scores: Floats, documents: Ints) -> Ints:
    """(queries, places): the columns of each row in the order of trec_eval. ``documents`` are numbers below 2^32 in the
    order of the documents' ids, one row for all queries or one for each. `ValueError` for a score that is NaN."""
    with np.errstate(over="ignore"):
        single = scores.astype(np.float32)
    if np.isnan(single).any():
        raise ValueError("scores: one is NaN, which has no place in an order")
    single += np.float32(0)  # -0.0 is 0.0
    bits = single.view(np.uint32)
    # Floats as unsigned integers of the same order: all bits of negative ones turned, else the sign's alone.
    ascending = bits ^ np.where(bits >> 31, np.uint32(0xFFFFFFFF), np.uint32(0x80000000))
    keys = (ascending.astype(np.uint64) << np.uint64(32)) | documents.astype(np.uint64)
    return cast(Ints, np.argsort(keys, axis=1)[:, ::-1])


def ranked(rankings: Sequence[Sequence[str]], judged: Sequence[Mapping[str, int]]) -> Ranked:
    """Of rankings (ids, best first) and of what was judged of each query."""
    width = max((len(ranking) for ranking in rankings), default=0)
    relevance = np.full((len(rankings), width), UNJUDGED, dtype=np.int64)
    for row, (ranking, grades) in enumerate(zip(rankings, judged, strict=True)):
        relevance[row, : len(ranking)] = [max(UNJUDGED, grades.get(document, UNJUDGED)) for document in ranking]
    best = [sorted((grade for grade in grades.values() if grade > 0), reverse=True) for grades in judged]
    ideal = np.zeros((len(judged), max(map(len, best), default=0)), dtype=np.int64)
    for row, line in enumerate(best):
        ideal[row, : len(line)] = line
    nonrelevant = np.array([sum(grade == 0 for grade in grades.values()) for grades in judged], dtype=np.int64)
    return Ranked(relevance, ideal, nonrelevant)


def ranking(scores: Mapping[str, float]) -> list[str]:
    """Documents by score, in the order of trec_eval."""
    documents = sorted(scores)
    if not documents:
        return []
    row = np.array([[scores[each] for each in documents]], dtype=np.float64)
    return [documents[place] for place in order(row, np.arange(len(documents)))[0]]
