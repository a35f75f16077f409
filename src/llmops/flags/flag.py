"""A flag as somebody writes it, and checked: its variants, who gets which by rule, and what is shared out.

::

    key: new-search
    kind: boolean
    variants: {"on": true, "off": false}
    default: "off"
    rules:
      - name: staff
        when: {attribute: tenant, equals: acme}
        serve: "on"
    split: {"on": 10, "off": 90}

Rules are asked in their order; the first that fits decides, by serving a variant or a split of its own. Then the flag's
``split`` decides, and without one the ``default``. A flag that is not ``enabled`` gives its default to everybody.
"""

import re
from typing import Any, Literal

import msgspec

from ..errors import InvalidRequest

Kind = Literal["boolean", "string", "number", "object"]
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
TARGETING_KEY = "targetingKey"
MAX_BYTES = 256_000
_MOST_RULES = 200
_MOST_VARIANTS = 100


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """``when`` is a `condition`. Either ``serve`` or ``split``."""

    name: str = ""
    when: dict[str, Any]
    serve: str | None = None
    split: dict[str, float] | None = None
    by: str | None = None


class Flag(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """``split`` has the weight of each variant; ``by`` is the attribute whose value is shared out (a user stays where
    it is), ``salt`` tells this sharing from another's: the key, unless two flags shall go together."""

    key: str
    kind: Kind = "boolean"
    variants: dict[str, Any]
    default: str
    enabled: bool = True
    description: str = ""
    rules: list[Rule] = []
    split: dict[str, float] | None = None
    by: str = TARGETING_KEY
    salt: str = ""


def read_flag(values: Any) -> Flag:
    """A flag from plain data; `InvalidRequest` that names the place for what is none."""
    try:
        flag = msgspec.convert(values, Flag)
    except msgspec.ValidationError as exc:
        what, _, where = str(exc).partition(" - at `$")
        path = where.rstrip("`").lstrip(".")
        raise InvalidRequest(f"the flag: {what}{f' (at {path!r})' if path else ''}", param=path or None) from exc
    _check(flag)
    return flag


def _check(flag: Flag) -> None:
    if not KEY.fullmatch(flag.key):
        raise _wrong("key", flag.key, "1 to 100 letters, digits and _ . -, beginning with a letter or digit")
    if not 0 < len(flag.variants) <= _MOST_VARIANTS:
        raise _wrong("variants", f"{len(flag.variants)} of them", f"1 to {_MOST_VARIANTS}")
    for name, value in flag.variants.items():
        if not KEY.fullmatch(name):
            raise _wrong("variants", name, "names of letters, digits and _ . -")
        if not _is_of(value, flag.kind):
            raise _wrong(f"variants.{name}", value, f"a {flag.kind}")
    _check_variant(flag, flag.default, "default")
    if len(flag.rules) > _MOST_RULES:
        raise _wrong("rules", f"{len(flag.rules)} of them", f"at most {_MOST_RULES}")
    for number, rule in enumerate(flag.rules):
        where = f"rules[{number}]"
        if (rule.serve is None) == (rule.split is None):
            raise _wrong(where, rule.name, "either serve or split")
        if rule.serve is not None:
            _check_variant(flag, rule.serve, f"{where}.serve")
        else:
            _check_split(flag, rule.split or {}, f"{where}.split")
    if flag.split is not None:
        _check_split(flag, flag.split, "split")
    if (size := len(msgspec.json.encode(flag))) > MAX_BYTES:
        raise InvalidRequest(f"the flag has {size} bytes; at most {MAX_BYTES} are kept")


def _check_variant(flag: Flag, name: str, where: str) -> None:
    if name not in flag.variants:
        raise _wrong(where, name, f"one of the variants {', '.join(flag.variants)}")


def _check_split(flag: Flag, split: dict[str, float], where: str) -> None:
    for name, weight in split.items():
        _check_variant(flag, name, where)
        if not 0 <= weight <= 1e9:
            raise _wrong(f"{where}.{name}", weight, "a weight from 0")
    if sum(split.values()) <= 0:
        raise _wrong(where, split, "weights, one of them above 0")


def _is_of(value: Any, kind: Kind) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "string":
        return isinstance(value, str)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, dict | list)


def _wrong(where: str, value: Any, right: str) -> InvalidRequest:
    return InvalidRequest(f"{where}: {str(value)[:200]!r}: {right}", param=where)
