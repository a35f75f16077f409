"""Taking a request in: nesting against a plain reference, identity, headers, and bodies in any pieces."""

import json
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmops.clock import Ids, ManualClock
from llmops.errors import BodyTooLarge, ClientDisconnected, HeadersTooLarge, InvalidRequest
from llmops.gateway.intake import arrive, check_headers, check_nesting, read_body

LIMIT = 8

values = st.recursive(
    st.one_of(st.none(), st.integers(), st.text('[]{}"\\,: a', max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text('[]{}"\\', max_size=3), inner, max_size=3)
    ),
    max_leaves=20,
)


def depth(value: Any) -> int:
    match value:
        case dict():
            return 1 + max(map(depth, value.values()), default=0)
        case list():
            return 1 + max(map(depth, value), default=0)
    return 0


def is_refused(body: bytes, limit: int = LIMIT) -> bool:
    try:
        check_nesting(body, limit)
    except InvalidRequest as error:
        assert f"{limit} levels" in error.message and error.status == 400
        return True
    return False


@given(values, st.integers(0, 2 * LIMIT + 2), st.sampled_from(["list", "object", "mixed"]), st.booleans())
@example([], 2 * LIMIT, "mixed", True)
@settings(max_examples=300)
def test_nesting_is_judged_as_a_plain_count_would(value: Any, wraps: int, kind: str, ascii_only: bool) -> None:
    for number in range(wraps):
        in_list = kind == "list" or (kind == "mixed" and number % 2 == 0)
        value = [value, "]"] if in_list else {"{\\": value, "b": []}
    body = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert is_refused(body) == (depth(value) > LIMIT)


@given(st.one_of(st.binary(max_size=200), st.text('[]{}"\\ a', max_size=200).map(str.encode)))
def test_whatever_is_sent_is_judged_without_an_error_of_ours(body: bytes) -> None:
    is_refused(body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"a":[' * 32 + b"]}" * 32, id="exactly 64"),
        pytest.param(b'["' + b"[{" * 1000 + b'"]', id="brackets in a string"),
        pytest.param(b'["' + b'\\"[' * 1000 + b'"]', id="quotes in a string"),
        pytest.param(b'["\\\\",' + b"[]," * 1000 + b"1]", id="a backslash at a string's end"),
        pytest.param(b"[" + b"{}," * 1000 + b"1]", id="wide"),
    ],
)
def test_within_the_limit(body: bytes) -> None:
    assert not is_refused(body, 64)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 65 + b"]" * 65, id="65 lists"),
        pytest.param(b'{"a":[' * 33 + b"]}" * 33, id="66 alternating"),
        pytest.param(b'["\\\\",' + b"[" * 64 + b"]" * 64 + b"]", id="after a string that ends in a backslash"),
        pytest.param(b'{"' + b'\\"' * 9 + b'":' + b"[" * 64 + b"]" * 64 + b"}", id="after a key of quotes"),
    ],
)
def test_beyond_the_limit(body: bytes) -> None:
    assert is_refused(body, 64)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" + b"{}," * 100 + b'"' + b"x" * 10_000_000 + b'"]', id="one long string"),
        pytest.param(b"[" + b"{}," * 100 + b'"' + b'\\"' * 5_000_000, id="an unclosed string of quotes"),
        pytest.param(b"[" * 100 + b"\\" * 10_000_000, id="backslashes"),
        pytest.param(b"[]" * 5_000_000, id="pairs"),
        pytest.param(b"[" * 10_000_000, id="never closed"),
        pytest.param(b'"]' * 5_000_000 + b"[" * 100, id="strings and brackets in turn"),
    ],
)
def test_ten_megabytes_are_judged_quickly(body: bytes) -> None:
    """Whatever they hold: no body may stop the event loop."""
    started = time.thread_time()  # processor time: what else the machine does is no matter
    is_refused(body, 64)
    assert time.thread_time() - started < 2.5  # a tenth of it and less; quadratic work takes hours


# --- headers, body, identity --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ([], None),
        ([(b"a", b"x" * 1023)], None),
        ([(b"a", b"x" * 1024)], "the header 'a'"),
        ([(b"n" * 1025, b"")], "the header 'nnn"),
        ([(b"%d" % n, b"x" * 1000) for n in range(4)], None),
        ([(b"%d" % n, b"x" * 1000) for n in range(5)], "together"),
    ],
)
def test_headers_have_bounds_each_and_together(headers: list[tuple[bytes, bytes]], refused: str | None) -> None:
    if refused is None:
        check_headers({"headers": headers}, 1024)
    else:
        with pytest.raises(HeadersTooLarge, match=refused):
            check_headers({"headers": headers}, 1024)


async def take(
    parts: list[bytes], limit: int = 100, headers: dict[bytes, bytes] | None = None, *, leaves: bool = False
) -> bytes:
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    if leaves:
        messages.append({"type": "http.disconnect"})
    elif messages:
        messages[-1]["more_body"] = False

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    return await read_body(headers or {}, receive, limit)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=8))
async def test_a_body_arrives_whole_or_is_too_large(parts: list[bytes]) -> None:
    whole = b"".join(parts)
    if len(whole) <= 100:
        assert await take(parts) == whole
    else:
        with pytest.raises(BodyTooLarge, match=r"100 bytes.*body_limit_bytes"):
            await take(parts)


async def test_a_length_that_is_announced_too_large_is_refused_unread() -> None:
    with pytest.raises(BodyTooLarge):
        await take([], headers={b"content-length": b"101"})


async def test_a_client_that_leaves_in_the_middle_of_its_request() -> None:
    with pytest.raises(ClientDisconnected):
        await take([b"{"], leaves=True)


async def test_an_encoded_body_is_refused_with_its_encoding_named() -> None:
    with pytest.raises(InvalidRequest, match=r"'gzip'.*plain"):
        await take([b"x"], headers={b"content-encoding": b"gzip"})


PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


@pytest.mark.parametrize(
    ("headers", "continued", "state"),
    [
        ({}, False, None),
        ({b"traceparent": PARENT}, True, None),
        ({b"traceparent": b"nonsense"}, False, None),
        ({b"traceparent": b"\xff" * 55}, False, None),
        ({b"tracestate": b"a=1"}, False, None),
        ({b"traceparent": PARENT, b"tracestate": b"a=1"}, True, "a=1"),
    ],
)
def test_a_trace_is_continued_or_begun(headers: dict[bytes, bytes], continued: bool, state: str | None) -> None:
    arrival = arrive(headers, ManualClock(), Ids(1))
    assert (arrival.parent_span_id == "b7ad6b7169203331") == continued
    assert (arrival.trace_id == "0af7651916cd43dd8448eb211c80319c") == continued
    assert arrival.trace_flags == ("00" if continued else "01")
    assert arrival.tracestate == state
    shown = dict(arrival.response_headers())
    assert shown[b"x-request-id"] == arrival.request_id.encode()
    assert shown[b"traceparent"].decode() == f"00-{arrival.trace_id}-{arrival.span_id}-{arrival.trace_flags}"


def test_identifiers_never_repeat() -> None:
    ids = Ids()
    assert len({ids.request_id() for _ in range(1000)} | {ids.trace_id() for _ in range(1000)}) == 2000
    assert [Ids(7).request_id() for _ in range(2)] == [Ids(7).request_id()] * 2
