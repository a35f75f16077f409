"""Conditions of targeting rules: a small closed language over the attributes of whoever asks, and nothing that is run.

::

    all: [{attribute: plan, in: [pro, team]}, {not: {attribute: country, equals: CH}}]
    {attribute: app.version, semver: ">=2.3.0"}

A condition is ``all``, ``any`` or ``not`` of others, or an ``attribute`` (dots go into objects) with one comparison. It
is checked and made into plain functions once, when the flag is read. An attribute that is not there, or is of another
kind, fits nothing (but ``exists: false``): no error in the middle of a decision.
"""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import InvalidRequest

Context = Mapping[str, Any]
Predicate = Callable[[Context], bool]
_MAX_DEPTH = 8
_MAX_LIST = 10_000
_NUMERIC: Mapping[str, Callable[[Any, Any], bool]] = {
    "less_than": operator.lt,
    "at_most": operator.le,
    "greater_than": operator.gt,
    "at_least": operator.ge,
}
_TEXTUAL: Mapping[str, Callable[[str, str], bool]] = {
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "contains": operator.contains,
}
_COMPARISONS = ("equals", "in", "exists", "semver", *_NUMERIC, *_TEXTUAL)
_SEMVER = re.compile(
    r"v?(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(?:-([0-9A-Za-z.-]{1,100}))?(?:\+[0-9A-Za-z.-]{1,100})?"
)
_RANGE = re.compile(r"(>=|<=|>|<|=|\^|~)?\s*(\S+)")
_MISSING = object()


def predicate_of(condition: Any, where: str = "when", depth: int = 0) -> Predicate:
    """The condition as a function; `InvalidRequest` that names the place for what is none."""
    if not isinstance(condition, dict) or not condition:
        raise _wrong(where, condition, "an object with all, any, not or attribute")
    if depth > _MAX_DEPTH:
        raise _wrong(where, "…", f"conditions are nested {_MAX_DEPTH} deep at most")
    if "attribute" in condition:
        return _comparison(condition, where)
    if len(condition) != 1:
        raise _wrong(where, condition, "one of all, any and not by itself")
    ((kind, value),) = condition.items()
    if kind == "not":
        inner = predicate_of(value, f"{where}.not", depth + 1)
        return lambda context: not inner(context)
    if kind not in ("all", "any") or not isinstance(value, list) or not 0 < len(value) <= 100:
        raise _wrong(where, condition, "all or any with a list of 1 to 100 conditions")
    parts = [predicate_of(each, f"{where}.{kind}[{number}]", depth + 1) for number, each in enumerate(value)]
    together = all if kind == "all" else any
    return lambda context: together(part(context) for part in parts)


def value_at(context: Context, path: tuple[str, ...]) -> Any:
    """What stands there; a whole name with dots goes before a path. None where there is nothing."""
    found = _at(context, path)
    return None if found is _MISSING else found


def _comparison(condition: dict[str, Any], where: str) -> Predicate:
    name = condition["attribute"]
    comparisons = [each for each in condition if each != "attribute"]
    if not isinstance(name, str) or not 0 < len(name) <= 200:
        raise _wrong(f"{where}.attribute", name, "a name such as user or plan.name")
    if len(comparisons) != 1 or comparisons[0] not in _COMPARISONS:
        raise _wrong(where, condition, f"one comparison of {', '.join(_COMPARISONS)}")
    kind, path = comparisons[0], tuple(name.split("."))
    wanted, place = condition[kind], f"{where}.{kind}"
    if kind == "exists":
        if not isinstance(wanted, bool):
            raise _wrong(place, wanted, "true or false")
        return lambda context: (_at(context, path) is not _MISSING) == wanted
    fits = _fits(kind, wanted, place)
    return lambda context: fits(_at(context, path))


def _fits(kind: str, wanted: Any, place: str) -> Callable[[Any], bool]:
    if kind == "equals":
        if not isinstance(wanted, str | int | float | bool):
            raise _wrong(place, wanted, "a text, a number or a truth value")
        return lambda found: _same(found, wanted)
    if kind == "in":
        if not isinstance(wanted, list) or not 0 < len(wanted) <= _MAX_LIST:
            raise _wrong(place, wanted, f"a list of 1 to {_MAX_LIST} values")
        if not all(isinstance(each, str | int | float | bool) for each in wanted):
            raise _wrong(place, "…", "a list of texts, numbers or truth values")
        keys = frozenset((isinstance(each, bool), each) for each in wanted)
        return lambda found: isinstance(found, str | int | float) and (isinstance(found, bool), found) in keys
    if kind == "semver":
        return _semver_range(wanted, place)
    if kind in _NUMERIC:
        if isinstance(wanted, bool) or not isinstance(wanted, int | float):
            raise _wrong(place, wanted, "a number")
        compare = _NUMERIC[kind]
        return lambda found: isinstance(found, int | float) and not isinstance(found, bool) and compare(found, wanted)
    if not isinstance(wanted, str) or not wanted:
        raise _wrong(place, wanted, "a text")
    holds = _TEXTUAL[kind]
    return lambda found: isinstance(found, str) and holds(found, wanted)


def _semver_range(wanted: Any, place: str) -> Callable[[Any], bool]:
    parsed = _RANGE.fullmatch(wanted) if isinstance(wanted, str) else None
    bound = _version(parsed[2]) if parsed else None
    if parsed is None or bound is None:
        raise _wrong(place, wanted, "a range such as >=2.3.0, ^2.0.0, ~2.3.0 or 2.3.1")
    sign = parsed[1] or "="
    if sign in ("^", "~"):
        major, minor, patch = bound[:3]
        if sign == "~" or (major == 0 and minor > 0):
            above = (major, minor + 1, 0)
        else:
            above = (major + 1, 0, 0) if major else (0, 0, patch + 1)
        return lambda found: (v := _version(found)) is not None and bound <= v and v[:3] < above
    compare = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "=": operator.eq}[sign]
    return lambda found: (v := _version(found)) is not None and compare(v, bound)


def _version(text: Any) -> tuple[int, int, int, tuple[Any, ...]] | None:
    """Comparable as https://semver.org says: a pre-release is before its release, numbers before words."""
    parsed = _SEMVER.fullmatch(text) if isinstance(text, str) and len(text) <= 250 else None
    if parsed is None:
        return None
    before: tuple[Any, ...] = (1,)
    if parsed[4]:
        parts = tuple((0, int(each[:9]), "") if each.isdigit() else (1, 0, each) for each in parsed[4].split("."))
        before = (0, *parts)
    return int(parsed[1]), int(parsed[2]), int(parsed[3]), before


def _same(found: Any, wanted: Any) -> bool:
    """1 is not true, though Python says so."""
    return isinstance(found, bool) == isinstance(wanted, bool) and bool(found == wanted)


def _at(context: Context, path: tuple[str, ...]) -> Any:
    if len(path) == 1:
        return context.get(path[0], _MISSING)
    whole = context.get(".".join(path), _MISSING)
    if whole is not _MISSING:
        return whole
    found: Any = context
    for step in path:
        found = found.get(step, _MISSING) if isinstance(found, Mapping) else _MISSING
    return found


def _wrong(where: str, value: Any, right: str) -> InvalidRequest:
    return InvalidRequest(f"{where}: {str(value)[:200]!r}: {right}", param=where)
