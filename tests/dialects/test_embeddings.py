"""The Embeddings dialect: what policies see, what passes untouched, and the road through neutral values."""

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.dialects.dialect import ClientDialect
from llmops.dialects.embeddings import EmbeddingRequest, EmbeddingsDialect
from llmops.errors import InvalidRequest, UpstreamBroken, UpstreamUnavailable
from llmops.types import MessageView, Outcome, Usage

EMBEDDINGS = EmbeddingsDialect()


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", **fields}).encode()


def test_it_is_a_client_dialect() -> None:
    dialect: ClientDialect = EMBEDDINGS
    assert dialect.name == "embeddings"


@pytest.mark.parametrize(
    ("given_input", "views"),
    [
        ("grüß", [MessageView("input", "grüß".encode(), 4)]),
        (["a", ""], [MessageView("input", b"a", 1), MessageView("input", b"", 0)]),
        ([1, 22], [MessageView("input", b"[1, 22]", 7)]),
        ([[1, 22], [3]], [MessageView("input", b"[1, 22]", 7), MessageView("input", b"[3]", 3)]),
    ],
)
def test_the_view_of_each_kind_of_input(given_input: Any, views: list[MessageView]) -> None:
    view = EMBEDDINGS.view(body(input=given_input, user="u", new_parameter=1))
    assert (view.model, view.user, view.stream, view.messages) == ("m", "u", False, views)


BAD_INPUTS: list[Any] = [
    None,
    1,
    1.5,
    True,
    {},
    {"a": 1},
    "",
    [],
    [[]][0],
    [None],
    [{}],
    [1.5],
    [True],
    ["a", 1],
    [1, "a"],
    [["a"]],
    [[1], "a"],
    [[1], 2],
    [[[1]]],
    [[1.5]],
]


@pytest.mark.parametrize("bad", BAD_INPUTS)
def test_a_bad_input_is_named(bad: Any) -> None:
    for reading in (EMBEDDINGS.view, EMBEDDINGS.read_request):
        with pytest.raises(InvalidRequest) as caught:
            reading(body(input=bad))
        assert caught.value.param == "input"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"input":"a"}',
        b'{"model":"m"}',
        b'{"model":1,"input":"a"}',
        b'{"model":null,"input":"a"}',
        b'{"model":"m","input":"a","user":7}',
        b'{"model":"m","input":"\xff"}',
        b'{"model":"m","input":["\xff"]}',
        b'{"model":"m","input":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_a_bad_body(raw: bytes) -> None:
    for reading in (EMBEDDINGS.view, EMBEDDINGS.read_request):
        with pytest.raises(InvalidRequest):
            reading(raw)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["data", "embedding", "usage", "prompt_tokens", "model"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json_values, json_values)
def test_any_json_is_read_or_refused(value: Any, other: Any) -> None:
    raw = json.dumps({"model": "m", "input": value, "dimensions": other}).encode()
    for reading in (EMBEDDINGS.view, EMBEDDINGS.read_request):
        try:
            reading(raw)
        except InvalidRequest:
            pass
    try:
        EMBEDDINGS.tap_reply(json.dumps(value).encode(), Outcome())
    except UpstreamBroken:
        pass


def test_the_patch_changes_the_model_alone() -> None:
    raw = b'{"model": "public", "input": [1,  2], "x": 1.10}'
    assert EMBEDDINGS.patch(raw, "real", ask_usage=False) == b'{"model":"real","input":[1,  2],"x":1.10}'


def test_the_tap_notes_model_and_usage() -> None:
    outcome = Outcome()
    EMBEDDINGS.tap_reply(
        b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AAAA"}],'
        b'"model":"real","usage":{"prompt_tokens":5,"total_tokens":5}}',
        outcome,
    )
    assert (outcome.model, outcome.usage) == ("real", Usage(prompt=5))
    silent = Outcome()
    EMBEDDINGS.tap_reply(b'{"data":[{"embedding":[0.5]}]}', silent)
    assert silent.usage.source == "none"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"data":{}}',
        b'{"data":[null]}',
        b'{"data":[{}]}',
        b'{"data":[],"usage":{"prompt_tokens":"5"}}',
        b'{"data":[],"model":1}',
    ],
)
def test_garbage_is_no_reply(raw: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        EMBEDDINGS.tap_reply(raw, Outcome())


def test_requests_become_neutral() -> None:
    assert EMBEDDINGS.read_request(body(input="a")) == EmbeddingRequest(inputs=["a"])
    full = EMBEDDINGS.read_request(
        body(input=["a", "b"], dimensions=8, encoding_format="base64", user="u", truncate="END", nothing=None)
    )
    assert full == EmbeddingRequest(inputs=["a", "b"], dimensions=8, encoding_format="base64", leftover=["truncate"])


@pytest.mark.parametrize("tokens", [[1, 2], [[1], [2]]])
def test_tokens_cannot_be_translated(tokens: Any) -> None:
    with pytest.raises(InvalidRequest, match="text only"):
        EMBEDDINGS.read_request(body(input=tokens))


@pytest.mark.parametrize(
    ("name", "value"),
    [("dimensions", 0), ("dimensions", "8"), ("dimensions", 1.5), ("encoding_format", "int8"), ("encoding_format", 1)],
)
def test_a_bad_parameter_is_named(name: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        EMBEDDINGS.read_request(body(input="a", **{name: value}))
    assert caught.value.param == name


def test_replies_of_numbers() -> None:
    wire = json.loads(EMBEDDINGS.write_reply([[0.5, -1.0], [2.0, 0.0]], "m", Usage(prompt=3)))
    assert wire == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.5, -1.0]},
            {"object": "embedding", "index": 1, "embedding": [2.0, 0.0]},
        ],
        "model": "m",
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=5))
def test_replies_of_base64_are_little_endian_floats(vector: list[float]) -> None:
    wire = json.loads(EMBEDDINGS.write_reply([vector], "m", Usage(prompt=3), "base64"))
    packed = base64.b64decode(wire["data"][0]["embedding"])
    assert list(struct.unpack(f"<{len(vector)}f", packed)) == vector


def test_replies_fit_the_official_sdk() -> None:
    types = pytest.importorskip("openai.types")
    reply = EMBEDDINGS.write_reply([[0.5]], "m", Usage(source="none"))
    assert types.CreateEmbeddingResponse.model_validate_json(reply).data[0].embedding == [0.5]


def test_errors_are_openais() -> None:
    assert EMBEDDINGS.read_error(400, b'{"error":{"message":"No.","code":"c"}}').message == "No."
    written = json.loads(EMBEDDINGS.write_error(UpstreamUnavailable("busy"), "r1"))
    assert written["error"]["message"] == "busy"
