"""A kept answer comes back as it was, or not at all."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.caching.cache import Cache
from llmops.caching.entry import FORMAT, Entry, Unreadable, read_entry, write_entry
from llmops.clock import ManualClock
from llmops.store.answers.local import LocalAnswers
from llmops.types import Usage

COUNTS = st.integers(0, 10**9)
TEXTS = st.none() | st.text(max_size=20)
USAGES = st.builds(
    Usage, prompt=COUNTS, completion=COUNTS, cached=COUNTS, source=st.sampled_from(["provider", "estimated", "none"])
)
TIMES = st.floats(0, 4e9, allow_nan=False)
ENTRIES = st.builds(
    Entry,
    stored_s=TIMES,
    fresh_until_s=TIMES,
    body=st.binary(max_size=50),
    chunks=st.none() | st.lists(st.binary(max_size=20), max_size=4),
    usage=USAGES,
    finish_reason=TEXTS,
    upstream_model=TEXTS,
    upstream_id=TEXTS,
    output_chars=COUNTS,
    text=TEXTS,
    json_valid=st.none() | st.booleans(),
    deployment=st.text(max_size=20),
    dropped=st.lists(st.text(max_size=5), max_size=3),
)


def cache() -> Cache:
    return Cache(LocalAnswers(10, 10_000, ManualClock().now_s))


@given(ENTRIES)
def test_there_and_back(entry: Entry) -> None:
    assert read_entry(write_entry(entry)) == entry


@given(ENTRIES, st.data())
def test_damage_is_a_miss_or_an_entry_never_an_error(entry: Entry, data: Any) -> None:
    whole = write_entry(entry)
    at = data.draw(st.integers(0, len(whole) - 1))
    hurt = data.draw(
        st.sampled_from([whole[:at], whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :], whole + b"\0"])
    )
    known = cache()
    found = known.read(hurt)
    assert isinstance(found, Entry) == (known.unreadable == 0)
    assert known.unreadable == (found is None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        FORMAT,
        b"\x00" + write_entry(Entry(stored_s=1.0, fresh_until_s=2.0))[1:],
        b"\x02" + write_entry(Entry(stored_s=1.0, fresh_until_s=2.0))[1:],
        FORMAT + msgspec.msgpack.encode({"stored_s": 1.0}),
        FORMAT + msgspec.msgpack.encode([1.0]),
        FORMAT + msgspec.msgpack.encode([1.0, 2.0, "text instead of bytes"]),
        b"<html>",
    ],
)
def test_another_format_is_a_counted_miss(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read_entry(data)
    known = cache()
    assert known.read(data) is None and known.unreadable == 1


def test_nothing_is_a_miss_that_is_not_counted() -> None:
    known = cache()
    assert known.read(None) is None and known.unreadable == 0
