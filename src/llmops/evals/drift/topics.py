"""Groups of texts that are about alike: k-means over unit vectors, of hashed words or of a model's embeddings.

The groups have no names and no words are kept of them: they are there to see whether shares move. They are found in one
half of the reference and counted in the other, since a half that has formed the groups fits them better than any new
text does.
"""

import re
import zlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .language import SMALL_WORDS

Vectors = NDArray[np.float64]
_WORD = re.compile(r"\w{3,}")
_CHARS, _DIMENSIONS, _ROUNDS, _MOST_GROUPS, _LEAST_OF_GROUP = 4_000, 512, 20, 12, 25
_STOP = frozenset().union(*SMALL_WORDS.values())


def hashed(texts: Sequence[str]) -> Vectors:
    """Unit vectors of hashed words, damped so that no repeated word is all of a text; shape (n, 512)."""
    vectors = np.zeros((len(texts), _DIMENSIONS))
    for row, text in enumerate(texts):
        words = Counter(word for word in _WORD.findall(text[:_CHARS].lower()) if word not in _STOP)
        for word, count in words.items():
            vectors[row, zlib.crc32(word.encode("utf-8", "replace")) % _DIMENSIONS] += count**0.5
    return unit(vectors)


def unit(vectors: Vectors) -> Vectors:
    """Each row of length 1; zeros stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0))


def shares(reference: Vectors, current: Vectors, *, seed: int = 0) -> tuple[dict[str, int], dict[str, int]]:
    """How many texts of each window are in which group."""
    order = np.random.default_rng(seed).permutation(len(reference))
    forming, counted = reference[order[::2]], reference[order[1::2]]
    centres = _centres(forming, max(2, min(_MOST_GROUPS, len(forming) // _LEAST_OF_GROUP)), seed)
    return _counts(counted, centres), _counts(current, centres)


def _centres(vectors: Vectors, count: int, seed: int) -> Vectors:
    rng = np.random.default_rng(seed)
    centres = vectors[[int(rng.integers(len(vectors)))]]
    while len(centres) < count:  # k-means++: far from those there are
        far = np.clip(1 - (vectors @ centres.T).max(axis=1), 0, None)
        total = float(far.sum())
        if total <= 1e-9:
            break
        centres = np.vstack([centres, vectors[rng.choice(len(vectors), p=far / total)]])
    for _ in range(_ROUNDS):
        nearest = (vectors @ centres.T).argmax(axis=1)
        moved = np.zeros_like(centres)
        np.add.at(moved, nearest, vectors)
        moved = unit(np.where(np.linalg.norm(moved, axis=1, keepdims=True) > 0, moved, centres))
        if np.allclose(moved, centres):
            break
        centres = moved
    return centres


def _counts(vectors: Vectors, centres: Vectors) -> dict[str, int]:
    found = np.bincount((vectors @ centres.T).argmax(axis=1), minlength=len(centres))
    return {str(group): int(count) for group, count in enumerate(found)}
