"""Bodies that are too large, cut short, no JSON, or not quite what they should be, under a 200."""

import zlib
from functools import lru_cache

from ..answer import DONE, Answer, stream_events
from ..wire import Wire, head
from .connection import WORDS_BEFORE

LARGE_BYTES = 10 * 1024 * 1024
_BOMB_MIB = 256
_MIB = 1024 * 1024
_HTML = b"<!doctype html><html><head><title>Sign in</title></head><body>Please sign in to continue.</body></html>"
_GARBAGE = b'{"id": nonsense \xff\xfe\x00 ]]'


async def send_html(wire: Wire) -> None:
    await wire.answer(200, _HTML, content_type="text/html; charset=utf-8")


async def send_garbage(wire: Wire) -> None:
    if not wire.ask.stream:
        await wire.answer(200, _GARBAGE)
        return
    await wire.begin()
    await wire.chunk(Answer(wire.ask, wire.words).opening() + b"data: " + _GARBAGE + b"\n\n")
    await wire.end()


async def cut_json(wire: Wire) -> None:
    """A body that stops in the middle; in a stream one event after some words, and all others follow."""
    answer = Answer(wire.ask, wire.words)
    if not wire.ask.stream:
        body = answer.body()
        await wire.answer(200, body[: len(body) // 2])
        return
    events = list(answer.events())
    damaged = 1 + WORDS_BEFORE
    events[damaged] = events[damaged][: len(events[damaged]) // 2] + b"\n\n"
    await stream_events(wire, iter(events))


async def send_bomb(wire: Wire) -> None:
    """A quarter of a megabyte that unpacks to a quarter of a gigabyte: blanks, and behind them a healthy answer."""
    answer = Answer(wire.ask, wire.words)
    if wire.ask.stream:
        kind, tail = "text/event-stream", b"\n\n" + b"".join(answer.events())
    else:
        kind, tail = "application/json", answer.body()
    packed = _packed_behind_blanks(tail)
    fields = {"content-type": kind, "content-encoding": "gzip", "content-length": str(len(packed))}
    await wire.raw(head(200, fields) + packed)


def _packed_behind_blanks(tail: bytes) -> bytes:
    """As gzip, well-formed to its checksum."""
    blanks, checksum = _packed_blanks()
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    last = packer.compress(tail) + packer.flush()
    size = _BOMB_MIB * _MIB + len(tail)
    return b"".join(
        [
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff",
            blanks,
            last,
            zlib.crc32(tail, checksum).to_bytes(4, "little"),
            size.to_bytes(4, "little"),
        ]
    )


@lru_cache(maxsize=1)
def _packed_blanks() -> tuple[bytes, int]:
    """The packed blanks and their checksum. One piece is packed and repeated, for its repetitions are alike."""
    piece = b" " * _MIB
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(_BOMB_MIB):
        checksum = zlib.crc32(piece, checksum)
    return packed * _BOMB_MIB, checksum


async def send_large(wire: Wire) -> None:
    body = Answer(wire.ask, wire.words).body(padding="x" * LARGE_BYTES)
    await wire.answer(200, body)


async def add_garbage(wire: Wire) -> None:
    """Bytes that nobody asked for, behind a whole answer."""
    answer = Answer(wire.ask, wire.words)
    if wire.ask.stream:
        await wire.begin()
        for event in answer.events():
            await wire.chunk(event)
        await wire.chunk(b"data: " + _GARBAGE + b"\n\n")
        await wire.end()
    else:
        await wire.answer(200, answer.body())
    await wire.raw(_GARBAGE)


async def omit_usage(wire: Wire) -> None:
    if wire.ask.stream:
        await _stream_usage(wire, None)
    else:
        await wire.answer(200, Answer(wire.ask, wire.words).body(usage=None))


async def negate_usage(wire: Wire) -> None:
    usage = {name: -count for name, count in Answer(wire.ask, wire.words).usage.items()}
    if wire.ask.stream:
        await _stream_usage(wire, usage)
    else:
        await wire.answer(200, Answer(wire.ask, wire.words).body(usage=usage))


async def _stream_usage(wire: Wire, usage: dict[str, int] | None) -> None:
    """A stream with this usage, asked for or not."""
    answer = Answer(wire.ask, wire.words)
    reported = [answer.event([], usage=usage)] if usage is not None else []
    events = [answer.opening(), *map(answer.word, answer.words), answer.finish(), *reported, DONE]
    await stream_events(wire, iter(events))
