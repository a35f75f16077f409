"""Which of the kept questions lie nearest: a sketch of 256 bits for each, then the nearest few compared exactly.

A sketch is the signs of the vector's projections on random directions; its distance to another follows the angle
between the vectors (Charikar 2002, "Similarity estimation techniques from rounding algorithms"). Comparing sketches is
four passes over contiguous words, so that 100,000 take under a millisecond on one core whatever the vectors' size, and
multiplying by all of them takes twenty times that. A graph is quicker to search, but an insertion takes several
times as long as here, and what is taken out stays in it.

Each namespace has arrays of its own. Over all of them the oldest entry goes when there are too many. Time is handed
in. Not thread-safe; kept in this process alone, and gone with it.
"""

import math
from collections import OrderedDict
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
_BITS = 256
_WORDS = _BITS // 64
_SEED = 20_260_101
_NEAREST = 64
"""How many are compared exactly."""
_FIRST_ROOM = 4
_BLOCK = 16_384
"""Rows at a time, so that what is worked on stays in the core's cache."""
_DIFFERING, _DIFFERING_BITS = np.empty(_BLOCK, np.uint64), np.empty(_BLOCK, np.uint8)
_DEVIATIONS = 4.0


class Hit(msgspec.Struct, frozen=True, gc=False):
    """An entry near what was asked: ``similarity`` is the cosine, ``about`` whatever was kept with it."""

    key: bytes
    similarity: float
    about: Any


class SemanticIndex:
    """Unit vectors by key. The first one added settles how long they are."""

    def __init__(self, max_entries: int) -> None:
        self.max_entries = max_entries
        self.dropped_oldest = 0
        self._shelves: dict[bytes, _Shelf] = {}
        self._namespace_of: OrderedDict[bytes, bytes] = OrderedDict()
        """Of each key, in the order in which they came."""
        self._directions: Vector | None = None

    def __len__(self) -> int:
        return len(self._namespace_of)

    def holds(self, namespace: bytes) -> bool:
        """Whether a look-up there could find anything."""
        return namespace in self._shelves

    def add(self, namespace: bytes, key: bytes, vector: Vector, about: object, *, expires_s: float) -> None:
        """Keep a unit vector; raises `ValueError` for one of another length than those before."""
        self.remove(key)
        sketch = self._sketch(vector)
        shelf = self._shelves.get(namespace)
        if shelf is None:
            shelf = self._shelves[namespace] = _Shelf(len(vector))
        shelf.add(_Entry(key, expires_s, about), vector, sketch)
        self._namespace_of[key] = namespace
        while len(self._namespace_of) > self.max_entries:
            self.remove(next(iter(self._namespace_of)))
            self.dropped_oldest += 1

    def nearest(self, namespace: bytes, vector: Vector, *, least: float, most: int, now_s: float) -> list[Hit]:
        """The up to ``most`` nearest whose similarity is at least ``least``, nearest first. What has expired and is met
        goes."""
        shelf = self._shelves.get(namespace)
        if shelf is None:
            return []
        hits, expired = shelf.nearest(vector, self._sketch(vector), least, most, now_s)
        for key in expired:
            self.remove(key)
        return hits

    def remove(self, key: bytes) -> None:
        namespace = self._namespace_of.pop(key, None)
        if namespace is not None:
            shelf = self._shelves[namespace]
            shelf.remove(key)
            if not shelf.entries:
                del self._shelves[namespace]

    def clear(self) -> None:
        self._shelves.clear()
        self._namespace_of.clear()

    def _sketch(self, vector: Vector) -> NDArray[np.uint64]:
        directions = self._directions
        if directions is None:
            dice = np.random.default_rng(_SEED)
            directions = self._directions = dice.standard_normal((_BITS, len(vector)), dtype=np.float32)
        if directions.shape[1] != len(vector):
            raise ValueError(f"a vector of {len(vector)} numbers; those before had {directions.shape[1]}")
        return np.packbits(directions @ vector > 0).view(np.uint64)


