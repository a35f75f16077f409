"""A JSON value that fits a JSON Schema, made from a seeded source of randomness.

Covers what structured output uses: types, properties, required, additionalProperties, items, prefixItems, enum, const,
anyOf, oneOf, allOf, local ``$ref``, bounds of numbers, lengths and counts, common string formats. Not covered:
``pattern``, ``not``, ``if``, ``uniqueItems`` beyond plain values; such a schema still gets a value of the right type.

It always ends, whatever the schema: nesting and size are bounded, optional members are left out where a schema refers
to itself, and a member without any finite value becomes null. A schema that is not one is taken for "anything".
"""

import math
import random
from typing import Any

_FORMATS = {
    "date-time": "2026-01-02T03:04:05Z",
    "date": "2026-01-02",
    "time": "03:04:05Z",
    "duration": "P1D",
    "email": "someone@example.com",
    "uuid": "3f0c8a52-4d3e-4a53-9f0e-0a6d5c1b2e77",
    "uri": "https://example.com/",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}
_FULL_DEPTH = 8
"""Up to here optional members are filled; below, only what is required."""
_MAX_DEPTH = 32
_MAX_VALUES = 2_000
_MAX_LENGTH = 10_000
_MAX_ITEMS = 200


def sample(schema: Any, dice: random.Random) -> Any:
    """A value valid for ``schema``; optional properties are filled as well, except where recursion must end."""
    return _Sampler(schema, dice).value(schema, 0)


