"""Tenants and keys as the shell and the control plane show them: plain data, nothing secret, times in ISO 8601."""

from datetime import UTC, datetime
from typing import Any

from .key import Key, Tenant


def show_key(key: Key) -> dict[str, Any]:
    """A key without anything secret."""
    return {
        "id": key.id,
        "tenant": key.tenant,
        "name": key.name,
        "role": key.role,
        "state": key.state(datetime.now(UTC).timestamp()),
        "operations": list(key.operations),
        "models": list(key.models),
        "created_at": _moment(key.created_at_s),
        "expires_at": _moment(key.expires_at_s),
        "revoked_at": _moment(key.revoked_at_s),
        "previous_secret_until": _moment(key.previous_until_s),
        "timeout_seconds": key.timeout_s,
    }


def show_tenant(tenant: Tenant) -> dict[str, Any]:
    return {
        "id": tenant.id,
        "name": tenant.name,
        "created_at": _moment(tenant.created_at_s),
        "disabled": tenant.disabled,
    }


def _moment(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
