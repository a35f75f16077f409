"""Texts as vectors; handed in by whoever composes."""

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable


class Embedder(Protocol):
    @property
    def version(self) -> str: ...

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """One vector for each text, all of one length."""
        ...


@runtime_checkable
class PricedEmbedder(Protocol):
    """An embedder that says what a call cost, in nano-dollars; None: nobody knows."""

    async def embed_priced(self, texts: Sequence[str]) -> tuple[Sequence[Sequence[float]], int | None]: ...


async def embed_priced(embedder: Embedder, texts: Sequence[str]) -> tuple[Sequence[Sequence[float]], int | None]:
    """The vectors and their cost; one that names no price has none."""
    if isinstance(embedder, PricedEmbedder):
        return await embedder.embed_priced(texts)
    return await embedder.embed(texts), 0


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """0 where a vector is all 0. `ValueError` for vectors of two lengths, or that are no figures."""
    if len(one) != len(other):
        raise ValueError(f"vectors of {len(one)} and {len(other)} numbers cannot be compared")
    norm = math.hypot(*one) * math.hypot(*other)
    if not math.isfinite(norm):
        raise ValueError("a vector holds NaN or infinity")
    return sum(a * b for a, b in zip(one, other, strict=True)) / norm if norm else 0.0
