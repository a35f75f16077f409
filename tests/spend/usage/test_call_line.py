"""Lines of the log to rows: what is taken, what is mended, what is no record."""

import json
from typing import Any

import msgspec
import pytest

from llmops.spend.usage.call_line import MAX_AMOUNT, LineReader
from llmops.spend.usage.records import CallRow, summed_up
from llmops.telemetry.record import record_of_refused
from tests.spend.usage.logs import _encode, line, record
from tests.telemetry.calls import refused


def read(chunk: bytes) -> tuple[list[CallRow], list[str]]:
    return LineReader().read(chunk, 7)


def one(chunk: bytes) -> CallRow:
    (row,), unreadable = read(chunk)
    assert unreadable == []
    return row


def changed(**fields: Any) -> bytes:
    """A line with fields that no gateway writes."""
    raw = json.loads(line(1))
    raw.update(fields)
    return json.dumps(raw).encode() + b"\n"


def test_a_record_becomes_a_row() -> None:
    row = one(line(1, tags={"team": "b", "feature": "a"}, reasoning=2, ttft_ms=3.25, recovered=True))
    assert (row.request_id, row.log_file, row.day, row.started_at_ms) == (
        f"req_{1:032x}",
        7,
        "2026-11-21",
        1_795_255_200_250,
    )
    assert (row.tenant, row.key_id, row.user, row.model) == ("acme", "key000000001", "u-1", "m")
    assert (row.prompt_tokens, row.completion_tokens, row.reasoning_tokens, row.cost_nanousd) == (10, 5, 2, 1000)
    assert row.tags == '{"feature":"a","team":"b"}' and row.recovered and row.ttft_ms == 3.25


