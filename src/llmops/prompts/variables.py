"""What a template's variables are: declared types, defaults and bounds, and the check of the values given.

A value is data: its text is put into the template as it is and never interpreted. Every complaint names the variable
and shows the value, shortened. Variables that a template uses and nobody declared take any value.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from ..errors import InvalidRequest

Type = Literal["any", "string", "integer", "number", "boolean", "list", "object"]
MAX_VALUE_CHARS = 1_000_000
"""Of a value as text, unless its variable or the settings say less."""
_SHOWN_CHARS = 60
_TYPES: Mapping[str, tuple[type, ...]] = {
    "any": (str, int, float, bool, list, dict),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "object": (dict,),
}


class Variable(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What may stand in a variable's place. With a ``default`` it need not be given; without ``required`` it may be
    left out as well, and is then empty."""

    type: Type = "any"
    required: bool = True
    default: Any = None
    max_length: int | None = None
    """Characters of the value as text."""
    enum: tuple[Any, ...] | None = None
    description: str | None = None


def check_declared(name: str, declared: Variable) -> None:
    """`InvalidRequest` for a declaration that contradicts itself."""
    where = f"variables.{name}"
    if declared.max_length is not None and declared.max_length < 1:
        raise InvalidRequest(f"{where}.max_length: {declared.max_length!r}: must be at least 1", param=where)
    if declared.enum is not None and not declared.enum:
        raise InvalidRequest(f"{where}.enum: []: must list at least one value", param=where)
    for value in declared.enum or ():
        _check(name, msgspec.structs.replace(declared, enum=None), value, where, MAX_VALUE_CHARS)
    if declared.default is not None:
        _check(name, declared, declared.default, where, MAX_VALUE_CHARS)


def values_of(
    declared: Mapping[str, Variable], given: Mapping[str, Any], *, max_chars: int = MAX_VALUE_CHARS
) -> dict[str, Any]:
    """The value of every variable, defaults put in; `InvalidRequest` that names what is unknown, missing or wrong."""
    for name in given:
        if name not in declared:
            known = ", ".join(sorted(declared)) or "none"
            raise InvalidRequest(
                f"the prompt has no variable {name[:_SHOWN_CHARS]!r}; it has: {known[:500]}",
                param=f"prompt.variables.{name[:_SHOWN_CHARS]}",
            )
    values = {}
    for name, variable in declared.items():
        value = given.get(name)
        if value is None:
            value = variable.default
            if value is None:
                if variable.required:
                    raise InvalidRequest(
                        f"the prompt's variable {name!r} ({variable.type}) is missing", param=f"prompt.variables.{name}"
                    )
                value = _EMPTY.get(variable.type, "")
        else:
            _check(name, variable, value, f"prompt.variables.{name}", max_chars)
        values[name] = value
    return values


_EMPTY: Mapping[str, Any] = {"list": [], "object": {}}


def text_of(value: Any) -> str:
    """A value as it stands in the text: strings as they are, everything else as JSON writes it."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _check(name: str, variable: Variable, value: Any, param: str, max_chars: int) -> None:
    wanted = _TYPES[variable.type]
    is_wrong = not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted)
    if is_wrong:
        raise InvalidRequest(
            f"the variable {name!r} must be {_article(variable.type)}, not {_shown(value)}", param=param
        )
    most = max_chars if variable.max_length is None else min(variable.max_length, max_chars)
    size = len(value) if isinstance(value, str) else len(text_of(value)) if isinstance(value, list | dict) else 0
    if size > most:
        raise InvalidRequest(
            f"the variable {name!r} has {size:,} characters; at most {most:,} are accepted", param=param
        )
    if variable.enum is not None and not any(type(each) is type(value) and each == value for each in variable.enum):
        choices = ", ".join(_shown(each) for each in variable.enum[:20])
        raise InvalidRequest(f"the variable {name!r} must be one of {choices}; it is {_shown(value)}", param=param)


def _article(type_: str) -> str:
    if type_ == "any":
        return "a text, a number, a boolean, a list or an object"
    return f"an {type_}" if type_[0] in "aeiou" else f"a {type_}"


def _shown(value: Any) -> str:
    text = repr(value[:_SHOWN_CHARS]) if isinstance(value, str) else repr(value)
    return text if len(text) <= _SHOWN_CHARS + 2 else f"{text[:_SHOWN_CHARS]}…"
