"""What differs between two versions: cases added, removed and changed, the changed ones field by field.

Metadata is compared entry by entry (``metadata.topic``), so that one changed entry of many shows as one.
"""

from typing import Any, Literal

import msgspec

from ..case import Case

Kind = Literal["added", "removed", "changed"]
_FIELDS = tuple(name for name in Case.__struct_fields__ if name not in ("id", "metadata"))


class FieldChange(msgspec.Struct, frozen=True):
    field: str
    before: Any
    after: Any


class CaseChange(msgspec.Struct, frozen=True, kw_only=True):
    """``before`` is None of an added case, ``after`` of a removed one; ``fields`` only of a changed one."""

    case_id: str
    kind: Kind
    before: Case | None = None
    after: Case | None = None
    fields: tuple[FieldChange, ...] = ()


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """``changes`` may be fewer than there are: counts are of all."""

    before: str
    after: str
    added: int
    removed: int
    changed: int
    unchanged: int
    changes: list[CaseChange]


def change_of(case_id: str, before: Case | None, after: Case | None) -> CaseChange:
    if before is None:
        return CaseChange(case_id=case_id, kind="added", after=after)
    if after is None:
        return CaseChange(case_id=case_id, kind="removed", before=before)
    return CaseChange(
        case_id=case_id, kind="changed", before=before, after=after, fields=tuple(field_changes(before, after))
    )


def field_changes(before: Case, after: Case) -> list[FieldChange]:
    found = [
        FieldChange(name, getattr(before, name), getattr(after, name))
        for name in _FIELDS
        if _differ(getattr(before, name), getattr(after, name))
    ]
    for name in sorted({*before.metadata, *after.metadata}):
        old, new = before.metadata.get(name), after.metadata.get(name)
        if _differ(old, new) or (name in before.metadata) != (name in after.metadata):
            found.append(FieldChange(f"metadata.{name}", old, new))
    return found


def _differ(one: Any, other: Any) -> bool:
    """As JSON, where true is not 1."""
    encode = msgspec.json.Encoder(order="deterministic").encode
    return encode(one) != encode(other)
