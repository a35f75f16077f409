"""Bundles: one content is one id, whatever its spelling, and what is no bundle is told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.errors import InvalidRequest
from llmops.releases.bundle import RELEASE_ID, canonical, read_bundle, release_id, validate
from llmops.releases.diff import changes
from tests.releases.parts import BOT, SomeModels, SomePrompts

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["seed", "top_p", "stop", "x_extra"]), JSON, max_size=4))
def test_the_id_is_of_the_content_alone(parameters: dict[str, Any]) -> None:
    bundle = read_bundle({**BOT, "parameters": parameters})
    turned = read_bundle({"model": "mock", "parameters": dict(reversed(parameters.items())), "name": BOT["name"]})
    assert release_id(bundle) == release_id(turned) and canonical(bundle) == canonical(turned)
    assert RELEASE_ID.fullmatch(release_id(bundle))
    assert release_id(read_bundle({**BOT, "parameters": {**parameters, "n": 2}})) != release_id(bundle)


def test_the_id_stays_for_ever() -> None:
    """Records and runs refer to it."""
    bundle = read_bundle({**BOT, "prompt": {"name": "greeting", "version": 3}, "parameters": {"temperature": 0.2}})
    assert canonical(bundle) == (
        b'{"model":"mock","name":"support-bot","parameters":{"temperature":0.2},'
        b'"prompt":{"name":"greeting","version":3}}'
    )
    assert release_id(bundle) == "rel-62e75b68716657a7"


def test_the_gate_is_part_of_it() -> None:
    assert release_id(read_bundle(BOT)) != release_id(read_bundle({**BOT, "requires_gate": True}))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "a b"}, "name"),
        ({"name": "bot@rel-1"}, "name"),
        ({"name": ""}, "name"),
        ({"model": "gpt-*"}, "not a pattern"),
        ({"model": None}, "Expected `str`"),
        ({"colour": "red"}, "colour"),
        ({"prompt": {"name": "greeting"}}, "version"),
        ({"parameters": {"messages": []}}, "parameters.messages"),
        ({"forced": {"model": "x"}}, "forced.model"),
        ({"drop_caches": [{}]}, "drop_caches"),
        ({"drop_caches": [{"tenant": "other"}]}, "drop_caches"),
        ({"parameters": {"x": "y" * 300_000}}, "at most 256000"),
    ],
)
def test_what_is_no_bundle_is_told(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        read_bundle({**BOT, **fields})


def test_model_and_prompt_have_to_be_there() -> None:
    validate(read_bundle({**BOT, "prompt": {"name": "greeting", "version": 3}}), None, SomeModels(), SomePrompts())
    with pytest.raises(InvalidRequest, match="'nobody' does not exist"):
        validate(read_bundle({**BOT, "model": "nobody"}), None, SomeModels(), SomePrompts())
    pinned = read_bundle({**BOT, "prompt": {"name": "greeting", "version": 4}})
    with pytest.raises(InvalidRequest, match="no version 4 of the prompt 'greeting'"):
        validate(pinned, None, SomeModels(), SomePrompts())
    with pytest.raises(InvalidRequest, match="no version 4"):
        validate(pinned, None, SomeModels(), None)


def test_differences_are_by_field_and_entry() -> None:
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {}}}
    before = read_bundle({**BOT, "parameters": {"temperature": 0.2, "seed": 1}})
    after = read_bundle({**BOT, "model": "other", "parameters": {"temperature": 0.7, "seed": 1}, "tools": [tool]})
    assert [(each.field, each.before, each.after) for each in changes(before, after)] == [
        ("model", "mock", "other"),
        ("parameters.temperature", 0.2, 0.7),
        ("tools.look_up", None, tool),
    ]
