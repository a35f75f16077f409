"""OTLP in both encodings: the same spans from the same content, and what cannot be taken is told with its reason."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.telemetry.spans import otlp_json, otlp_read
from llmops.telemetry.spans.otlp_read import OtlpError
from llmops.telemetry.traces.rest import pack, unpack
from tests.telemetry.traces.exports import NOW_NS, export, many, wire_span, with_deep_span

IDS = {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1"}
TIMES = {"startTimeUnixNano": str(NOW_NS), "endTimeUnixNano": str(NOW_NS + 5)}


def as_json(*spans: dict[str, Any], attributes: list[Any] | None = None) -> bytes:
    group = {
        "resource": {"attributes": attributes or []},
        "scopeSpans": [{"scope": {"name": "tests"}, "spans": list(spans)}],
    }
    return json.dumps({"resourceSpans": [group]}).encode()


VALUES: dict[str, Any] = {
    "text": "hello",
    "empty": "",
    "yes": True,
    "no": False,
    "number": -(2**63),
    "share": 0.25,
    "raw": b"\x00\xff",
    "list": ["a", 1, True, ["nested"]],
    "map": {"a": {"b": 1}},
    "../../etc/passwd": "a path",
    "<script>alert(1)</script>": "markup",
}


def test_a_span_in_protobuf_is_read_whole() -> None:
    span = wire_span(2, parent=1, attributes=VALUES, trace_state="a=b", dropped_attributes_count=3)
    span.kind, span.status.code, span.status.message = 3, 2, "it broke"
    event = span.events.add(name="exception", time_unix_nano=NOW_NS + 1)
    event.attributes.add(key="why").value.string_value = "because"
    link = span.links.add(trace_id=bytes(15) + b"\x09", span_id=bytes(7) + b"\x08")
    link.attributes.add(key="kind").value.string_value = "retry"
    [read] = otlp_read.read(export(span, resource={"service.name": "shop"}))
    assert (read.trace_id, read.span_id, read.parent_id) == ("0" * 31 + "1", "0" * 15 + "2", "0" * 15 + "1")
    assert read.attributes == VALUES
    assert (read.kind, read.status, read.status_message, read.tracestate) == ("client", "error", "it broke", "a=b")
    assert (read.resource, read.scope, read.dropped) == ({"service.name": "shop"}, "tests@1", 3)
    assert [(each.name, each.at_ns, each.attributes) for each in read.events] == [
        ("exception", NOW_NS + 1, {"why": "because"})
    ]
    assert [(each.trace_id[-1], each.span_id[-1], each.attributes) for each in read.links] == [
        ("9", "8", {"kind": "retry"})
    ]
    assert unpack(pack(read)) == read


def test_json_says_the_same() -> None:
    def value(of: Any) -> dict[str, Any]:
        match of:
            case bool():
                return {"boolValue": of}
            case str():
                return {"stringValue": of}
            case int():
                return {"intValue": str(of)}
            case float():
                return {"doubleValue": of}
            case bytes():
                return {"bytesValue": "AP8="}
            case list():
                return {"arrayValue": {"values": [value(each) for each in of]}}
        return {"kvlistValue": {"values": [{"key": key, "value": value(each)} for key, each in of.items()]}}

    attributes = [{"key": key, "value": value(each)} for key, each in VALUES.items()]
    body = as_json({**IDS, **TIMES, "name": "n", "kind": 3, "attributes": attributes, "unknownField": 1})
    [read] = otlp_json.read(body)
    [same] = otlp_read.read(
        export(wire_span(1, name="n", kind=3, end_time_unix_nano=NOW_NS + 5, attributes=VALUES), resource={})
    )
    assert read.attributes == same.attributes
    assert (read.trace_id, read.span_id, read.kind, read.ended_ns) == (
        same.trace_id,
        same.span_id,
        same.kind,
        same.ended_ns,
    )


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({"trace_id": b""}, "trace id"),
        ({"trace_id": bytes(16)}, "trace id"),
        ({"trace_id": b"short"}, "trace id"),
        ({"span_id": bytes(8)}, "span id"),
        ({"span_id": b"x" * 16}, "span id"),
        ({"parent_span_id": b"abc"}, "parent"),
    ],
)
def test_a_wrong_id_costs_that_span_alone(odd: dict[str, bytes], reason: str) -> None:
    body = export(wire_span(1), wire_span(2, **odd), wire_span(3))
    inspected = otlp_read.inspect(body)
    assert inspected.accepted == 2
    assert [reason in why for why in inspected.rejected] == [True]
    assert [span.span_id[-1] for span in otlp_read.read(body)] == ["1", "3"]


@pytest.mark.parametrize(
    "odd",
    [
        {"traceId": "xyz"},
        {"traceId": "0" * 32},
        {"traceId": "\N{ARABIC-INDIC DIGIT ONE}" * 32},
        {"spanId": "g" * 16},
        {"parentSpanId": "12"},
        {"startTimeUnixNano": "soon"},
        {"startTimeUnixNano": -1},
        {"endTimeUnixNano": str(2**64)},
    ],
)
def test_the_same_in_json(odd: dict[str, Any]) -> None:
    body = as_json({**IDS, **TIMES, **odd}, {**IDS, **TIMES})
    inspected = otlp_json.inspect(body)
    assert (inspected.accepted, sum(inspected.rejected.values())) == (1, 1)
    assert len(list(otlp_json.read(body))) == 1


def test_what_is_a_number_in_json_stays_one_or_becomes_text() -> None:
    values = [{"intValue": 5}, {"intValue": str(2**63)}, {"doubleValue": "NaN"}, {"doubleValue": "x"}, {}, None]
    attributes = [{"key": str(number), "value": value} for number, value in enumerate(values)]
    [span] = otlp_json.read(as_json({**IDS, **TIMES, "attributes": attributes}))
    assert (span.attributes["0"], span.attributes["1"], span.attributes["3"]) == (5, str(2**63), "x")
    assert math.isnan(span.attributes["2"])
    assert span.attributes["4"] is span.attributes["5"] is None


def nested(depth: int) -> Any:
    value: Any = "bottom"
    for _ in range(depth):
        value = [value]
    return value


def test_values_nested_too_deep_cost_that_span_alone() -> None:
    """The protobuf parser gives up the whole request at some depth."""
    body = with_deep_span(100, wire_span(1), wire_span(3))
    inspected = otlp_read.inspect(body)
    assert (inspected.accepted, list(inspected.rejected.values())) == (2, [1])
    assert [span.span_id[-1] for span in otlp_read.read(body)] == ["1", "3"]
    assert [span.resource for span in otlp_read.read(body)] == [{"service.name": "shop"}] * 2


def test_values_below_what_anybody_reads_are_kept_as_bytes() -> None:
    [span] = otlp_read.read(export(wire_span(1, attributes={"deep": nested(38)})))
    value = span.attributes["deep"]
    while isinstance(value, list):
        [value] = value
    assert isinstance(value, bytes) and b"bottom" in value


def test_json_nested_a_thousand_deep_is_refused() -> None:
    value = '{"arrayValue":{"values":[' * 5000 + "]}}" * 5000
    body = as_json({**IDS, **TIMES}).replace(
        b'"traceId"', b'"attributes":[{"key":"a","value":' + value.encode() + b'}],"traceId"'
    )
    with pytest.raises(OtlpError):
        otlp_json.inspect(body)


@pytest.mark.parametrize("body", [b"\xff\xff", b"\x0a\xff", b"<html>", many(3)[:-10]])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(OtlpError):
        otlp_read.inspect(body)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"resourceSpans": 5}', b'{"resourceSpans": [{"scopeSpans": [5]}]}']
)
def test_the_same_in_json_for_requests(body: bytes) -> None:
    with pytest.raises(OtlpError):
        otlp_json.inspect(body)


@given(st.binary(max_size=300))
def test_no_bytes_do_harm(body: bytes) -> None:
    """Whatever comes, the two looks at it agree."""
    for codec in (otlp_read, otlp_json):
        try:
            inspected = codec.inspect(body)
        except OtlpError:
            continue
        assert len(list(codec.read(body))) == inspected.accepted


@given(st.integers(0, 2000), st.binary(min_size=1, max_size=8))
def test_a_damaged_request_does_no_harm(at: int, with_: bytes) -> None:
    body = bytearray(export(*[wire_span(number, attributes=VALUES) for number in range(1, 5)]))
    body[at % len(body) : at % len(body) + len(with_)] = with_
    try:
        inspected = otlp_read.inspect(bytes(body))
    except OtlpError:
        return
    assert len(list(otlp_read.read(bytes(body)))) == inspected.accepted
