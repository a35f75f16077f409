"""Connections that break, fall silent, or are not what they say: below HTTP's words."""

from ..answer import Answer, begin_with_words
from ..wire import Wire, head

WORDS_BEFORE = 5
"""Words that a stream delivers before a fault after the commit point."""
_TLS_ALERT = b"\x15\x03\x01\x00\x02\x02\x28"
"""handshake_failure, fatal."""


async def reset_before_headers(wire: Wire) -> None:
    wire.reset()


async def reset_after_headers(wire: Wire) -> None:
    await wire.begin()
    await wire.settle()
    wire.reset()


async def reset_in_the_middle(wire: Wire) -> None:
    await _half(wire)
    wire.reset()


async def stall(wire: Wire) -> None:
    await _half(wire)
    await wire.hold()


async def _half(wire: Wire) -> None:
    """The beginning of a well-formed answer, and time for it to be read."""
    answer = Answer(wire.ask, wire.words)
    if wire.ask.stream:
        await begin_with_words(wire, answer, WORDS_BEFORE)
        return
    body = answer.body()
    await wire.begin()
    await wire.chunk(body[: len(body) // 2])
    await wire.settle()


async def half_open(wire: Wire) -> None:
    await wire.begin()
    await wire.hold()


async def silence(wire: Wire) -> None:
    await wire.hold()


async def drip(wire: Wire) -> None:
    """A byte a second; any limit on silence alone is never reached."""
    body = Answer(wire.ask, wire.words).body()
    fields = {"content-type": "application/json", "content-length": str(len(body))}
    for byte in head(200, fields) + body:
        await wire.raw(bytes((byte,)))
        await wire.settle(wire.drip_s)


async def fail_tls(wire: Wire) -> None:
    await wire.raw(_TLS_ALERT)
    wire.close()


async def speak_http10(wire: Wire) -> None:
    """No length and no chunks: the end of the connection is the end of the answer."""
    answer = Answer(wire.ask, wire.words)
    kind = "text/event-stream" if wire.ask.stream else "application/json"
    await wire.raw(head(200, {"content-type": kind, "connection": "close"}, version="1.0"))
    for part in answer.events() if wire.ask.stream else [answer.body()]:
        await wire.raw(part)
    wire.close()


async def understate_length(wire: Wire) -> None:
    """The answer ends by its length in the middle; its rest lies on the connection, for the next answer to meet."""
    answer = Answer(wire.ask, wire.words)
    if wire.ask.stream:
        events = list(answer.events())
        kept = 1 + WORDS_BEFORE
        length = sum(map(len, events[:kept])) + len(events[kept]) // 2
        kind, body = "text/event-stream", b"".join(events)
    else:
        kind, body = "application/json", answer.body()
        length = len(body) // 2
    await wire.raw(head(200, {"content-type": kind, "content-length": str(length)}) + body[:length])
    await wire.settle()
    await wire.raw(body[length:])
