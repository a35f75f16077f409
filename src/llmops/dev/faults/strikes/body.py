"""Bodies that are too large, cut short, no JSON, or not quite what they should be, under a 200."""

import zlib
from functools import lru_cache

from ..answer import Answer, stream_events
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
    """A quarter of a megabyte that unpacks to a quarter of a gigabyte, with a well-formed answer at its end."""
    answer = Answer(wire.ask, wire.words)
    if wire.ask.stream:
        kind, start, tail = "text/event-stream", b":", b"\n\n" + b"".join(answer.events())
    else:
        kind, start, tail = "application/json", b" ", answer.body()
    packed = _packed(start, tail)
    fields = {"content-type": kind, "content-encoding": "deflate", "content-length": str(len(packed))}
    await wire.raw(head(200, {**fields, "content-encoding": "gzip"}) + packed)


def _packed(start: bytes, tail: bytes) -> bytes:
    """``start``, blanks, ``tail``, as gzip. The blanks' pieces are alike, so one of them is packed and repeated."""
    piece, blanks_crc = _blanks()
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    first = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    last = packer.compress(tail) + packer.flush()
    del blanks_crc
    size = len(start) + _BOMB_MIB * _MIB + len(tail)
    checksum = _checksum(start, tail)
    header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    trailer = checksum.to_bytes(4, "little") + (size % 2**32).to_bytes(4, "little")
    return header + first + piece * _BOMB_MIB + last + trailer
