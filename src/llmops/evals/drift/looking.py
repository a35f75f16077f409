"""One look at a watch: both windows are read, compared, and told as a report."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from ...errors import ConfigError
from ..scorers.rag.embedder import Embedder
from .exchange import DriftReport, Exchange, Window

_EMBEDDED, _AT_ONCE, _TEXT_CHARS = 400, 50, 4_000


class Calls(Protocol):
    """`repository.drift.DriftRepository`."""

    def sample(
        self, where: Mapping[str, str], since_s: float, until_s: float, limit: int
    ) -> tuple[int, list[Exchange]]: ...


async def look(
    calls: Calls,
    watch: str,
    where: Mapping[str, str],
    reference: tuple[float, float],
    current: tuple[float, float],
    now_s: float,
    *,
    least: int = 100,
    most: int = 2000,
    embedder: Embedder | None = None,
) -> DriftReport:
    """``reference`` and ``current`` are from and to, in seconds since 1970. Raises what the database or the embedding
    model does, and `ConfigError` without the libraries."""
    count_before, before = await asyncio.to_thread(calls.sample, where, *reference, most)
    count_now, now = await asyncio.to_thread(calls.sample, where, *current, most)
    vectors = None
    if embedder is not None:
        vectors = (await _embedded(embedder, before), await _embedded(embedder, now))
    try:
        from .comparison import compare
    except ImportError as exc:
        raise ConfigError([f"{exc.name} is not installed; pip install 'llmops-lab[evals]'"], source="drift") from exc
    return DriftReport(
        watch=watch,
        at_s=now_s,
        where=dict(where),
        reference=_window(reference, count_before, before),
        current=_window(current, count_now, now),
        findings=await asyncio.to_thread(lambda: compare(before, now, least=least, vectors=vectors)),
    )


def _window(bounds: tuple[float, float], count: int, found: Sequence[Exchange]) -> Window:
    with_texts = sum(each.asked is not None for each in found)
    return Window(since_s=bounds[0], until_s=bounds[1], calls=count, looked_at=len(found), with_texts=with_texts)


async def _embedded(embedder: Embedder, found: Sequence[Exchange]) -> Sequence[Sequence[float]]:
    texts = [each.asked[:_TEXT_CHARS] for each in found if each.asked][:_EMBEDDED]
    vectors: list[Sequence[float]] = []
    for begin in range(0, len(texts), _AT_ONCE):
        vectors += await embedder.embed(texts[begin : begin + _AT_ONCE])
    return vectors
