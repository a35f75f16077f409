"""Token counting: a Messages request that has no answer and costs nothing."""

import json
from typing import Any

import pytest
from anthropic.types import MessageTokensCount

from llmops.dialects.conversation import Message, Text
from llmops.dialects.count_tokens import CountTokensDialect
from llmops.dialects.dialect import ClientDialect
from llmops.errors import InvalidRequest, UpstreamBroken
from llmops.types import NO_USAGE, Outcome

DIALECT = CountTokensDialect()
AS_CLIENT: ClientDialect = DIALECT
REQUEST: dict[str, Any] = {"model": "claude", "system": "s", "messages": [{"role": "user", "content": "Hello"}]}


def test_view_needs_no_output_limit_and_never_streams() -> None:
    seen = DIALECT.view(json.dumps({**REQUEST, "stream": True}).encode())
    assert (seen.model, seen.stream, seen.max_tokens, len(seen.messages)) == ("claude", False, None, 2)


def test_a_request_is_the_conversation_of_messages() -> None:
    read = DIALECT.read_request(json.dumps(REQUEST).encode())
    assert (read.system, read.messages) == ([Text("s")], [Message("user", [Text("Hello")])])


@pytest.mark.parametrize("garbage", [b"", b"{}", b"[]", b'{"model":"m","messages":[]}', b'{"model":"m","messages":5}'])
def test_garbage_is_an_invalid_request(garbage: bytes) -> None:
    for read in (DIALECT.view, DIALECT.read_request):
        with pytest.raises(InvalidRequest):
            read(garbage)


def test_patch_changes_the_model() -> None:
    assert json.loads(DIALECT.patch(json.dumps(REQUEST).encode(), "x", ask_usage=False)) == {**REQUEST, "model": "x"}


def test_counting_uses_nothing() -> None:
    outcome = Outcome()
    DIALECT.tap_reply(b'{"input_tokens": 12, "new": {}}', outcome)
    assert outcome.usage == NO_USAGE


@pytest.mark.parametrize("garbage", [b"", b"{}", b"[]", b'{"input_tokens":"1"}', b'{"input_tokens":-1}', b"\xff"])
def test_what_is_no_count_is_broken(garbage: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        DIALECT.tap_reply(garbage, Outcome())


def test_a_count_is_written() -> None:
    assert MessageTokensCount.model_validate_json(DIALECT.write_reply(7)).input_tokens == 7


def test_errors_are_those_of_messages() -> None:
    assert json.loads(DIALECT.write_error(InvalidRequest("x"), "r"))["error"]["type"] == "invalid_request_error"
    assert DIALECT.read_error(400, b'{"error":{"type":"t","message":"m"}}').message == "m"
