"""The index against a plain list: the same nearest entries through additions, expiry, eviction and removal."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.caching.semantic.index import SemanticIndex, Vector

_SIZE = 16
_DICE = np.random.default_rng(3)
_POOL = [row / np.linalg.norm(row) for row in _DICE.standard_normal((40, _SIZE)).astype(np.float32)]

_STEP = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 1), st.integers(0, 11), st.integers(0, 39), st.integers(1, 9)),
    st.tuples(st.just("look"), st.integers(0, 1), st.integers(0, 39)),
    st.tuples(st.just("remove"), st.integers(0, 11)),
    st.tuples(st.just("wait"), st.integers(1, 4)),
)


class Plain:
    """What an index should do, the slow way."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.entries: dict[bytes, tuple[bytes, Vector, float]] = {}

    def add(self, namespace: bytes, key: bytes, vector: Vector, expires_s: float) -> None:
        self.entries.pop(key, None)
        self.entries[key] = (namespace, vector, expires_s)
        while len(self.entries) > self.most:
            del self.entries[next(iter(self.entries))]

    def near(self, namespace: bytes, vector: Vector, least: float, now_s: float) -> dict[bytes, float]:
        found = {
            key: float(theirs @ vector)
            for key, (theirs_in, theirs, expires_s) in self.entries.items()
            if theirs_in == namespace and expires_s > now_s
        }
        return {key: similarity for key, similarity in found.items() if similarity >= least}


@given(st.lists(_STEP, max_size=60), st.integers(1, 8))
def test_it_finds_what_a_plain_list_finds(steps: list[tuple[int, ...]], most: int) -> None:
    index, plain, now_s = SemanticIndex(most), Plain(most), 0.0
    for kind, *rest in steps:
        match kind, rest:
            case "add", (where, key, vector, seconds):
                name = bytes([key])
                index.add(bytes([where]), name, _POOL[vector], key, expires_s=now_s + seconds)
                plain.add(bytes([where]), name, _POOL[vector], now_s + seconds)
            case "look", (where, vector):
                hits = index.nearest(bytes([where]), _POOL[vector], least=0.2, most=9, now_s=now_s)
                wanted = plain.near(bytes([where]), _POOL[vector], 0.2, now_s)
                close = {hit.key for hit in hits} ^ set(wanted)
                assert all(abs(wanted.get(key, 0.2) - 0.2) < 1e-3 for key in close), "but for rounding at the edge"
                similarities = [hit.similarity for hit in hits]
                assert similarities == sorted(similarities, reverse=True)
                assert all(hit.about == hit.key[0] for hit in hits)
                for key in [key for key, entry in plain.entries.items() if entry[2] <= now_s]:
                    if key not in index._namespace_of:
                        del plain.entries[key]  # met and gone: it takes no place any more
            case "remove", (key,):
                index.remove(bytes([key]))
                plain.entries.pop(bytes([key]), None)
            case "wait", (seconds,):
                now_s += seconds
        assert len(index) == len(plain.entries) <= most


def test_the_nearest_of_many_is_found(near: Callable[[Vector, float], Vector]) -> None:
    dice = np.random.default_rng(5)
    vectors = dice.standard_normal((5000, 64)).astype(np.float32) + 0.5  # crowded into a part of the sphere
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = SemanticIndex(10_000)
    for number, vector in enumerate(vectors):
        index.add(b"n", number.to_bytes(4, "big"), vector, number, expires_s=1.0)
    for number in range(0, 5000, 250):
        hits = index.nearest(b"n", near(vectors[number], 0.9), least=0.85, most=1, now_s=0.0)
        assert [hit.about for hit in hits] == [number]
        assert hits[0].similarity == pytest.approx(0.9, abs=0.002)


@pytest.fixture
def near() -> Callable[[Vector, float], Vector]:
    """A unit vector at that cosine from another."""
    dice = np.random.default_rng(9)

    def build(vector: Vector, cosine: float) -> Vector:
        other = dice.standard_normal(len(vector)).astype(np.float32)
        other -= (other @ vector) * vector
        other /= np.linalg.norm(other)
        found: Vector = cosine * vector + np.sqrt(1 - cosine**2).astype(np.float32) * other
        return found

    return build


def test_vectors_of_another_model_are_refused() -> None:
    index = SemanticIndex(10)
    index.add(b"n", b"k", _POOL[0], None, expires_s=1.0)
    with pytest.raises(ValueError, match="a vector of 3 numbers; those before had 16"):
        index.add(b"n", b"l", np.ones(3, np.float32), None, expires_s=1.0)
