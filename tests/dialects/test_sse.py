"""The event-stream parser: any chunking of a stream gives the same events, any bytes give events or a typed error."""

import time
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmops.dialects.sse import Event, EventParser, write_event
from llmops.errors import UpstreamBroken

BOM = "\ufeff".encode()


def parse(chunks: Sequence[bytes], **options: int) -> list[Event]:
    parser = EventParser(**options)
    return [event for chunk in chunks for event in parser.feed(chunk)]


def reference(stream: bytes) -> list[Event]:
    """The standard's algorithm, line by line, on the whole stream."""
    text = stream.removeprefix(BOM).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    events: list[Event] = []
    data: list[bytes] = []
    name = b""
    for line in text.split(b"\n")[:-1]:
        if not line:
            if data:
                events.append(Event(b"\n".join(data), name))
            data, name = [], b""
        elif not line.startswith(b":"):
            field, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if field == b"data":
                data.append(value)
            elif field == b"event":
                name = value
    return events


def cut(stream: bytes, places: Sequence[int]) -> list[bytes]:
    """The stream in pieces that end at these places (taken modulo its length)."""
    bounds = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(bounds)]


words = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12)
lines = st.one_of(
    st.builds(str.__add__, st.sampled_from(["data: ", "data:", "event: ", ": ", "id: ", ""]), words),
    st.sampled_from(["data", "event", "retry: 5", ""]),
)
streams = st.builds(
    lambda bom, parts: (BOM if bom else b"") + "".join(line + end for line, end in parts).encode(),
    st.booleans(),
    st.lists(st.tuples(lines, st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\r\n\r\n", "\r\r"])), max_size=12),
)
places = st.lists(st.integers(0, 10_000), max_size=12)


@given(streams, places)
@example(b"data: a\r\n\r\n", [8, 9, 10])
@example(b"data: a\r\rdata: b\r\n\ndata: c\n\r\n", list(range(30)))
@example(BOM + b"data: a\n\n", [1, 2, 3])
@example(BOM + BOM + b"data: a\n\ndata: b\n\n", [2, 4])
@example("data: 🦊\n\n".encode(), [7, 8, 9])
def test_any_chunking_gives_the_events_of_the_standard(stream: bytes, where: list[int]) -> None:
    assert parse(cut(stream, where)) == reference(stream)


@given(streams)
def test_byte_by_byte(stream: bytes) -> None:
    assert parse([bytes([byte]) for byte in stream]) == reference(stream)


@given(st.one_of(st.binary(max_size=300), st.text("dateven: \r\n\ufeff", max_size=300).map(str.encode)), places)
def test_any_bytes_give_the_events_of_the_standard_or_a_typed_error(raw: bytes, where: list[int]) -> None:
    try:
        events = parse(cut(raw, where), max_event_bytes=100)
    except UpstreamBroken as error:
        assert "100 bytes" in error.message
    else:
        assert events == reference(raw)


@given(st.lists(st.tuples(st.binary(max_size=20), st.sampled_from([b"", b"error"])), max_size=5), places)
def test_what_is_written_is_read_again(events: list[tuple[bytes, bytes]], where: list[int]) -> None:
    wanted = [Event(data.translate(None, b"\r\n"), name) for data, name in events]
    stream = b"".join(write_event(event.data, event.name) for event in wanted)
    assert parse(cut(stream, where)) == wanted


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: one\n\n", [Event(b"one")]),
        (b"data:one\n\n", [Event(b"one")]),
        (b"data:  one\n\n", [Event(b" one")]),
        (b"data: one\ndata: two\n\n", [Event(b"one\ntwo")]),
        (b"data\n\n", [Event(b"")]),
        (b"data:\ndata:\n\n", [Event(b"\n")]),
        (b"event: a\ndata: one\nevent: b\n\n", [Event(b"one", b"b")]),
        (b"event: a\n\ndata: one\n\n", [Event(b"one")]),
        (b": comment\n\n:\n\ndata: one\n\n", [Event(b"one")]),
        (b"dat: x\ndatas: y\n data: z\n\n", []),
        (b"\n\n\n\ndata: one\n\n\n\n\ndata: two\n\n", [Event(b"one"), Event(b"two")]),
        (b"data: cut off\n", []),
        (b"data: cut off", []),
        (b"", []),
    ],
)
def test_the_grammar(stream: bytes, events: list[Event]) -> None:
    assert parse([stream]) == events


@pytest.mark.parametrize(
    ("stream", "pending"),
    [
        (b"", False),
        (b"data: a\n\n", False),
        (b"data: a\n\n\n", False),
        (b"data: a\n\ndata: b", True),
        (b"data: a\n", True),
        (b": comment", True),
    ],
)
def test_a_cut_shows_as_something_pending(stream: bytes, pending: bool) -> None:
    parser = EventParser()
    parser.feed(stream)
    assert parser.pending == pending


@pytest.mark.parametrize("chunk", [b"x" * 64, b"data: y\n" * 8, b"\r" + b"x" * 63])
def test_an_event_has_a_largest_size(chunk: bytes) -> None:
    """However it comes: one line or many."""
    parser = EventParser(max_event_bytes=1000)
    with pytest.raises(UpstreamBroken, match="one event of more than 1000 bytes"):
        for _ in range(20):
            parser.feed(chunk)


def test_a_long_stream_of_small_events_has_no_largest_size() -> None:
    parser = EventParser(max_event_bytes=1000)
    assert sum(len(parser.feed(b"data: 123456789\n\n" * 10)) for _ in range(1000)) == 10_000


@pytest.mark.parametrize("piece", [b"x" * 50, b"data: " + b"x" * 43 + b"\n"], ids=["one line", "many lines"])
def test_a_large_event_in_small_pieces_is_read_in_linear_time(piece: bytes) -> None:
    """5 MB in 50-byte pieces: joined once at the end, not at each piece."""
    parser = EventParser()
    started = time.perf_counter()
    assert not any(parser.feed(piece) for _ in range(100_000))
    (event,) = parser.feed(b"data: end\n\n" if piece.endswith(b"\n") else b"\ndata: end\n\n")
    assert event.data.endswith(b"end") and time.perf_counter() - started < 2
