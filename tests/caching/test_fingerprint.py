"""The same question is what may be answered the same; whatever could shape an answer makes another question."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.caching.fingerprint import UNSHAPING, Fingerprints

from .questions import QUESTION, a_call

KEYED = Fingerprints(b"k" * 32)


def key(body: dict[str, Any] | bytes = QUESTION, *, generation: bytes = b"g", **fields: Any) -> bytes | None:
    return KEYED.of(a_call(body, **fields), generation)


SHAPING: dict[str, Any] = {
    "model": "n",
    "messages": [{"role": "user", "content": "What is the answer?"}],
    "temperature": 0.3,
    "top_p": 0.5,
    "seed": 1,
    "max_tokens": 5,
    "max_completion_tokens": 5,
    "n": 2,
    "stop": ["x"],
    "stream": True,
    "stream_options": {"include_usage": True},
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "tool_choice": "none",
    "response_format": {"type": "json_object"},
    "logprobs": True,
    "presence_penalty": 0.1,
    "logit_bias": {"50256": -100},
    "reasoning_effort": "low",
    "modalities": ["text", "audio"],
    "prediction": {"type": "content", "content": "x"},
    "store": True,
    "verbosity": "low",
    "a_parameter_of_next_year": None,
}


@pytest.mark.parametrize("name", SHAPING)
def test_every_parameter_makes_another_question(name: str) -> None:
    assert key({**QUESTION, name: SHAPING[name]}) != key()


@pytest.mark.parametrize(
    "fields",
    [
        {"tenant": "other"},
        {"operation": "responses"},
        {"release_id": "r2"},
        {"prompt_version": "v2"},
        {"knowledge": "handbook@2"},
        {"allow_dropped": True},
        {"generation": b"h"},
    ],
)
def test_every_circumstance_makes_another_question(fields: dict[str, Any]) -> None:
    assert key(**fields) != key()


def test_who_asks_and_when_does_not() -> None:
    others = {"number": 2, "key_id": "other", "client_ip": "::1", "tags": {"a": "b"}, "started_at_s": 1.0}
    assert key(**others, credential="sk", priority="high", timeout_s=3.0, model="m") == key()


@pytest.mark.parametrize("name", sorted(UNSHAPING))
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("first", [True, False])
def test_what_does_not_shape_the_answer_makes_no_difference(
    name: str, separators: tuple[str, str], first: bool
) -> None:
    said = {name: {"a": 'x,"b":1'}, **QUESTION} if first else {**QUESTION, name: "alice"}
    plain = json.dumps(QUESTION, separators=separators).encode()
    assert key(json.dumps(said, separators=separators).encode()) == key(plain)


def test_a_key_of_another_installation_is_another() -> None:
    assert Fingerprints(b"l" * 32).of(a_call(), b"g") != key()


def test_parts_do_not_run_into_each_other() -> None:
    assert key(tenant="ab", release_id="c") != key(tenant="a", release_id="bc")
    assert key(release_id="x") != key(prompt_version="x") != key(knowledge="x")
    assert key(b'{"model":"m","a":"1","b":"2"}') != key(b'{"model":"m","a":"1,b:2"}')


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"model":"m","temperature":0,"temperature":1}', b'{"model":"m","temperature":2,"temperature":1}'),
        (b'{"model":"m","temperature":0,"temperature":1}', b'{"model":"m","temperature":1}'),
        (b'{"model":"m","user":"a","n":1,"n":2}', b'{"model":"m","user":"a","n":3,"n":2}'),
        (b'{"model":"m","user":"a","n":1,"\\u006e":2}', b'{"model":"m","user":"a","n":2}'),
        (b'{"model":"m","n":1,"user":"a","user":{"n":2}}', b'{"model":"m","n":1,"user":"b","user":{"n":2}}'),
        (b'{"model":"m","seed":9007199254740993}', b'{"model":"m","seed":9007199254740992}'),
        (b'{"model":"m","seed":' + b"9" * 4000 + b"}", b'{"model":"m","seed":' + b"9" * 4001 + b"}"),
        (b'{"model":"m","a":1.0}', b'{"model":"m","a":1}'),
        (b'{"model":"m","a":"\\ud83d\\ude00"}', '{"model":"m","a":"😀"}'.encode()),
        (b'{"model":"m","a":"\xc3\xa9"}', b'{"model":"m","a":"e\xcc\x81"}'),
        (b'{"model":"m","a":"x"}', b'{"model":"m","a":"x\\u0000"}'),
    ],
)
def test_what_parsers_disagree_on_is_not_confused(one: bytes, other: bytes) -> None:
    """Two bodies share an answer only if no parser in the world could tell them apart."""
    assert None is not key(one) != key(other) is not None


@pytest.mark.parametrize(
    "said",
    [
        {"previous_response_id": "resp_1"},
        {"conversation": {"id": "conv_1"}},
        {"background": True},
        {"container": "c_1"},
    ],
)
def test_what_refers_to_a_state_has_no_key(said: dict[str, Any]) -> None:
    assert key({**QUESTION, **said}) is None
    (name,) = said
    assert key({**QUESTION, name: None}) is not None


def test_a_state_that_hides_behind_a_second_name_is_found() -> None:
    twice = b'{"model":"m","previous_response_id":"resp_1","previous_response_id":null}'
    assert key(twice) is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["user", "metadata", "n", "stop", "tools", "x y", "é", 'q"'])
BODIES = st.dictionaries(NAMES, VALUES, max_size=6)
LAYOUTS = st.sampled_from([{"separators": (",", ":")}, {}, {"indent": 1}, {"ensure_ascii": False}])


@given(BODIES, BODIES, LAYOUTS, LAYOUTS)
def test_equal_keys_mean_equal_questions(
    one: dict[str, Any], other: dict[str, Any], layout: dict[str, Any], other_layout: dict[str, Any]
) -> None:
    def without(body: dict[str, Any]) -> str:
        return json.dumps({name: value for name, value in body.items() if name not in UNSHAPING})

    first = key(json.dumps({"model": "m", **one}, **layout).encode())
    second = key(json.dumps({"model": "m", **other}, **other_layout).encode())
    assert first != second or without(one) == without(other)
    if without(one) == without(other) and layout == other_layout == {"separators": (",", ":")}:
        assert first == second or 'q"' in {**one, **other} or "é" in {**one, **other}
