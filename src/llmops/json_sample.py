"""A JSON value that fits a JSON Schema, made from a seeded source of randomness.

Covers what structured output uses: types, properties, required, items, enum, const, anyOf/oneOf/allOf, local ``$ref``,
numeric and length bounds, common string formats. Not covered: ``pattern``, ``not``, ``if``; such a schema still gets a
value of the right type.
"""

import random
from typing import Any

_FORMATS = {
    "date-time": "2026-01-02T03:04:05Z",
    "date": "2026-01-02",
    "time": "03:04:05Z",
    "email": "someone@example.com",
    "uuid": "3f0c8a52-4d3e-4a53-9f0e-0a6d5c1b2e77",
    "uri": "https://example.com/",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
}
_MAX_DEPTH = 32


def sample(schema: dict[str, Any], dice: random.Random) -> Any:
    """A value valid for ``schema``; optional properties are filled as well, except where recursion must end."""
    return _sample(schema, schema, dice, 0)


def _sample(schema: Any, root: dict[str, Any], dice: random.Random, depth: int) -> Any:
    if not isinstance(schema, dict):
        return None if schema is False else "anything"
    if "$ref" in schema:
        return _sample(_resolve(schema["$ref"], root), root, dice, depth + 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return dice.choice(schema["enum"])
    for union in ("anyOf", "oneOf"):
        if schema.get(union):
            return _sample(_shallowest(schema[union], depth, dice), root, dice, depth + 1)
    if schema.get("allOf"):
        merged: dict[str, Any] = {name: value for name, value in schema.items() if name != "allOf"}
        for part in schema["allOf"]:
            part = _resolve(part["$ref"], root) if "$ref" in part else part
            properties = {**merged.get("properties", {}), **part.get("properties", {})}
            required = [*merged.get("required", []), *part.get("required", [])]
            merged = {**merged, **part, "properties": properties, "required": required}
        return _sample(merged, root, dice, depth + 1)
    return _of_type(_type_of(schema), schema, root, dice, depth)


def _shallowest(options: list[Any], depth: int, dice: random.Random) -> Any:
    if depth < _MAX_DEPTH // 4:
        return dice.choice(options)
    plain = [option for option in options if isinstance(option, dict) and "$ref" not in option]
    return (plain or options)[-1]


def _type_of(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind
    return "object" if "properties" in schema else "array" if "items" in schema else "string"


def _of_type(kind: str, schema: dict[str, Any], root: dict[str, Any], dice: random.Random, depth: int) -> Any:
    match kind:
        case "object":
            required = schema.get("required", [])
            return {
                name: _sample(inner, root, dice, depth + 1)
                for name, inner in schema.get("properties", {}).items()
                if name in required or depth < _MAX_DEPTH // 4
            }
        case "array":
            count = max(schema.get("minItems", 0), 0 if depth >= _MAX_DEPTH // 4 else 1)
            count = min(count, schema.get("maxItems", count))
            fixed = schema.get("prefixItems", [])
            items = [_sample(inner, root, dice, depth + 1) for inner in fixed]
            while len(items) < count:
                items.append(_sample(schema.get("items", {}), root, dice, depth + 1))
            return items
        case "integer":
            return _integer(schema, dice)
        case "number":
            return _number(schema, dice)
        case "boolean":
            return dice.random() < 0.5
        case "null":
            return None
    text = _FORMATS.get(schema.get("format", ""), "sample")
    text = text.ljust(schema.get("minLength", 0), "x")
    return text[: schema["maxLength"]] if "maxLength" in schema else text


def _integer(schema: dict[str, Any], dice: random.Random) -> int:
    step = schema.get("multipleOf", 1)
    low = schema.get("minimum", schema["exclusiveMinimum"] + 1 if "exclusiveMinimum" in schema else None)
    high = schema.get("maximum", schema["exclusiveMaximum"] - 1 if "exclusiveMaximum" in schema else None)
    if low is None:
        low = 0 if high is None else high - 100
    if high is None:
        high = low + 100
    first = -int(-low // step) * step
    return int(first + step * dice.randint(0, max(int((high - first) // step), 0)))


def _number(schema: dict[str, Any], dice: random.Random) -> float:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None:
        low = 0.0 if high is None else high - 1.0
    if high is None:
        high = low + 1.0
    return round(low + (high - low) * (0.25 + dice.random() / 2), 6)


def _resolve(reference: str, root: dict[str, Any]) -> Any:
    """A local reference (``#``, ``#/$defs/name``); anything else fits every value."""
    found: Any = root
    for step in reference.removeprefix("#").strip("/").split("/") if reference.startswith("#") else []:
        if step:
            found = found.get(step.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, dict) else {}
    return found if reference.startswith("#") else {}
