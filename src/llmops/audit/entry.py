"""An entry of the audit trail, and what there is to show of it.

What was changed stands in it before and after, as short plain data: enough to understand and to undo, never a secret or
a message's text. Values that are long are cut; the trail is no copy of what it speaks of.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

MAX_CHARS = 200
"""Of each text."""
MAX_REASON_CHARS = 1000
_MAX_ITEMS = 20
_MAX_DEPTH = 3
Values = Mapping[str, Any]


class Actor(msgspec.Struct, frozen=True):
    """Who did it. ``tenant`` is whom it acts for: None for an operator, who acts for all."""

    name: str
    role: str
    tenant: str | None = None
    key_id: str | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """``tenant`` is whose thing was changed, and so who else sees this; None: the operator's alone."""

    id: int = 0
    at_ms: int
    tenant: str | None
    actor: Actor
    action: str
    object: str
    before: Values | None = None
    after: Values | None = None
    reason: str | None = None


def shortened(values: Values | None) -> dict[str, Any] | None:
    """Plain data of bounded size; what is None is left out."""
    return None if values is None else _short(values, 0)


def shown(entry: Entry, tenant: str | None) -> dict[str, Any]:
    """As plain data for a reader of ``tenant``, None for the operator. A tenant does not learn the operators' names."""
    actor = entry.actor
    if tenant is not None and actor.tenant != tenant:
        actor = Actor("an administrator", actor.role)
    at = datetime.fromtimestamp(entry.at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return {
        "id": entry.id,
        "at": at.replace("+00:00", "Z"),
        "actor": {"name": actor.name, "role": actor.role, "key_id": actor.key_id, "tenant": actor.tenant},
        "action": entry.action,
        "object": entry.object,
        "tenant": entry.tenant,
        "before": entry.before,
        "after": entry.after,
        "reason": entry.reason,
    }


def cut(text: str, most: int = MAX_CHARS) -> str:
    """No longer than that, and of characters that both databases keep: no NUL, no half surrogate."""
    text = text if len(text) <= most else f"{text[: most - 1]}…"
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _short(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        if depth >= _MAX_DEPTH:
            return "…"
        given = [(cut(str(name)), each) for name, each in value.items() if each is not None]
        return {name: _short(each, depth + 1) for name, each in given[:_MAX_ITEMS]}
    if isinstance(value, list | tuple):
        if depth >= _MAX_DEPTH:
            return "…"
        more = [f"… and {len(value) - _MAX_ITEMS} more"] if len(value) > _MAX_ITEMS else []
        return [*(_short(each, depth + 1) for each in value[:_MAX_ITEMS]), *more]
    return value if value is None or isinstance(value, bool | int | float) else cut(str(value))
