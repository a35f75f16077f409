"""The two scripts of the answers in Redis: what goes there as arguments, and what comes back as values.

``look_up.lua`` on one connection, ``keep.lua`` on another, so that no look-up waits behind megabytes on their way
there. Keys are ``{namespace}:answers:…``.
"""

import struct
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

import msgspec

from ...redis_settings import RedisSettings
from ..redis_script import Lost, RedisScript
from .labels import Selector

TOGETHER_BYTES = 4_000_000
"""Values of one exchange: the first one may be larger."""
LARGEST_BYTES = 8_000_000
"""Of an answer: larger ones hold everybody up."""
MEMORY_PERCENT = 80
"""Of the server's memory: beyond that it is left to the counters."""
_LABEL_BYTES = 100_000
_LATER = -2
_US, _MS = 1_000_000, 1000
_LONGEST_KEPT_MS = 366 * 86_400 * _MS

_encode_selector = msgspec.msgpack.Encoder().encode
_decode_selector = msgspec.msgpack.Decoder(Selector).decode


class News(NamedTuple):
    """The newest number and the floor in Redis, and its words: all of them, or those that were lacking here."""

    newest: int
    floor: int
    is_all: bool
    words: list[tuple[Selector, int]]


class Found(NamedTuple):
    """``values`` in the order of the keys; those at the places ``later`` have to be asked for again."""

    news: News | None
    values: list[bytes | None]
    later: list[int]


class LookUpLink:
    """Used by one task. After a loss the next exchange hears all words."""

    def __init__(self, settings: RedisSettings, longest_call_s: float) -> None:
        self._script = RedisScript(settings, _text("look_up.lua"))
        self._prefix, own = _prefixes(settings)
        self._own = (own + b"newest", own + b"words", own + b"longest")
        self._longest_call_us = int(longest_call_s * _US)
        self._known = b""

    async def exchange(self, keys: Sequence[bytes], selectors: Sequence[Selector] = (), *, above: int = 0) -> Found:
        """Invalidate ``selectors`` under a number ``above`` that one, then look for ``keys``. Raises `Lost`: nobody
        knows then whether they hold."""
        try:
            said = await self._script.run(
                len(self._own) + len(keys),
                *self._own,
                *[self._prefix + key for key in keys],
                self._known,
                LARGEST_BYTES + _LABEL_BYTES,
                TOGETHER_BYTES,
                self._longest_call_us,
                above,
                *map(_encode_selector, selectors),
            )
            values, later = _values(said[0], len(keys))
            news = self._hear(said) if len(said) > 1 else None
        except (TypeError, ValueError, IndexError, struct.error) as exc:
            await self.close()
            raise Lost(f"an answer that makes no sense: {exc}") from exc
        except BaseException:
            self._known = b""
            raise
        return Found(news, values, later)

    async def close(self) -> None:
        """Close the connection; the next exchange opens another."""
        self._known = b""
        await self._script.close()

    def _hear(self, said: list[Any]) -> News:
        newest, floor = map(int, said[1].split())
        words = [(_selector(said[place]), int(float(said[place + 1]))) for place in range(3, len(said), 2)]
        self._known = said[1]
        return News(newest, floor, said[2] == 1, words)


class KeepLink:
    """Used by one task."""

    def __init__(self, settings: RedisSettings) -> None:
        self._script = RedisScript(settings, _text("keep.lua"))
        self._prefix, own = _prefixes(settings)
        self._longest = own + b"longest"

    async def keep(self, answers: Sequence[tuple[bytes, bytes, float]], *, look: bool) -> bool:
        """Keep each value under its key for its seconds. False, where ``look`` is asked for: Redis has too little
        memory. Raises `Lost`."""
        arguments = [argument for _, value, keep_s in answers for argument in (value, _milliseconds(keep_s))]
        said = await self._script.run(
            1 + len(answers),
            self._longest,
            *[self._prefix + key for key, _, _ in answers],
            MEMORY_PERCENT if look else 0,
            *arguments,
        )
        return bool(said == 1)

    async def close(self) -> None:
        await self._script.close()


def _text(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _prefixes(settings: RedisSettings) -> tuple[bytes, bytes]:
    """Of answers, and of what is written about them."""
    begins = f"{{{settings.namespace}}}:answers:".encode()
    return begins + b"1:", begins


def _milliseconds(seconds: float) -> int:
    """Whole, and never more than was asked for."""
    return max(1, min(int(seconds * _MS), _LONGEST_KEPT_MS))


def _selector(packed: bytes) -> Selector:
    """What cannot be read, of a later version perhaps, means every answer rather than none."""
    try:
        return _decode_selector(packed)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Selector()


def _values(packed: bytes, count: int) -> tuple[list[bytes | None], list[int]]:
    lengths = struct.unpack_from(f"<{count}i", packed)
    later = [place for place, length in enumerate(lengths) if length == _LATER]
    return list(_cut(packed, 4 * count, lengths)), later


def _cut(packed: bytes, begins: int, lengths: tuple[int, ...]) -> Iterator[bytes | None]:
    for length in lengths:
        if length < 0:
            yield None
        else:
            yield packed[begins : begins + length]
            begins += length
