"""What differs between two bundles, field by field and, in those that hold several things, entry by entry."""

from typing import Any

import msgspec

from .bundle import Bundle

_BY_ENTRY = ("parameters", "forced", "retrieval")


class FieldChange(msgspec.Struct, frozen=True):
    """``before`` or ``after`` None: it was or is not there."""

    field: str
    before: Any
    after: Any


def changes(before: Bundle, after: Bundle) -> list[FieldChange]:
    """In the order of the fields."""
    old, new = _flat(before), _flat(after)
    fields = dict.fromkeys((*old, *new))
    return [FieldChange(field, old.get(field), new.get(field)) for field in fields if old.get(field) != new.get(field)]


def _flat(bundle: Bundle) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in msgspec.structs.asdict(bundle).items():
        if name in _BY_ENTRY:
            found.update({f"{name}.{entry}": each for entry, each in value.items()})
        elif name == "prompt":
            found[name] = str(value) if value is not None else None
        elif name == "tools":
            found.update({f"tools.{_tool_name(each, number)}": each for number, each in enumerate(value)})
        else:
            found[name] = value
    return found


def _tool_name(tool: dict[str, Any], number: int) -> str:
    function = tool.get("function")
    name = function.get("name") if isinstance(function, dict) else tool.get("name")
    return name if isinstance(name, str) else str(number)
