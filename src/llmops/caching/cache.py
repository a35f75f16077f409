"""The cache's parts together: the store, the key, the calls under way, and what is counted of it.

It outlives a reload.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from ..store.answers.answers import Answers
from ..store.answers.labels import Labels, Selector
from ..types import Call
from .entry import Entry, Unreadable, read_entry, write_entry
from .fingerprint import Fingerprints
from .flight import Flight
from .retrieval import RetrievalCache

if TYPE_CHECKING:
    from .semantic.semantic import Semantic


class CacheRules(msgspec.Struct, frozen=True, kw_only=True):
    """How long an answer is given out (``ttl_s``), how long after that it may still be a last resort (``stale_s``), and
    how large it may be."""

    ttl_s: float = 300.0
    stale_s: float = 0.0
    max_entry_bytes: int = 512_000


class Cache:
    """One for each process."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.fingerprints: Fingerprints | None = None
        """Made when the cache is first switched on."""
        self.retrieval: RetrievalCache | None = None
        self.semantic: Semantic | None = None
        self.flights: dict[bytes, Flight] = {}
        self.unreadable = 0
        """Entries that were damaged or of another version: each was a miss."""
        self.too_large = 0
        """Answers that were passed on and not kept."""

    async def invalidate(self, selector: Selector) -> int | None:
        """As the store's; who asks afterwards does not get on a call either that began before."""
        count = await self.answers.invalidate(selector)
        self.let_off([selector])
        return count

    def let_off(self, selectors: Sequence[Selector]) -> None:
        """Nobody gets on a call any more that began before these words."""
        for key, flight in list(self.flights.items()):
            if any(selector.selects(Labels.of(flight.call)) for selector in selectors):
                del self.flights[key]
        if self.retrieval is not None:
            self.retrieval.let_off(selectors)

    def keep(self, call: Call, key: bytes, entry: Entry, rules: CacheRules) -> None:
        """Keep an answer to this call, unless it is too large."""
        data = write_entry(entry)
        if len(data) > rules.max_entry_bytes:
            self.too_large += 1
            return
        expires_s = entry.fresh_until_s + rules.stale_s
        if expires_s > entry.stored_s:
            self.answers.put(key, data, Labels.of(call), began_s=call.started_at_s, expires_s=expires_s)

    def read(self, data: bytes | None) -> Entry | None:
        """What the store gave, if it is an answer."""
        if data is None:
            return None
        try:
            return read_entry(data)
        except Unreadable:
            self.unreadable += 1
            return None
