"""Average precision over what was retrieved, as RAGAS' context precision has it.

Divided by the relevant ones that were retrieved, not by all there are: it says whether good ones stand first and not
whether any are missing. `retrieval.batch` has the other one, ``map``.
"""

from collections.abc import Sequence

RAGAS_EPSILON = 1e-10


def average_precision(verdicts: Sequence[bool], *, ragas_compat: bool = False) -> float:
    """``verdicts`` in the retriever's order. 0 if none is relevant. RAGAS adds 1e-10 to the divisor, which makes
    0.9999999999 of 1."""
    found = 0
    total = 0.0
    for place, relevant in enumerate(verdicts, 1):
        if relevant:
            found += 1
            total += found / place
    if ragas_compat:
        return total / (found + RAGAS_EPSILON)
    return total / found if found else 0.0
