"""Event streams that are unusual, damaged, or say themselves that they fail."""

from collections.abc import Iterator
from itertools import cycle

import msgspec

from ..answer import DONE, Answer, begin_with_words, error_body, stream_events
from ..wire import Wire
from .body import LARGE_BYTES
from .connection import WORDS_BEFORE

_FLOURISH = "·é€😀"
_SPLIT_S = 0.002
"""Between the two halves of a character, so that they do not arrive together."""
_FRAGMENT_CHARS = 3
_LINE_ENDS = (b"\r\n", b"\r", b"\n")


async def omit_done(wire: Wire) -> None:
    answer = Answer(wire.ask, wire.words)
    await stream_events(wire, (event for event in answer.events() if event != DONE))


async def send_large_line(wire: Wire) -> None:
    answer = Answer(wire.ask, wire.words)
    first = answer.event([{"index": 0, "delta": {"content": answer.words[0]}}], padding="x" * LARGE_BYTES)
    events = [answer.opening(), first, *map(answer.word, answer.words[1:]), *answer.closing()]
    await stream_events(wire, iter(events))


async def split_characters(wire: Wire) -> None:
    """Every character outside ASCII lies across two chunks that arrive apart."""
    answer = Answer(wire.ask, wire.words, flourish=_FLOURISH)
    text = b"".join(answer.events()) if wire.ask.stream else answer.body()
    await wire.begin()
    for piece in _cut_characters(text):
        await wire.chunk(piece)
        await wire.settle(_SPLIT_S)
    await wire.end()


def _cut_characters(text: bytes) -> Iterator[bytes]:
    """Pieces that end after the first byte of the last character of each flourish."""
    last = _FLOURISH[-1].encode()
    start = 0
    while (found := text.find(last, start)) >= 0:
        yield text[start : found + 1]
        start = found + 1
    yield text[start:]


async def mix_line_ends(wire: Wire) -> None:
    """CRLF, CR and LF by turns, with comments and empty lines in between; one CRLF lies across two chunks."""
    answer = Answer(wire.ask, wire.words)
    await wire.begin()
    for event, end in zip(answer.events(), cycle(_LINE_ENDS), strict=False):
        data = b": still here" + end + event.removesuffix(b"\n\n") + end + end
        if end == b"\r\n":
            await wire.chunk(data[:-1])
            await wire.settle(_SPLIT_S)
            await wire.chunk(data[-1:] + end)
        else:
            await wire.chunk(data)
    await wire.end()


async def report_error_first(wire: Wire) -> None:
    """A 200 that turns out to be an error."""
    error = error_body("The server is currently overloaded", "overloaded_error", "overloaded")
    if not wire.ask.stream:
        await wire.answer(200, error)
        return
    await stream_events(wire, iter([b"data: " + error + b"\n\n"]))


async def report_error_later(wire: Wire) -> None:
    await begin_with_words(wire, Answer(wire.ask, wire.words), WORDS_BEFORE)
    await wire.chunk(b"data: " + error_body("The server had an error while processing your request") + b"\n\n")
    await wire.end()


async def send_twice(wire: Wire) -> None:
    """Role, end, usage and [DONE] come twice. Text does not: nothing tells a repeated word from one that is meant."""
    answer = Answer(wire.ask, wire.words)
    ends = [event for event in answer.closing() for _ in range(2)]
    await stream_events(wire, iter([answer.opening(), answer.opening(), *map(answer.word, answer.words), *ends]))


async def split_tool_call(wire: Wire) -> None:
    """A tool call whose arguments come in crumbs, cut in the middle of escapes and of a surrogate pair."""
    answer = Answer(wire.ask, wire.words)
    text = "".join(answer.words)
    arguments = msgspec.json.encode({"words": text, "quoted": 'a "quotation"'}).decode()
    arguments = arguments[:-1] + ', "face": "\\ud83d\\ude00"}'
    crumbs = [arguments[start : start + _FRAGMENT_CHARS] for start in range(0, len(arguments), _FRAGMENT_CHARS)]
    calls = [answer.tool_call(crumb, first=number == 0) for number, crumb in enumerate(crumbs)]
    _, *rest = answer.closing()
    await stream_events(wire, iter([answer.opening(), *calls, answer.finish("tool_calls"), *rest]))
