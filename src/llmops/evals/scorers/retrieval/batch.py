"""All measures of many rankings at once, as trec_eval computes them.

Only the places of relevant and of judged documents are looked at, found once per block of queries: a measure is a sum
over them. A query without a relevant document is 0 in every measure, as trec_eval has it; whoever means "cannot be
measured" leaves it out before.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import cast

import numpy as np

from .measures import Kind, Measure, measure_of
from .ranked import UNJUDGED, Floats, Ints, Ranked, order, ranked, ranking

_BLOCK = 512
"""Queries at a time: what is looked at stays in the processor's cache."""


def evaluate(
    run: Mapping[str, Mapping[str, float]], judged: Mapping[str, Mapping[str, int]], measures: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Query → measure → value, for the queries that are in both: documents' scores and judgements by query."""
    queries = [query for query in run if query in judged]
    table = ranked([ranking(run[query]) for query in queries], [judged[query] for query in queries])
    values = measure(table, measures)
    return {query: {name: float(values[name][row]) for name in measures} for row, query in enumerate(queries)}


def evaluate_arrays(
    scores: Floats, relevance: Ints, measures: Sequence[str], *, documents: Ints | None = None
) -> dict[str, Floats]:
    """Measure → value of each query, where each query scored the same number of documents and all relevant ones.

    ``scores`` and ``relevance`` are (queries, documents); ``documents`` as in `order`, by default the columns' numbers.
    """
    numbers = np.arange(scores.shape[1]) if documents is None else documents
    parts = []
    for start in range(0, len(scores), _BLOCK):
        block = slice(start, start + _BLOCK)
        own = numbers if numbers.ndim == 1 else numbers[block]
        grades = np.maximum(relevance[block], UNJUDGED)
        placed = np.take_along_axis(grades, order(scores[block], own), axis=1)
        most = int((grades > 0).sum(axis=1).max(initial=0))
        ideal = -np.partition(-grades, most - 1, axis=1)[:, :most] if most else grades[:, :0]
        ideal = -np.sort(-np.maximum(ideal, 0), axis=1)
        parts.append(measure(Ranked(placed, ideal, (grades == 0).sum(axis=1)), measures))
    return {name: np.concatenate([part[name] for part in parts]) for name in measures}


def measure(table: Ranked, measures: Sequence[str]) -> dict[str, Floats]:
    """Measure → value of each query. `ValueError` for a measure that there is not."""
    wanted = {name: measure_of(name) for name in measures}
    parts = []
    for start in range(0, max(1, len(table.relevance)), _BLOCK):
        block = _Block(Ranked(*(part[start : start + _BLOCK] for part in table)))
        parts.append({name: block.value(each) for name, each in wanted.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in measures}


class _Block:
    """The relevant places of some queries: query, place (from 0), grade, and the how manyth of its query (from 1)."""

    def __init__(self, table: Ranked) -> None:
        self._table = table
        self._queries, self._places = table.relevance.shape
        flat = np.flatnonzero(table.relevance > 0)
        self._flat = flat
        self._query, self._place = np.divmod(flat, max(1, self._places))
        self._grade = table.relevance.ravel()[flat].astype(np.float64)
        found = np.bincount(self._query, minlength=self._queries)
        self._nth = np.arange(1, len(flat) + 1) - (np.cumsum(found) - found)[self._query]
        self._relevant = table.relevant.astype(np.float64)

    def value(self, measure: Measure) -> Floats:
        return _COMPUTE[measure.kind](self, measure.cut)

    def _sum(self, weights: Floats | None, cut: int | None) -> Floats:
        query = self._query
        if cut is not None and cut < self._places:
            near = self._place < cut
            query, weights = query[near], None if weights is None else weights[near]
        return np.bincount(query, weights, minlength=self._queries).astype(np.float64)

    def _per_relevant(self, total: Floats) -> Floats:
        return np.divide(total, self._relevant, out=np.zeros_like(total), where=self._relevant > 0)

    def hit(self, cut: int | None) -> Floats:
        return (self._sum(None, cut) > 0).astype(np.float64)

    def mrr(self, cut: int | None) -> Floats:
        return self._sum((self._nth == 1) / (self._place + 1), cut)

    def precision(self, cut: int | None) -> Floats:
        assert cut is not None
        return self._sum(None, cut) / cut

    def recall(self, cut: int | None) -> Floats:
        return self._per_relevant(self._sum(None, cut))

    def average_precision(self, cut: int | None) -> Floats:
        return self._per_relevant(self._sum(self._nth / (self._place + 1), cut))

    def r_precision(self, cut: int | None) -> Floats:
        near = self._place < self._relevant[self._query]
        return self._per_relevant(np.bincount(self._query[near], minlength=self._queries).astype(np.float64))

    def ndcg_linear(self, cut: int | None) -> Floats:
        return self._ndcg(self._grade, self._table.ideal.astype(np.float64), cut)

    def ndcg_burges(self, cut: int | None) -> Floats:
        return self._ndcg(np.exp2(self._grade) - 1, np.exp2(self._table.ideal.astype(np.float64)) - 1, cut)

    def _ndcg(self, gains: Floats, ideal: Floats, cut: int | None) -> Floats:
        best = ideal[:, :cut]
        most: Floats = best @ (1 / np.log2(np.arange(best.shape[1]) + 2.0))
        reached = self._sum(gains / self._discount, cut)
        return np.divide(reached, most, out=np.zeros_like(reached), where=most > 0)

    @cached_property
    def _discount(self) -> Floats:
        return cast(Floats, np.log2(self._place + 2.0))

    def bpref(self, cut: int | None) -> Floats:
        """A relevant document counts less for each one above it that was judged not to be (Buckley, Voorhees 2004)."""
        nonrelevant = np.flatnonzero(self._table.relevance == 0)
        first = np.searchsorted(nonrelevant, self._query * self._places)
        above = np.minimum(np.searchsorted(nonrelevant, self._flat) - first, self._relevant[self._query])
        most = np.minimum(self._relevant, self._table.nonrelevant)[self._query]
        lost = np.divide(above, most, out=np.zeros(len(above)), where=above > 0)
        return self._per_relevant(self._sum(1 - lost, None))


_COMPUTE: dict[Kind, Callable[[_Block, int | None], Floats]] = {
    "hit": _Block.hit,
    "mrr": _Block.mrr,
    "precision": _Block.precision,
    "recall": _Block.recall,
    "map": _Block.average_precision,
    "ndcg_linear": _Block.ndcg_linear,
    "ndcg_burges": _Block.ndcg_burges,
    "r_precision": _Block.r_precision,
    "bpref": _Block.bpref,
}
