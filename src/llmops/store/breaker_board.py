"""A board in Redis on which processes post short notes for each other: the state of their breakers.

One hash; each process has fields of its own, so none can spoil another's. To post and to read what is new is one
script call (``breaker_board.lua``), and where nothing is new it costs the same however much is posted. A note vanishes
``keep_s`` after it was posted, the whole board when nobody has posted for so long, or when it is full; then, and
when Redis comes back without it, readers hear that it is a new one and post again. What is no note is removed and
counted. What notes say is for their readers to judge.
"""

import secrets
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, NamedTuple

from ..errors import StoreUnavailable
from ..redis_settings import RedisSettings
from .redis_script import Lost, RedisScript

_US = 1_000_000


class News(NamedTuple):
    """What a process hears of the board."""

    now_s: float
    """The time of Redis."""
    renewed: bool
    """Not the board of the last time: nothing is known of what was posted before."""
    spoilt: int
    posted: list[tuple[str, bytes]]
    """Notes of others that are new since the last time, by identity."""


class BreakerBoard:
    """One process's access to the board. Belongs to one task."""

    def __init__(self, settings: RedisSettings, keep_s: float) -> None:
        self._script = RedisScript(settings, (files(__package__) / "breaker_board.lua").read_text(encoding="utf-8"))
        self._key = f"{{{settings.namespace}}}:breakers:1"
        self._keep_us = int(keep_s * _US)
        self._process = secrets.token_hex(8)
        self._born = 0
        self._seen = 0

    async def exchange(self, notes: Mapping[str, bytes]) -> News:
        """Post ``notes`` by identity, and hear what is new. `StoreUnavailable` while Redis cannot be used: then nobody
        knows whether they were posted."""
        flat = [part for note in notes.items() for part in note]
        try:
            answer = await self._script.run(1, self._key, self._seen, self._keep_us, self._process, self._born, *flat)
            born, stamp, now_us, spoilt, posted = _read(answer)
        except Lost as exc:
            raise StoreUnavailable(str(exc)) from exc
        except ValueError as exc:
            await self._script.close()
            raise StoreUnavailable(f"an answer that makes no sense: {exc}") from exc
        renewed = born != self._born
        self._born, self._seen = born, stamp
        return News(now_us / _US, renewed, spoilt, posted)

    def reread(self) -> None:
        """Hear everything that is posted next time."""
        self._seen = 0

    async def aclose(self) -> None:
        """Close the connection. What was posted stays for the others."""
        await self._script.close()


def _read(answer: Any) -> tuple[int, int, int, int, list[tuple[str, bytes]]]:
    """`ValueError` for what is no answer of the script."""
    try:
        born, stamp, now_us, spoilt, posted = answer
        identities = [each.decode(errors="replace") for each in posted[::2]]
        return int(born), int(stamp), int(now_us), int(spoilt), list(zip(identities, posted[1::2], strict=True))
    except (TypeError, AttributeError) as exc:
        raise ValueError(repr(answer)[:100]) from exc
