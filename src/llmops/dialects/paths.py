"""Naming the place of a fault: errors found inside an item are told by their path from the request's top."""

from typing import Any, TypeVar

import msgspec

from ..errors import InvalidRequest

T = TypeVar("T")


def placed(exc: InvalidRequest, path: str) -> InvalidRequest:
    """The same fault, its ``param`` told from the request's top: ``path`` is where the faulty part lies."""
    inner = exc.param or ""
    where = f"{path}.{inner}" if inner and not inner.startswith("[") else path + inner
    message = exc.message.partition(" (at ")[0]
    return InvalidRequest(f"{message} (at {where!r})", param=where)


def convert_at(value: Any, kind: type[T], path: str) -> T:
    """``value`` (decoded JSON) as ``kind``; a failure is an `InvalidRequest` that names the place below ``path``."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as exc:
        what, _, inner = str(exc).partition(" - at `$")
        where = path + inner.rstrip("`")
        raise InvalidRequest(f"{what} (at {where!r})", param=where) from exc
    except RecursionError as exc:
        raise InvalidRequest(f"nested too deeply (at {path!r})", param=path) from exc


def note_unknown(found: dict[str, Any], known: frozenset[str], path: str, leftover: dict[str, Any]) -> None:
    """Put the members of ``found`` that are not ``known`` into ``leftover``, but for empty ones: they ask nothing."""
    for name, value in found.items():
        if name not in known and not (value is None or value is False or value == [] or value == {}):
            leftover[f"{path}.{name}" if path else name] = value
