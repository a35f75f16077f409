"""Spans as OTLP and back: the same spans, whatever is in them."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from llmops.telemetry.spans import otlp_read, otlp_write
from llmops.telemetry.spans.span import Span, SpanEvent, SpanLink

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
VALUES = st.recursive(
    TEXT | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ATTRIBUTES = st.dictionaries(TEXT, VALUES, max_size=4)
TIMES = st.integers(0, 2**64 - 1)
SPANS = st.builds(
    Span,
    trace_id=st.integers(1, 2**128 - 1).map("{:032x}".format),
    span_id=st.integers(1, 2**64 - 1).map("{:016x}".format),
    parent_id=st.none() | st.integers(1, 2**64 - 1).map("{:016x}".format),
    name=TEXT,
    kind=st.sampled_from(["internal", "server", "client", "producer", "consumer"]),
    started_ns=TIMES,
    ended_ns=TIMES,
    status=st.sampled_from(["unset", "ok", "error"]),
    status_message=TEXT,
    attributes=ATTRIBUTES,
    events=st.lists(st.builds(SpanEvent, name=TEXT, at_ns=TIMES, attributes=ATTRIBUTES), max_size=2),
    links=st.lists(
        st.builds(SpanLink, trace_id=st.just("ab" * 16), span_id=st.just("cd" * 8), attributes=ATTRIBUTES), max_size=2
    ),
    resource=ATTRIBUTES,
    scope=st.sampled_from(["", "lib", "lib@1.0", "@scope/lib@2"]),
    tracestate=TEXT,
    dropped=st.integers(0, 2**32 - 1),
)


@given(st.lists(SPANS, max_size=5))
def test_what_is_written_is_read_again(spans: list[Span]) -> None:
    assert list(otlp_read.read(otlp_write.write(spans))) == spans


def test_neighbours_share_their_resource_and_scope() -> None:
    spans = [_span(number, resource={"service.name": "a"}, scope="x") for number in range(50)]
    alone = len(otlp_write.write(spans[:1]))
    assert len(otlp_write.write(spans)) < 50 * alone - 49 * len("service.name")


def test_what_otlp_has_no_place_for_is_bent_and_not_lost() -> None:
    deep: Any = "end"
    for _ in range(100):
        deep = [deep]
    odd = {"big": 2**70, "none": None, "half": "a\ud800b", "set": {1: "x"}, "deep": deep, "object": 1j}
    (read,) = otlp_read.read(otlp_write.write([_span(1, attributes=odd, started_ns=-5, ended_ns=2**70)]))
    assert read.attributes["big"] == str(2**70) and read.attributes["none"] is None
    assert read.attributes["half"] == "a?b" and read.attributes["set"] == {"1": "x"}
    assert read.attributes["object"] == "1j" and (read.started_ns, read.ended_ns) == (0, 2**64 - 1)


def _span(number: int, **fields: Any) -> Span:
    times = {"started_ns": 1, "ended_ns": 2, **fields}
    return Span(trace_id=f"{1:032x}", span_id=f"{number + 1:016x}", name="a", **times)
