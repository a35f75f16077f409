"""``python -m benchmarks.retrieval_metrics``: all measures of 10,000 rankings of 1,000 documents, ours and trec_eval.

Ours reads arrays, which is what a retriever has. pytrec_eval (trec_eval in C) reads dictionaries of ids; only its
evaluation is timed, and on a share of the queries, since ten million entries take gigabytes.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from llmops.evals.scorers.retrieval.batch import evaluate, evaluate_arrays

MEASURES = (
    *("hit@10", "mrr", "mrr@10", "precision@10", "recall@10", "recall@100", "map", "map@100", "ndcg_linear"),
    *("ndcg_linear@10", "ndcg_burges", "ndcg_burges@10", "r_precision", "bpref"),
)
_THEIRS = {"success", "recip_rank", "P", "recall", "map", "map_cut", "ndcg", "ndcg_cut", "Rprec", "bpref"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--documents", type=int, default=1_000)
    parser.add_argument("--relevant", type=float, default=0.05, help="share of documents that are relevant")
    parser.add_argument("--peer-queries", type=int, default=200, help="for pytrec_eval; 0 leaves it out")
    asked = parser.parse_args()
    draw = np.random.default_rng(0)
    shape = (asked.queries, asked.documents)
    scores = draw.random(shape, dtype=np.float32)
    relevance = np.where(draw.random(shape) < asked.relevant, draw.integers(1, 4, shape), 0)
    seconds = min(_timed(lambda: evaluate_arrays(scores, relevance, MEASURES)) for _ in range(3))
    print(f"arrays: {len(MEASURES)} measures, {shape[0]:,} queries x {shape[1]:,} documents: {seconds:.2f} s")
    if not asked.peer_queries:
        return
    few = min(asked.peer_queries, asked.queries)
    run = {str(q): {f"d{d:06}": float(s) for d, s in enumerate(scores[q])} for q in range(few)}
    judged = {str(q): {f"d{d:06}": int(r) for d, r in enumerate(relevance[q])} for q in range(few)}
    print(f"dictionaries: {few:,} queries: {_timed(lambda: evaluate(run, judged, MEASURES)):.2f} s")
    import pytrec_eval

    evaluator = pytrec_eval.RelevanceEvaluator(judged, _THEIRS)
    print(f"pytrec_eval: {few:,} queries: {_timed(lambda: evaluator.evaluate(run)):.2f} s")


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
