"""The audit trail over HTTP, and how routes write to it.

A caller reads what was done to its own tenant's things, an administrator everything. Routes that change something take
a `Reason` and call `Noting` after the change; there is no route that changes the trail.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from ...audit.entry import MAX_REASON_CHARS, Actor, Values, shown
from ...audit.repository import AuditFilter
from ...audit.trail import AuditTrail
from ...errors import Forbidden
from ..access import Caller
from .roles import Viewer

Reason = Annotated[str | None, Query(max_length=MAX_REASON_CHARS, description="Why; kept in the audit trail.")]
Name = Annotated[str | None, Query(min_length=1, max_length=256)]


class Noting:
    """``note(caller, "key.revoke", key.id, tenant=key.tenant, …)``: see `AuditTrail.note`. Without a trail nothing."""

    def __init__(self, trail: AuditTrail | None) -> None:
        self._trail = trail

    def __call__(
        self,
        caller: Caller,
        action: str,
        object_id: str,
        *,
        tenant: str | None,
        before: Values | None = None,
        after: Values | None = None,
        reason: str | None = None,
    ) -> None:
        if self._trail is not None:
            self._trail.note(
                actor_of(caller), action, object_id, tenant=tenant, before=before, after=after, reason=reason
            )


def actor_of(caller: Caller) -> Actor:
    if caller.key is None:
        return Actor("somebody on this machine", caller.role, caller.tenant)
    return Actor(caller.key.name, caller.role, caller.tenant, caller.key.id)


def router(trail: AuditTrail) -> APIRouter:
    """Routes whose functions block on the database, and which FastAPI therefore runs in threads."""
    routes = APIRouter(prefix="/api", tags=["audit"])

    @routes.get("/audit", summary="Who changed what, when and why; the latest first")
    def list_entries(
        caller: Viewer,
        tenant: Name = None,
        action: Annotated[Name, Query(description="Such as key.revoke, or key.* for all about keys.")] = None,
        object: Annotated[Name, Query(description="The id of what was changed.")] = None,
        key_id: Annotated[Name, Query(description="The key of whoever did it.")] = None,
        first: Annotated[AwareDatetime | None, Query(alias="from")] = None,
        last: Annotated[AwareDatetime | None, Query(alias="to")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="`next` of the page before.")] = None,
    ) -> dict[str, Any]:
        if caller.tenant is not None and tenant not in (None, caller.tenant):
            raise Forbidden("the trail of another tenant is for an administrator", param="tenant")
        wanted = AuditFilter(
            tenant=caller.tenant or tenant,
            action=action,
            object=object,
            key_id=key_id,
            since_ms=int(first.timestamp() * 1000) if first else None,
            until_ms=int(last.timestamp() * 1000) if last else None,
        )
        found = trail.repository.find(wanted, limit + 1, before)
        page = found[:limit]
        return {
            "entries": [shown(each, caller.tenant) for each in page],
            "next": page[-1].id if len(found) > limit else None,
        }

    return routes
