"""Many metrics, one decision: BLOCK is corrected for the number of chances to be wrong, PASS needs no correction.

PASS asks every metric to be non-inferior, an intersection-union test that keeps its level as it is. BLOCK by any of m
metrics goes through Holm; exploratory slices through Benjamini-Hochberg, as advice only.
"""

from collections.abc import Mapping, Sequence

import msgspec

from .verdict import Finding, Verdict, judge


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values in the given order; rejecting those <= alpha keeps the family-wise error (Holm 1979)."""
    order = _ascending(p_values)
    adjusted, highest = [0.0] * len(order), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values in the given order; rejecting those <= q keeps the false discovery rate at q (1995)."""
    order = _ascending(p_values)
    adjusted, lowest = [0.0] * len(order), 1.0
    for rank in range(len(order), 0, -1):
        index = order[rank - 1]
        lowest = min(lowest, len(order) / rank * p_values[index])
        adjusted[index] = lowest
    return adjusted


def corrected(findings: Mapping[str, Finding]) -> dict[str, Finding]:
    """The same findings with Holm's p-values and the verdicts that these leave; a BLOCK may become another.

    A metric in ERROR counts as a test that showed nothing.
    """
    adjusted = holm([1.0 if found.p_value is None else found.p_value for found in findings.values()])
    return {
        name: _with_p(found, p) if found.verdict is not Verdict.ERROR else found
        for (name, found), p in zip(findings.items(), adjusted, strict=True)
    }


def overall(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict on all metrics: any BLOCK, else any ERROR, else PASS only if all pass. No metric at all: ERROR."""
    for decisive in (Verdict.BLOCK, Verdict.ERROR, Verdict.INCONCLUSIVE):
        if decisive in verdicts:
            return decisive
    return Verdict.PASS if verdicts else Verdict.ERROR


def _with_p(found: Finding, p: float) -> Finding:
    if found.estimate is None or found.p_value is None or p == found.p_value:
        return found
    verdict, reason = judge(
        found.estimate, found.lower, p, margin=found.margin, least_effect=found.least_effect, alpha=found.alpha
    )
    return msgspec.structs.replace(found, verdict=verdict, reason=reason, p_value=p, method=f"{found.method}, Holm")


def _ascending(p_values: Sequence[float]) -> list[int]:
    for p in p_values:
        if not 0 <= p <= 1:
            raise ValueError(f"{p!r} is no p-value; it has to be from 0 to 1")
    return sorted(range(len(p_values)), key=p_values.__getitem__)