class _Entry(msgspec.Struct, gc=False):
    key: bytes
    expires_s: float
    about: Any


class _Shelf:
    """One namespace: rows without gaps, each sketch spread over four columns."""

    def __init__(self, size: int) -> None:
        self.entries: list[_Entry] = []
        self._rows: dict[bytes, int] = {}
        self._vectors = np.empty((_FIRST_ROOM, size), np.float16)  # half the memory; a cosine is off by 0.0001
        self._sketches = np.empty((_WORDS, _FIRST_ROOM), np.uint64)
        self._distances = np.empty(0, np.uint16)

    def add(self, entry: _Entry, vector: Vector, sketch: NDArray[np.uint64]) -> None:
        row = len(self.entries)
        if row == len(self._vectors):
            self._grow()
        self.entries.append(entry)
        self._rows[entry.key] = row
        self._vectors[row] = vector
        self._sketches[:, row] = sketch

    def remove(self, key: bytes) -> None:
        """The last row takes the place of the one that goes."""
        row, last = self._rows.pop(key), len(self.entries) - 1
        entry = self.entries.pop()
        if row != last:
            self.entries[row] = entry
            self._rows[entry.key] = row
            self._vectors[row] = self._vectors[last]
            self._sketches[:, row] = self._sketches[:, last]

    def nearest(
        self, vector: Vector, sketch: NDArray[np.uint64], least: float, most: int, now_s: float
    ) -> tuple[list[Hit], list[bytes]]:
        """What is near, and the keys of those that have expired among what was looked at."""
        rows = self._candidates(sketch, least)
        similarities = self._vectors[rows].astype(np.float32) @ vector
        hits: list[Hit] = []
        expired: list[bytes] = []
        for place in np.argsort(-similarities):
            similarity = float(similarities[place])
            if similarity < least or len(hits) == most:
                break
            entry = self.entries[rows[place]]
            if entry.expires_s <= now_s:
                expired.append(entry.key)
            else:
                hits.append(Hit(entry.key, min(similarity, 1.0), entry.about))
        return hits, expired

    def _candidates(self, sketch: NDArray[np.uint64], least: float) -> NDArray[np.intp]:
        """The rows whose sketches differ in the fewest bits, and in no more than that similarity can explain."""
        count = len(self.entries)
        if count <= _NEAREST:
            return np.arange(count)
        if len(self._distances) < count:
            self._distances = np.empty(self._sketches.shape[1], np.uint16)
        for start in range(0, count, _BLOCK):
            block = slice(start, min(start + _BLOCK, count))
            distances = self._distances[block]
            differing, bits = _DIFFERING[: len(distances)], _DIFFERING_BITS[: len(distances)]
            distances[:] = 0
            for column, word in zip(self._sketches, sketch, strict=True):
                np.bitwise_xor(column[block], word, out=differing)
                np.bitwise_count(differing, out=bits)
                np.add(distances, bits, out=distances)
        distances = self._distances[:count]
        rows = np.flatnonzero(distances <= _radius(least))
        if len(rows) > _NEAREST:
            rows = rows[np.argpartition(distances[rows], _NEAREST)[:_NEAREST]]
        return rows

    def _grow(self) -> None:
        room = 2 * len(self._vectors)
        self._vectors = np.resize(self._vectors, (room, self._vectors.shape[1]))
        sketches = np.empty((_WORDS, room), np.uint64)
        sketches[:, : len(self.entries)] = self._sketches
        self._sketches = sketches


def _radius(similarity: float) -> float:
    """In how many bits sketches at that cosine differ at most, but for one in 30,000: each bit differs with the angle's
    share of a half turn."""
    share = math.acos(max(-1.0, min(similarity, 1.0))) / math.pi
    return _BITS * share + _DEVIATIONS * math.sqrt(_BITS * share * (1 - share)) + 1
