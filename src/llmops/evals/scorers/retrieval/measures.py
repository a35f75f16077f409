"""The names of the measures of a ranking: ``mrr``, ``ndcg_linear@10``.

Two things that others call nDCG are two names here, by their gain: ``ndcg_linear`` (the relevance itself: Järvelin and
Kekäläinen, trec_eval) and ``ndcg_burges`` (2^relevance - 1). ``map`` divides by all relevant documents, as trec_eval
does; what RAGAS calls context precision divides by those retrieved, and is a scorer of its own.
"""

from difflib import get_close_matches
from typing import Literal, NamedTuple, cast, get_args

Kind = Literal["hit", "mrr", "precision", "recall", "map", "ndcg_linear", "ndcg_burges", "r_precision", "bpref"]
_CUT_NEEDED = {"hit", "precision", "recall"}
_NEVER_CUT = {"r_precision", "bpref"}


class Measure(NamedTuple):
    kind: Kind
    cut: int | None

    def __str__(self) -> str:
        return self.kind if self.cut is None else f"{self.kind}@{self.cut}"


def measure_of(name: str) -> Measure:
    """`ValueError` says what is wrong with a name, and the nearest that is right."""
    kind, at, cut = name.partition("@")
    kinds = get_args(Kind)
    if kind not in kinds:
        near = get_close_matches(kind, kinds, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"one of {', '.join(kinds)}"
        raise ValueError(f"{name!r}: no such measure; {hint}")
    if at and (not cut.isdecimal() or not 0 < int(cut) <= 1_000_000):
        raise ValueError(f"{name!r}: behind the @ stands how many documents are looked at, such as {kind}@10")
    if not at and kind in _CUT_NEEDED:
        raise ValueError(f"{name!r}: says nothing without a cut, such as {kind}@10")
    if at and kind in _NEVER_CUT:
        raise ValueError(f"{name!r}: looks at the whole ranking, so it is plain {kind!r}")
    return Measure(cast(Kind, kind), int(cut) if at else None)
