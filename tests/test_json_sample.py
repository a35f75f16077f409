"""The sampler: its values fit the schemas they were made for, and it always ends."""

import random
import time
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.json_sample import sample

_NODE: dict[str, Any] = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {"value": {"type": "integer"}, "next": {"$ref": "#/$defs/node"}},
            "required": ["value"],
        }
    }
}

FITTING: list[Any] = [
    True,
    {},
    {"type": "string"},
    {"type": "string", "minLength": 40},
    {"type": "string", "maxLength": 2},
    {"type": "string", "minLength": 3, "maxLength": 3},
    *(
        {"type": "string", "format": name}
        for name in ("date-time", "date", "time", "duration", "email", "uuid", "uri", "hostname", "ipv4", "ipv6")
    ),
    {"type": "integer"},
    {"type": "integer", "minimum": 7, "maximum": 7},
    {"type": "integer", "minimum": -10, "maximum": -3},
    {"type": "integer", "maximum": -1000},
    {"type": "integer", "exclusiveMinimum": 4, "exclusiveMaximum": 6},
    {"type": "integer", "minimum": 1, "exclusiveMinimum": 8, "maximum": 9},
    {"type": "integer", "multipleOf": 7, "minimum": 10},
    {"type": "integer", "minimum": 1.5, "maximum": 2.5},
    {"type": "number", "minimum": 0.1, "maximum": 0.2},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1e-9},
    {"type": "number", "multipleOf": 0.5, "minimum": 3},
    {"type": "number", "maximum": -5},
    {"type": "boolean"},
    {"type": "null"},
    {"type": ["null", "string"]},
    {"type": ["null"]},
    {"enum": ["a", 1, None]},
    {"const": {"a": [1]}},
    {"type": "array"},
    {"type": "array", "items": {"type": "integer"}, "minItems": 3},
    {"type": "array", "items": {"type": "integer"}, "maxItems": 0},
    {"type": "array", "items": {"type": "string"}, "minItems": 4, "uniqueItems": True},
    {"type": "array", "items": {"type": "integer"}, "minItems": 4, "uniqueItems": True},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
    {"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "null"}, "minItems": 3},
    {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    },
    {"type": "object", "required": ["not described"]},
    {"type": "object", "required": ["x"], "additionalProperties": {"type": "integer"}},
    {"type": "object", "minProperties": 2, "additionalProperties": {"type": "boolean"}},
    {"type": "object", "properties": {"never": False}},
    {"properties": {"a": {"type": "null"}}},
    {"anyOf": [{"type": "string"}, {"type": "integer"}]},
    {
        "oneOf": [
            {"type": "string", "const": "x"},
            {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]},
        ]
    },
    {"type": "object", "properties": {"a": {"type": "integer"}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
    {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"properties": {"b": {"type": "integer"}}, "required": ["b"]},
        ]
    },
    {"allOf": [{"type": "integer", "minimum": 3}, {"minimum": 5}, {"maximum": 6}]},
    {"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"type": "integer"}}},
    {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"enum": ["slash"]}}},
    {"$ref": "#/anyOf/1", "anyOf": [{"type": "string"}, {}]},
    {"$ref": "#/$defs/text", "maxLength": 3, "$defs": {"text": {"type": "string"}}},
    {**_NODE, "$ref": "#/$defs/node"},
    {**_NODE, "type": "array", "items": {"$ref": "#/$defs/node"}},
    {
        "type": "object",
        "properties": {
            "left": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
            "right": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
        },
        "required": ["left", "right"],
        "additionalProperties": False,
    },
    {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}}}, "required": ["children"]},
]


@pytest.mark.parametrize("schema", FITTING, ids=str)
def test_a_value_fits_its_schema(schema: Any) -> None:
    check = jsonschema_rs.validator_for(schema, validate_formats=True)
    for seed in range(25):
        value = sample(schema, random.Random(seed))
        assert check.is_valid(value), value


def test_the_same_dice_give_the_same_value() -> None:
    schema = FITTING[-2]
    assert sample(schema, random.Random(3)) == sample(schema, random.Random(3))
    assert len({str(sample({"type": "integer"}, random.Random(seed))) for seed in range(20)}) > 5


def test_optional_members_are_filled() -> None:
    assert set(sample({"properties": {"a": {}, "b": {}}, "required": ["a"]}, random.Random(0))) == {"a", "b"}


ENDLESS: list[Any] = [
    {"$ref": "#"},
    {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
    {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
    {"type": "object", "properties": {name: {"$ref": "#"} for name in "abcdef"}, "required": list("abcdef")},
    {"type": "array", "items": {"$ref": "#"}, "minItems": 50},
    {"anyOf": [{"$ref": "#"}]},
    {"allOf": [{"$ref": "#"}]},
    {"type": "string", "minLength": 10**12},
    {"type": "array", "minItems": 10**12},
    {"type": "object", "minProperties": 10**12},
    {"type": "integer", "minimum": 10**300},
]


@pytest.mark.parametrize("schema", ENDLESS, ids=str)
def test_it_ends_where_no_value_of_reasonable_size_exists(schema: Any) -> None:
    began = time.perf_counter()
    sample(schema, random.Random(0))
    assert time.perf_counter() - began < 1


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_keyword = st.sampled_from(
    (
        "$ref type enum const anyOf oneOf allOf properties required additionalProperties items prefixItems minimum "
        "maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength minItems maxItems minProperties "
        "format uniqueItems"
    ).split()
)
_types = st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null", "nonsense"])


@given(
    st.recursive(
        st.dictionaries(_keyword, _types | _anything | st.just("#"), max_size=4),
        lambda inner: st.dictionaries(
            _keyword,
            inner | st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
            max_size=4,
        ),
        max_leaves=12,
    ),
    st.integers(0, 99),
)
def test_what_is_no_schema_does_no_harm(schema: Any, seed: int) -> None:
    """A tool's parameters come from callers and are not checked before: nothing they hold may raise."""
    sample(schema, random.Random(seed))


_leaf = st.one_of(
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.builds(
        lambda low, span: {"type": "integer", "minimum": low, "maximum": low + span},
        st.integers(-999, 999),
        st.integers(0, 50),
    ),
    st.builds(
        lambda low, span: {"type": "number", "minimum": low, "maximum": low + span},
        st.floats(-99, 99),
        st.floats(0.01, 9),
    ),
    st.builds(
        lambda low, span: {"type": "string", "minLength": low, "maxLength": low + span},
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    st.builds(lambda values: {"enum": values}, st.lists(st.text(max_size=3) | st.integers(), min_size=1, max_size=3)),
)


def _object(members: dict[str, Any], required: set[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": members,
        "required": sorted(required & set(members)),
        "additionalProperties": False,
    }


_schemas = st.recursive(
    _leaf,
    lambda inner: st.one_of(
        st.builds(
            _object, st.dictionaries(st.sampled_from("abcd"), inner, max_size=4), st.sets(st.sampled_from("abcd"))
        ),
        st.builds(
            lambda items, low, span: {"type": "array", "items": items, "minItems": low, "maxItems": low + span},
            inner,
            st.integers(0, 3),
            st.integers(0, 2),
        ),
        st.builds(lambda options: {"anyOf": options}, st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=10,
)


@settings(max_examples=200)
@given(_schemas, st.integers(0, 9))
def test_random_schemas_are_fitted(schema: Any, seed: int) -> None:
    value = sample(schema, random.Random(seed))
    assert jsonschema_rs.is_valid(schema, value), value
