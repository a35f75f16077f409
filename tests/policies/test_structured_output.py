"""Structured output: answers are checked, repaired where asked for, and schemas are the caller's text: not trusted."""

import time
from typing import Any

import msgspec
import pytest

from llmops.errors import InvalidRequest
from llmops.policies.structured_output import structured_output
from llmops.types import Call, Outcome, OutputContract, Reply, Usage
from tests.fakes.upstream import Upstream
from tests.fakes.upstream import answering as upstream_answering

from .handlers import Events, a_call, answering, some

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}


def wanting(schema: Any = SCHEMA) -> Call:
    return a_call(output=OutputContract(schema=None if schema is None else msgspec.json.encode(schema)))


async def verdict(text: str | None, schema: Any = SCHEMA) -> bool | None:
    return (await structured_output()(answering(text))(wanting(schema))).json_valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('{"a": 1}', True),
        (' {"a": 1}\n', True),
        ('{"a": "1"}', False),
        ('{"a": 1, "b": 2}', False),
        ("{}", False),
        ("[]", False),
        ("null", False),
        ('{"a": 1', False),
        ('```json\n{"a": 1}\n```', False),
        ("Sure!", False),
        ("[" * 100_000, False),
        (None, None),
        ("", None),
    ],
)
async def test_an_answer_to_a_schema(text: str | None, valid: bool | None) -> None:
    assert await verdict(text) is valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [("{}", True), ('{"any": [1]}', True), ("[]", False), ("1", False), ("nonsense", False), (None, None)],
)
async def test_an_answer_in_json_mode(text: str | None, valid: bool | None) -> None:
    assert await verdict(text, None) is valid


async def test_a_call_that_demands_nothing_is_left_alone() -> None:
    call = a_call()
    reply = await structured_output(3)(answering("no json"))(call)
    assert (reply.json_valid, call.keep_text) == (None, False)


@pytest.mark.parametrize(
    ("texts", "attempts", "calls", "valid"),
    [
        (["bad", "bad", '{"a": 1}'], 0, 1, False),
        (["bad", "bad", '{"a": 1}'], 1, 2, False),
        (["bad", "bad", '{"a": 1}'], 2, 3, True),
        (['{"a": 1}'], 5, 1, True),
        (["bad"], 3, 4, False),
        ([None], 3, 1, None),
    ],
)
async def test_repairs_and_what_they_cost(
    texts: list[str | None], attempts: int, calls: int, valid: bool | None
) -> None:
    """Every attempt was paid for, so their usage adds up."""
    reply = await structured_output(attempts)(answering(*texts))(wanting())
    assert (reply.json_valid, reply.outcome.usage) == (valid, Usage(prompt=3 * calls, completion=2 * calls))


async def test_an_attempt_that_nobody_counted_is_estimated_into_the_sum() -> None:
    replies = [
        Reply(outcome=Outcome(text="bad", output_chars=400)),
        Reply(outcome=Outcome(text='{"a": 1}', usage=Usage(prompt=3, completion=2))),
    ]

    async def handle(call: Call) -> Reply:
        return replies.pop(0)

    call = wanting()
    reply = await structured_output(1)(handle)(call)
    assert reply.outcome.usage == Usage(prompt=4, completion=102, source="estimated")  # a body of two bytes is a token
    assert call.spent == Usage(prompt=1, completion=100, source="estimated")


async def test_a_stream_is_checked_at_its_end() -> None:
    async def handle(call: Call) -> Reply:
        assert call.keep_text
        outcome = Outcome(text='{"a": 1}')
        return Reply(stream=Events(some(b"1", b"2")), outcome=outcome)

    reply = await structured_output(3)(handle)(wanting())
    assert reply.stream is not None
    assert (await reply.stream.__anext__(), reply.json_valid) == (b"1", None)
    assert [event async for event in reply.stream] == [b"2"] and reply.json_valid is True
    await reply.stream.aclose()


async def test_a_stream_that_is_given_up_has_no_verdict() -> None:
    inner = Events(some(b"1", b"2"))

    async def handle(call: Call) -> Reply:
        return Reply(stream=inner, outcome=Outcome(text='{"a":'))

    reply = await structured_output()(handle)(wanting())
    assert reply.stream is not None
    await reply.stream.__anext__()
    await reply.stream.aclose()
    assert (reply.json_valid, inner.closed) == (None, 1)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": 7},
        {"type": "hologram"},
        {"$ref": "#/$defs/missing"},
        {"pattern": "("},
        {"minimum": "x"},
        7,
        "x",
        [],
        {"required": "a"},
        {"properties": []},
    ],
)
async def test_an_unusable_schema_is_the_callers_fault(schema: Any) -> None:
    with pytest.raises(InvalidRequest, match="schema of the requested output is not usable") as caught:
        await verdict("{}", schema)
    assert caught.value.param == "response_format" and len(caught.value.message) < 1000


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {},
        {"$schema": "https://json-schema.org/draft/2020-12/schema"},
        {"$schema": "http://json-schema.org/draft-07/schema#"},
        {"$defs": {"x": {"type": "object"}}, "$ref": "#/$defs/x"},
    ],
)
async def test_usual_schemas_are_usable(schema: Any) -> None:
    assert await verdict("{}", schema) is True


async def test_a_schema_makes_the_gateway_fetch_nothing() -> None:
    async with Upstream(upstream_answering(200, {})) as elsewhere:
        for schema in (
            {"$ref": f"{elsewhere.url}/schema.json"},
            {"$ref": "file:///etc/passwd"},
            {"$schema": f"{elsewhere.url}/meta"},
            {"$id": elsewhere.url, "$ref": "other.json"},
            {"properties": {"a": {"$dynamicRef": f"{elsewhere.url}/d"}}},
        ):
            with pytest.raises(InvalidRequest, match="not usable"):
                await verdict("{}", schema)
        assert elsewhere.requests == [] and elsewhere.connections == 0


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("^(a+)+$", "a" * 50_000 + "!"),
        ("^(a|a)*$", "a" * 50_000 + "!"),
        ("^(a|aa)+$", "a" * 50_000 + "!"),
        ("(x+x+)+y", "x" * 20_000),
    ],
)
async def test_a_pattern_cannot_run_without_end(pattern: str, text: str) -> None:
    """It either matches in linear time or is refused; the event loop is everybody's."""
    started = time.perf_counter()
    assert await verdict(msgspec.json.encode(text).decode(), {"type": "string", "pattern": pattern}) is False
    assert time.perf_counter() - started < 1


async def test_a_recursive_schema_ends() -> None:
    tree = {"$defs": {"n": {"type": "object", "properties": {"c": {"$ref": "#/$defs/n"}}}}, "$ref": "#/$defs/n"}
    assert await verdict('{"c":' * 100 + "{}" + "}" * 100, tree) is True
    assert await verdict("{}", {"$ref": "#"}) is not None


async def test_many_schemas_do_not_pile_up() -> None:
    policy = structured_output()(answering('{"a": 1}'))
    for number in range(600):
        reply = await policy(wanting({**SCHEMA, "description": str(number)}))
        assert reply.json_valid is True
