"""Rows of the tables about releases, as their values."""

from typing import Any

import msgspec

from ..bundle import Bundle
from ..release import Move, Pointer, Release, Verdict

_bundle = msgspec.json.Decoder(Bundle).decode
_run_ids = msgspec.json.Decoder(list[str]).decode
SHARED = "*"
"""The tenant of a shared row, as with prompts: no tenant can be called that."""


def stored_tenant(tenant: str | None) -> str:
    return tenant if tenant is not None else SHARED


def tenant_of(stored: str) -> str | None:
    return None if stored == SHARED else stored


def release_of(row: Any) -> Release:
    return Release(
        id=row["id"],
        tenant=tenant_of(row["tenant"]),
        bundle=_bundle(row["bundle"]),
        parent=row["parent"],
        created_at_ms=row["created_at_ms"],
        created_by=row["created_by"],
        reason=row["reason"],
    )


def pointer_of(row: Any) -> Pointer:
    return Pointer(**{**row, "tenant": tenant_of(row["tenant"])})


def move_of(row: Any) -> Move:
    return Move(**{name: row[name] for name in Move.__struct_fields__} | {"tenant": tenant_of(row["tenant"])})


def verdict_of(row: Any) -> Verdict:
    return Verdict(
        verdict=row["verdict"], run_ids=_run_ids(row["run_ids"]), at_ms=row["at_ms"], by=row["by"], reason=row["reason"]
    )


def storable(text: str) -> str:
    """PostgreSQL keeps neither NUL nor half a surrogate."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
