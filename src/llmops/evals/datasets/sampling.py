"""Choosing some of many, seeded and stratified: rare groups are in the sample, and the same seed chooses the same.

Each thing's place is a hash of the seed and its key, so what came in since moves no other one's place. Strata take
turns, largest groups last to be exhausted: with enough room each has the same number, and small ones are there whole.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def sampled(
    items: Iterable[Item],
    count: int,
    *,
    key: Callable[[Item], str],
    stratum: Callable[[Item], Sequence[str | None]],
    seed: int = 0,
) -> list[Item]:
    """At most ``count`` items; ``stratum`` gives what an item's group is made of (empty: all are one group)."""
    groups: dict[tuple[str | None, ...], list[tuple[bytes, Item]]] = defaultdict(list)
    for item in items:
        place = hashlib.blake2b(f"{seed}:{key(item)}".encode(errors="replace"), digest_size=12).digest()
        groups[tuple(stratum(item))].append((place, item))
    waiting = []
    for name, group in sorted(groups.items(), key=lambda pair: tuple(map(str, pair[0]))):
        ordered = sorted(group, key=lambda pair: pair[0])
        waiting += [(turn, str(name), place, item) for turn, (place, item) in enumerate(ordered)]
    waiting.sort(key=lambda each: each[:3])
    return [item for _turn, _name, _place, item in waiting[:count]]