@pytest.mark.parametrize(
    ("stamp", "day", "second"),
    [
        ("2026-11-21T00:30:00+01:00", "2026-11-20", 1_795_217_400),
        ("2026-11-21T10:00:00Z", "2026-11-21", 1_795_255_200),
        ("1969-12-31T23:59:59.000Z", "1969-12-31", -1),
        ("9999-12-31T23:59:59.999Z", "9999-12-31", 253_402_300_799),
    ],
)
def test_days_are_utc_whatever_the_form_of_the_time(stamp: str, day: str, second: int) -> None:
    row = one(line(1, timestamp=stamp))
    assert (row.day, row.started_at_ms // 1000) == (day, second)


def test_a_second_that_was_seen_before_gives_the_same_moment() -> None:
    rows, _ = read(line(1) + line(2, timestamp="2026-11-21T10:00:00.999Z") + line(3))
    assert [row.started_at_ms % 1000 for row in rows] == [250, 999, 250]
    assert len({row.started_at_ms // 1000 for row in rows}) == 1


def test_who_was_turned_away_before_being_known_is_nobodys_usage() -> None:
    rows, _ = read(
        _encode(record_of_refused(refused())) + b"\n" + line(2, error_type="invalid_api_key", status=401) + line(3)
    )
    assert [row.tenant for row in rows] == [None, None, "acme"]
    assert sum(used.calls for used in summed_up(rows)) == 1


def test_a_price_that_is_not_known_is_not_zero() -> None:
    assert one(line(1, cost_nanousd=None)).cost_nanousd is None
    older = json.loads(line(1))
    del older["cost_nanousd"]
    assert one(json.dumps(older).encode() + b"\n").cost_nanousd is None, "from before there was a ledger"
    older["token_usage"]["source"] = "none"
    assert one(json.dumps(older).encode() + b"\n").cost_nanousd == 0


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE calls; --", '"quoted"', "🦜" * 60, "{curly: 1}", "\\u0000 spelled out", "\x1b[31m", "a\nb"]
)
def test_hostile_text_is_kept_as_it_is(text: str) -> None:
    row = one(line(1, user=text, tags={text: text}))
    assert row.user == text and json.loads(row.tags) == {text: text}


def test_what_does_not_fit_is_mended() -> None:
    row = one(line(1, user="x" * 10_000, model="a\0b", tags={"k": "y" * 10_000 + "\0"}))
    assert row.user == "x" * 256 and row.model == "a\N{REPLACEMENT CHARACTER}b"
    assert json.loads(row.tags)["k"] == "y" * 10_000 + "\N{REPLACEMENT CHARACTER}"
    row = one(line(1, prompt=10**30, completion=-5, cost_nanousd=2**63))
    assert (row.prompt_tokens, row.completion_tokens, row.cost_nanousd) == (MAX_AMOUNT, 0, MAX_AMOUNT)
    assert one(changed(tags={"a": 1, "b": "c"}, strange={"deep": [1]})).tags == '{"b":"c"}'


@pytest.mark.parametrize(
    "bad",
    [
        b"\n",
        b"garbage\n",
        b"{}\n",
        b"[]\n",
        b"\0\0\0\0\n",
        b'{"timestamp":"2026\n',
        b"[" * 100_000 + b"\n",
        b"\xff\xfe\n",
        changed(timestamp="yesterday"),
        changed(timestamp="2026-99-99T10:00:00.250Z"),
        changed(timestamp="0001-01-01T00:00:00+14:00"),
        changed(request_id="r" * 65),
        changed(request_id=""),
        changed(request_id=7),
        changed(status=10**9),
        changed(token_usage=None),
        changed(latency_ms="long"),
        b'{"timestamp":"\\ud800"}\n',
        line(1).replace(b"12.5", b"1e999"),
    ],
)
def test_what_is_no_record_is_counted_and_the_others_are_read(bad: bytes) -> None:
    rows, unreadable = read(line(1) + bad + line(2))
    assert [row.request_id[-1] for row in rows] == ["1", "2"]
    assert len(unreadable) == (bad != b"\n") and all(len(said) < 600 for said in unreadable)


def test_a_record_behind_a_torn_one_is_found() -> None:
    """A writer was killed amid a line; the next one appended its own on the same line."""
    for cut in (1, 20, 200, len(line(1)) - 2):
        rows, unreadable = read(line(1)[:cut] + line(2) + line(3))
        assert [row.request_id[-1] for row in rows] == ["2", "3"] and len(unreadable) == 1
        assert "torn" in unreadable[0]
    within = line(2, user='{"timestamp":"2026-01-01T00:00:00.000Z"}')
    assert [row.request_id[-1] for row in read(b"{" + within)[0]] == ["2"]


def test_equal_groups_are_summed_and_others_are_not() -> None:
    same = [line(number) for number in range(3)]
    others = [line(5, user=None), line(6, key_id=None), line(7, tags={"a": "b"}), line(8, model="n")]
    odd = [line(9, status=500, error_type="upstream_error", cost_nanousd=None)]
    sums = summed_up(read(b"".join([*same, *others, *odd]))[0])
    assert sorted(used.calls for used in sums) == [1, 1, 1, 1, 4]
    (largest,) = [used for used in sums if used.calls == 4]
    assert (largest.errors, largest.unpriced, largest.cost_nanousd, largest.prompt_tokens) == (1, 1, 3000, 40)
    assert [(used.day, used.tenant, used.group_id) for used in sums] == sorted(
        (used.day, used.tenant, used.group_id) for used in sums
    )


def test_names_cannot_be_made_to_look_like_others() -> None:
    pairs = [("a", "b\x1fc"), ("a\x1fb", "c"), ('a","b', "c"), ("a", 'b","c')]
    rows, _ = read(b"".join(line(number, key_id=key, user=user) for number, (key, user) in enumerate(pairs)))
    assert len(summed_up(rows)) == 4


def test_the_row_has_every_field_that_the_record_says_of_it() -> None:
    row, given = one(line(1)), record(1)
    shared = set(CallRow.__struct_fields__) & set(given.__struct_fields__) - {"tags"}
    assert len(shared) > 18
    told = {name: getattr(given, name) for name in shared}
    left_out = {name: None for name, value in told.items() if value is msgspec.UNSET}
    assert {name: getattr(row, name) for name in shared} == told | left_out