class _Sampler:
    """One value in the making; ``_values`` counts what has been made, as breadth can explode as well as depth."""

    def __init__(self, root: Any, dice: random.Random) -> None:
        self._root = root
        self._dice = dice
        self._values = 0

    def value(self, schema: Any, depth: int) -> Any:
        self._values += 1
        if not isinstance(schema, dict):
            return None if schema is False else "anything"
        if depth >= _MAX_DEPTH or self._values > _MAX_VALUES:
            return None
        if "$ref" in schema:
            beside = {name: value for name, value in schema.items() if name != "$ref"}
            found = self._resolve(schema["$ref"])
            return self.value(_merged(found, beside) if beside and isinstance(found, dict) else found, depth + 1)
        if "const" in schema:
            return schema["const"]
        if choices := _list(schema, "enum"):
            return self._dice.choice(choices)
        for union in ("anyOf", "oneOf"):
            if options := _list(schema, union):
                beside = {name: value for name, value in schema.items() if name != union}
                option = self._choose(options, depth)
                return self.value(_merged(self._plain(option), beside), depth + 1)
        if parts := _list(schema, "allOf"):
            whole = {name: value for name, value in schema.items() if name != "allOf"}
            for part in parts:
                whole = _merged(whole, self._plain(part))
            return self.value(whole, depth + 1)
        return self._of_type(_type_of(schema), schema, depth)

    def _plain(self, schema: Any) -> dict[str, Any]:
        """A part of a combination as its own members; a reference is followed, once or in a chain."""
        for _ in range(_MAX_DEPTH):
            if not (isinstance(schema, dict) and "$ref" in schema):
                break
            beside = {name: value for name, value in schema.items() if name != "$ref"}
            found = self._resolve(schema["$ref"])
            schema = _merged(found, beside) if isinstance(found, dict) else found
        return schema if isinstance(schema, dict) else {}

    def _choose(self, options: list[Any], depth: int) -> Any:
        """Any option at first; deep down one that leads no deeper."""
        if depth < _FULL_DEPTH:
            return self._dice.choice(options)
        return min(options, key=_weight)

    def _of_type(self, kind: str, schema: dict[str, Any], depth: int) -> Any:
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "integer":
                return self._integer(schema)
            case "number":
                return self._number(schema)
            case "boolean":
                return self._dice.random() < 0.5
            case "null":
                return None
        text = _FORMATS.get(str(schema.get("format")), "sample")
        text = text.ljust(min(_count(schema, "minLength", 0), _MAX_LENGTH), "x")
        return text[: _count(schema, "maxLength", len(text))]

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        required = [name for name in _list(schema, "required") if isinstance(name, str)]
        extra = schema.get("additionalProperties", {})
        value = {
            name: self.value(inner, depth + 1)
            for name, inner in properties.items()
            if inner is not False and (name in required or (depth < _FULL_DEPTH and self._values < _MAX_VALUES // 2))
        }
        for name in required:
            if name not in value:
                value[name] = self.value(extra, depth + 1)
        number = 0
        while len(value) < min(_count(schema, "minProperties", 0), _MAX_ITEMS):
            value.setdefault(f"member_{number}", self.value(extra, depth + 1))
            number += 1
        return value

    def _array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        fixed = _list(schema, "prefixItems")
        inner = schema.get("items", {})
        grows = inner is not False and depth < _FULL_DEPTH and self._values < _MAX_VALUES // 2
        count = max(_count(schema, "minItems", 0), len(fixed), 1 if grows else 0)
        count = min(count, _count(schema, "maxItems", count), _MAX_ITEMS)
        items = [self.value(fixed[place] if place < len(fixed) else inner, depth + 1) for place in range(count)]
        return _distinct(items) if schema.get("uniqueItems") is True else items

    def _integer(self, schema: dict[str, Any]) -> int:
        step = max(round(_number(schema, "multipleOf") or 1), 1)
        low, high = _bounds(schema, step=1)
        if low is None:
            low = 0 if high is None or high >= 0 else high - 100 * step
        if high is None or high - low > 100 * step:
            high = low + 100 * step
        first = math.ceil(low / step) * step
        return int(first + step * self._dice.randint(0, max(int((high - first) // step), 0)))

    def _number(self, schema: dict[str, Any]) -> float:
        step = _number(schema, "multipleOf")
        if step and step == int(step):
            return self._integer(schema)
        low, high = _bounds(schema, step=0)
        if low is None:
            low = 0.0 if high is None or high > 0 else high - 1.0
        if high is None:
            high = low + 1.0
        if step:
            return math.ceil(low / step + 1e-9) * step
        value = low + (high - low) * (0.25 + self._dice.random() / 2)
        rounded = round(value, 6)
        return rounded if low <= rounded <= high and (low < rounded < high or low == high) else value

    def _resolve(self, reference: Any) -> Any:
        """A local reference (``#``, ``#/$defs/name``); anything else fits every value."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            return {}
        found = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            if step:
                name = step.replace("~1", "/").replace("~0", "~")
                if isinstance(found, list) and name.isascii() and name.isdigit() and int(name) < len(found):
                    found = found[int(name)]
                else:
                    found = found.get(name, {}) if isinstance(found, dict) else {}
        return found


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Both schemas' members; properties and required names are joined, bounds are the tighter ones."""
    merged = {**one, **other}
    for name in ("properties", "$defs"):
        if isinstance(one.get(name), dict) and isinstance(other.get(name), dict):
            merged[name] = {**one[name], **other[name]}
    for name in ("required", "allOf"):
        if _list(one, name) and _list(other, name):
            merged[name] = [*one[name], *other[name]]
    for tighter, names in (
        (max, ("minimum", "exclusiveMinimum", "minLength", "minItems")),
        (min, ("maximum", "exclusiveMaximum", "maxLength", "maxItems")),
    ):
        for name in names:
            ours, theirs = _number(one, name), _number(other, name)
            if ours is not None and theirs is not None:
                merged[name] = tighter(ours, theirs)
    return merged


def _weight(option: Any) -> int:
    """How far an option of a union leads on: plain values first, references last."""
    if not isinstance(option, dict):
        return 0
    if "$ref" in option:
        return 3
    if option.get("type") in ("object", "array") or "properties" in option or "items" in option:
        return 2
    return 1


def _type_of(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in schema or "required" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    return "number" if any(name in schema for name in ("minimum", "maximum", "multipleOf")) else "string"


def _bounds(schema: dict[str, Any], *, step: int) -> tuple[float | None, float | None]:
    """The lowest and the highest value; an exclusive bound is moved by ``step`` (0: it stays as a limit)."""
    low, high = _number(schema, "minimum"), _number(schema, "maximum")
    above, below = _number(schema, "exclusiveMinimum"), _number(schema, "exclusiveMaximum")
    if above is not None:
        above = math.floor(above) + 1 if step else above
        low = above if low is None else max(low, above)
    if below is not None:
        below = math.ceil(below) - 1 if step else below
        high = below if high is None else min(high, below)
    return low, high


def _distinct(items: list[Any]) -> list[Any]:
    """Numbers and texts made different from one another; whatever else there is stays as it is."""
    distinct: list[Any] = []
    for item in items:
        while item in distinct and type(item) in (int, str):
            item += 1 if isinstance(item, int) else "x"
        distinct.append(item)
    return distinct


def _number(schema: dict[str, Any], name: str) -> int | float | None:
    value = schema.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else None


def _count(schema: dict[str, Any], name: str, default: int) -> int:
    value = _number(schema, name)
    return default if value is None else max(int(value), 0)


def _list(schema: dict[str, Any], name: str) -> list[Any]:
    value = schema.get(name)
    return value if isinstance(value, list) else []
