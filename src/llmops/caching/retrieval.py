"""What a search of a knowledge base found, kept for the next who searches the same: ``Stack.retrieval``.

::

    found = await stack.retrieval.get_or_retrieve(
        tenant="acme", knowledge="handbook@2024-11", query="holidays", settings={"k": 8}, retrieve=search
    )

The key covers tenant, knowledge base with its version, query and settings, so that a new version is never answered from
an old one; ``Selector(knowledge="handbook")`` lets go of all versions at once. Results are plain data (what JSON can
hold); a retrieval that fails is not kept. Identical retrievals at the same time are one.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from ..clock import Clock
from ..store.answers.answers import Answers
from ..store.answers.labels import Labels, Selector
from .fingerprint import Fingerprints

_FORMAT = b"\x01r"
_ANY = "retrieval"


class _Found(msgspec.Struct, frozen=True, array_like=True):
    fresh_until_s: float
    results: Any


_DECODER = msgspec.msgpack.Decoder(_Found)
_encode_sorted = msgspec.json.Encoder(order="deterministic").encode


def _decode(data: bytes) -> _Found:
    return _DECODER.decode(memoryview(data)[len(_FORMAT) :])


class RetrievalCache:
    """``retrieve`` is whatever searches: called without arguments, once for all who ask the same at the same time."""

    def __init__(self, answers: Answers, fingerprints: Fingerprints, clock: Clock, ttl_s: float) -> None:
        self.hits = self.misses = 0
        self._answers = answers
        self._fingerprints = fingerprints
        self._clock = clock
        self._ttl_s = ttl_s
        self._under_way: dict[bytes, tuple[Labels, asyncio.Task[bytes]]] = {}

    async def get_or_retrieve(
        self,
        *,
        tenant: str,
        knowledge: str,
        query: str,
        retrieve: Callable[[], Awaitable[Any]],
        settings: Mapping[str, Any] | None = None,
    ) -> Any:
        """The results for a query. ``knowledge`` is ``name@version``; `ValueError` without a version."""
        name, at, version = knowledge.partition("@")
        if not (name and at and version):
            raise ValueError(f"knowledge {knowledge!r} names no version; write it as name@version")
        key = self._fingerprints.of_value(_ANY, tenant, knowledge, query, _encode_sorted(settings or {}).decode())
        found = self._answers.get(key)
        known = self._read(await found if inspect.isawaitable(found) else found)
        if known is not None:
            self.hits += 1
            return known.results
        under_way = self._under_way.get(key)
        if under_way is not None:
            task = under_way[1]
        else:
            self.misses += 1
            labels = Labels(tenant=tenant, model=_ANY, knowledge=knowledge)
            task = asyncio.get_running_loop().create_task(self._retrieve(key, labels, retrieve))
            self._under_way[key] = labels, task
            task.add_done_callback(lambda done: self._landed(key, done))
        return _decode(await asyncio.shield(task)).results  # to each its own

    def let_off(self, selectors: Sequence[Selector]) -> None:
        """Nobody gets on a search any more that began before these words."""
        for key, (labels, _) in list(self._under_way.items()):
            if any(selector.selects(labels) for selector in selectors):
                del self._under_way[key]

    async def _retrieve(self, key: bytes, labels: Labels, retrieve: Callable[[], Awaitable[Any]]) -> bytes:
        began_s = self._clock.now_s()
        results = await retrieve()
        fresh_until_s = self._clock.now_s() + self._ttl_s
        data = _FORMAT + msgspec.msgpack.encode(_Found(fresh_until_s, results))
        self._answers.put(key, data, labels, began_s=began_s, expires_s=fresh_until_s)
        return data

    def _landed(self, key: bytes, task: "asyncio.Task[bytes]") -> None:
        under_way = self._under_way.get(key)
        if under_way is not None and under_way[1] is task:
            del self._under_way[key]
        if not task.cancelled():
            task.exception()  # whoever waited has it; where nobody did, nobody is warned of it either

    def _read(self, data: bytes | None) -> _Found | None:
        if data is None or not data.startswith(_FORMAT):
            return None
        try:
            found = _decode(data)
        except msgspec.DecodeError:
            return None
        return found if self._clock.now_s() < found.fresh_until_s else None
