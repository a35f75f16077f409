"""What has shifted between two windows of calls: each aspect with the size of its shift and a test whether it is real.

A shift counts where both say so: with many calls every p-value is small, with few any size is chance. Six aspects are
tested at 0.01 / 6 each, so that a look at windows that are alike raises a false alarm once in a hundred times.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ...statistics.drift import centroid_distance, chi_square, kolmogorov_smirnov, psi
from ..output import Output
from ..scorers.refusal import is_refusal
from .exchange import ASPECTS, Aspect, Exchange, Finding, Measure
from .language import language_of
from .topics import Vectors, hashed, shares, unit

MUCH = 0.25
ALPHA = 0.01 / len(ASPECTS)
_NO_TEXTS = "texts were captured of too few calls"
Embedded = Sequence[Sequence[float]]


def compare(
    reference: Sequence[Exchange],
    current: Sequence[Exchange],
    *,
    least: int = 100,
    vectors: tuple[Embedded, Embedded] | None = None,
) -> list[Finding]:
    """All aspects. ``vectors``: embeddings of prompts of both windows, where there is a model for them; ``least``: with
    fewer calls in a window nothing is said."""
    found = [
        _lengths("prompt_tokens", reference, current, least, lambda each: each.tokens_in),
        _lengths("output_tokens", reference, current, least, lambda each: each.tokens_out),
        _refusals(reference, current, least),
    ]
    before = [each.asked for each in reference if each.asked]
    now = [each.asked for each in current if each.asked]
    found.append(_languages(before, now, least))
    if min(len(before), len(now)) < least:
        found.append(_nothing("topics", len(before), len(now), _NO_TEXTS))
    else:
        found.append(_groups("topics", hashed(before), hashed(now)))
    if vectors is not None:
        first, second = (unit(np.asarray(side, dtype=np.float64)) for side in vectors)
        if min(len(first), len(second)) < least:
            found.append(_nothing("embeddings", len(first), len(second), _NO_TEXTS))
        else:
            away = f", centroid {centroid_distance(first, second):.2f} away"
            found.append(_groups("embeddings", first, second, away))
    return found


def _lengths(
    aspect: Aspect,
    reference: Sequence[Exchange],
    current: Sequence[Exchange],
    least: int,
    length: Callable[[Exchange], int],
) -> Finding:
    before, now = [length(each) for each in reference], [length(each) for each in current]
    if min(len(before), len(now)) < least:
        return _nothing(aspect, len(before), len(now), "too few calls")
    edges = np.unique(np.quantile(before, np.arange(0.1, 1.0, 0.1)))
    first, second = (Counter(map(str, np.searchsorted(edges, side, side="left").tolist())) for side in (before, now))
    return _finding(
        aspect,
        psi(first, second),
        kolmogorov_smirnov(before, now).p_value,
        (len(before), len(now)),
        (f"median {np.median(before):g}", f"median {np.median(now):g}"),
    )


def _refusals(reference: Sequence[Exchange], current: Sequence[Exchange], least: int) -> Finding:
    before, now = [_refused(each) for each in reference], [_refused(each) for each in current]
    first, second = ([each for each in side if each is not None] for side in (before, now))
    if min(len(first), len(second)) < least:
        return _nothing("refusals", len(first), len(second), "of too few calls it is known how they ended")
    p, q = sum(first) / len(first), sum(second) / len(second)
    size = abs(2 * math.asin(math.sqrt(q)) - 2 * math.asin(math.sqrt(p)))
    counts = [{"yes": sum(side), "no": len(side) - sum(side)} for side in (first, second)]
    p_value = chi_square(*counts).p_value if p != q else 1.0
    return _finding("refusals", size, p_value, (len(first), len(second)), (f"{p:.1%}", f"{q:.1%}"), measure="cohen_h")


def _refused(each: Exchange) -> bool | None:
    """By the provider's word, and by the answer's where it was captured."""
    if each.answered is None and each.finish_reason is None:
        return None
    return is_refusal(Output(text=each.answered, finish_reason=each.finish_reason))


def _languages(before: Sequence[str], now: Sequence[str], least: int) -> Finding:
    if min(len(before), len(now)) < least:
        return _nothing("languages", len(before), len(now), _NO_TEXTS)
    first, second = Counter(map(language_of, before)), Counter(map(language_of, now))
    return _finding(
        "languages",
        psi(first, second),
        chi_square(first, second).p_value,
        (len(before), len(now)),
        (_largest(first), _largest(second)),
    )


def _groups(aspect: Aspect, first: Vectors, second: Vectors, more: str = "") -> Finding:
    before, now = shares(first, second)
    words = _spread(before), _spread(now) + more
    return _finding(aspect, psi(before, now), chi_square(before, now).p_value, (len(first), len(second)), words)


def _spread(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    largest = max(counts.values(), default=0)
    return f"{len(counts)} groups, the largest {largest / total:.0%}" if total else ""


def _largest(counts: Counter[str]) -> str:
    total = sum(counts.values())
    return ", ".join(f"{name} {count / total:.0%}" for name, count in counts.most_common(3))


def _finding(
    aspect: Aspect,
    size: float,
    p_value: float,
    counts: tuple[int, int],
    words: tuple[str, str],
    *,
    measure: Measure = "psi",
) -> Finding:
    return Finding(
        aspect=aspect,
        size=round(size, 6),
        measure=measure,
        p_value=p_value,
        is_shifted=size >= MUCH and p_value <= ALPHA,
        is_real=p_value <= ALPHA,
        n_reference=counts[0],
        n_current=counts[1],
        before=words[0],
        now=words[1],
    )


def _nothing(aspect: Aspect, n_reference: int, n_current: int, why: str) -> Finding:
    return Finding(aspect=aspect, n_reference=n_reference, n_current=n_current, note=why)
