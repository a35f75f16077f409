"""Tenants and API keys over HTTP. A caller sees and changes its own tenant; an administrator all of them.

Another tenant's key is answered like one that does not exist. Nobody makes, rotates or ends a key that is more than its
own. A secret is in the answer that made it, and nowhere else.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ...errors import Forbidden
from ...identity.directory import IdentityDirectory
from ...identity.key import DEFAULT_TENANT, Key, Role
from ...identity.shown import show_key, show_tenant
from ...types import Operation
from ..access import Caller
from .audit import Noting, Reason
from .roles import Admin, Editor, Viewer


class NewTenant(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str = Field(max_length=64, description="Lower case letters, digits, - and _.")
    name: str | None = Field(None, max_length=200)


class TenantChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    disabled: bool


class NewKey(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200, description="What the key is for.")
    tenant: str | None = Field(None, max_length=64, description="Default: the caller's own.")
    role: Role = "caller"
    operations: list[Operation] = Field([], description="Empty: all.")
    models: list[str] = Field([], max_length=200, description="Names or patterns with *; empty: all.")
    expires_at: AwareDatetime | None = None
    timeout_seconds: float | None = Field(
        None,
        gt=0,
        le=3600,
        description="Total time of a call, unless its caller asks for less. Default: the gateway's.",
    )


class Rotation(BaseModel):
    model_config = ConfigDict(extra="forbid")

    grace_seconds: float | None = Field(None, ge=0, le=30 * 86400, description="How long the old secret still works.")


LastUse = Callable[[str | None], Mapping[str, date]]
"""The last day (UTC) of a call with each key of a tenant, or of all; of those that were used."""


def never_used(_tenant: str | None) -> Mapping[str, date]:
    """Where nobody knows."""
    return {}


def router(identity: IdentityDirectory, note: Noting, last_use: LastUse, *, grace_s: float) -> APIRouter:
    """Routes whose functions block on the database, and which FastAPI therefore runs in threads."""
    routes = APIRouter(prefix="/api", tags=["identity"])
    registry = identity.registry

    @routes.get("/tenants", summary="Tenants")
    def list_tenants(caller: Viewer) -> list[dict[str, Any]]:
        return [show_tenant(each) for each in registry.tenants() if caller.tenant in (None, each.id)]

    @routes.post("/tenants", summary="Create a tenant", status_code=201)
    def create_tenant(wanted: NewTenant, caller: Admin, reason: Reason = None) -> dict[str, Any]:
        made = registry.create_tenant(wanted.id, wanted.name)
        note(caller, "tenant.create", made.id, tenant=made.id, after={"name": made.name}, reason=reason)
        return show_tenant(made)

    @routes.patch("/tenants/{tenant_id}", summary="Disable a tenant, or enable it again")
    def change_tenant(tenant_id: str, wanted: TenantChange, caller: Admin, reason: Reason = None) -> dict[str, Any]:
        before = next((each.disabled for each in registry.tenants() if each.id == tenant_id), None)
        changed = registry.set_disabled(tenant_id, wanted.disabled)
        if before != changed.disabled:
            action = "tenant.disable" if changed.disabled else "tenant.enable"
            was, now = {"disabled": before}, {"disabled": changed.disabled}
            note(caller, action, changed.id, tenant=changed.id, before=was, after=now, reason=reason)
        return show_tenant(changed)

    @routes.get("/keys", summary="API keys, without their secrets")
    def list_keys(caller: Viewer, tenant: str | None = None) -> list[dict[str, Any]]:
        wanted = caller.tenant or tenant
        if tenant is not None and tenant != wanted:
            return []
        used = last_use(wanted)
        return [{**show_key(key), "last_used_on": used.get(key.id)} for key in registry.keys(wanted)]

    @routes.post("/keys", summary="Create an API key; the answer holds its secret, this once", status_code=201)
    def create_key(wanted: NewKey, caller: Editor, reason: Reason = None) -> dict[str, Any]:
        tenant = wanted.tenant or caller.tenant or DEFAULT_TENANT
        if caller.tenant not in (None, tenant):
            raise Forbidden("keys of another tenant are made by an administrator", param="tenant")
        _check_rank(caller, wanted.role)
        key, credential = registry.create_key(
            name=wanted.name,
            tenant=tenant,
            role=wanted.role,
            operations=wanted.operations,
            models=wanted.models,
            expires_at_s=wanted.expires_at.timestamp() if wanted.expires_at else None,
            timeout_s=wanted.timeout_seconds,
        )
        note(caller, "key.create", key.id, tenant=key.tenant, after=_described(key), reason=reason)
        return {**show_key(key), "key": str(credential)}

    @routes.post("/keys/{key_id}/rotate", summary="Give a key a new secret; the old one works for a grace period")
    def rotate_key(key_id: str, wanted: Rotation, caller: Editor, reason: Reason = None) -> dict[str, Any]:
        _check_rank(caller, registry.key(key_id, caller.tenant).role)
        grace = grace_s if wanted.grace_seconds is None else wanted.grace_seconds
        key, credential = registry.rotate(key_id, grace, tenant=caller.tenant)
        after = {"name": key.name, "previous_secret_until": show_key(key)["previous_secret_until"]}
        note(caller, "key.rotate", key.id, tenant=key.tenant, after=after, reason=reason)
        return {**show_key(key), "key": str(credential)}

    @routes.delete("/keys/{key_id}", summary="Revoke a key, for good and within a second")
    def revoke_key(key_id: str, caller: Editor, reason: Reason = None) -> dict[str, Any]:
        before = show_key(registry.key(key_id, caller.tenant))
        _check_rank(caller, before["role"])
        after = show_key(key := registry.revoke(key_id, tenant=caller.tenant))
        if before["state"] != "revoked":
            was, now = ({"name": each["name"], "state": each["state"]} for each in (before, after))
            note(caller, "key.revoke", key.id, tenant=key.tenant, before=was, after=now, reason=reason)
        return after

    return routes


def _described(key: Key) -> dict[str, Any]:
    """What a key is, in what the trail keeps of it."""
    found = show_key(key)
    return {name: found[name] for name in ("name", "role", "operations", "models", "expires_at") if found[name]}


def _check_rank(caller: Caller, role: Role) -> None:
    if not caller.may_touch(role):
        raise Forbidden(f"a key with the role {role!r} is beyond the role {caller.role!r}")
