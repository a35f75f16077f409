"""Flags over HTTP: showing, setting, switching and removing them. Deciding is `ofrep`'s.

A caller sees its own tenant's and the shared ones, and changes its own; an administrator's are shared unless it names a
tenant. Every change is in the audit trail.
"""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Body, Path, Query

from ...errors import Forbidden, InvalidRequest
from ...flags.directory import FlagDirectory, shown
from ..access import Caller
from .audit import Noting, Reason
from .ownership import name_of
from .roles import Editor, Viewer

Key = Annotated[str, Path(max_length=100, description="The flag's key.")]
Tenant = Annotated[str | None, Query(max_length=256, description="An administrator may name one; default: shared.")]
Revision = Annotated[
    int | None, Query(ge=0, le=2**31, description="Refuse (409) if it is at another by now; 0: only a new one.")
]


def router(flags: FlagDirectory, note: Noting) -> APIRouter:
    """Routes whose functions block on the database, and which FastAPI therefore runs in threads."""
    routes = APIRouter(prefix="/api", tags=["flags"])

    @routes.get("/flags", summary="Flags")
    def list_flags(caller: Viewer, tenant: Tenant = None) -> list[dict[str, Any]]:
        return [shown(each) for each in flags.seen(_whose(caller, tenant))]

    @routes.get("/flags/{key}", summary="A flag")
    def show(key: Key, caller: Viewer, tenant: Tenant = None) -> dict[str, Any]:
        return shown(flags.get(key, _whose(caller, tenant)))

    @routes.put("/flags/{key}", summary="Set a flag; gateways follow within a second")
    def put(
        key: Key,
        sent: Annotated[dict[str, Any], Body(description="kind, variants, default, rules, split, …; see the how-to.")],
        caller: Editor,
        revision: Revision = None,
        tenant: Tenant = None,
        reason: Reason = None,
    ) -> dict[str, Any]:
        whose = _whose(caller, tenant)
        if sent.get("key", key) != key:
            raise InvalidRequest(f"key: the path says {key!r} and the body {str(sent['key'])[:100]!r}", param="key")
        before, after = flags.put({**sent, "key": key}, whose, by=name_of(caller), revision=revision)
        was = msgspec.to_builtins(before.flag) if before is not None else None
        note(caller, "flag.set", key, tenant=whose, before=was, after=msgspec.to_builtins(after.flag), reason=reason)
        return shown(after)

    @routes.delete("/flags/{key}", summary="Remove a flag")
    def remove(key: Key, caller: Editor, tenant: Tenant = None, reason: Reason = None) -> dict[str, Any]:
        whose = _whose(caller, tenant)
        gone = flags.remove(key, whose)
        note(caller, "flag.remove", key, tenant=whose, before=msgspec.to_builtins(gone.flag), reason=reason)
        return {"key": key, "removed": True}

    return routes


def _whose(caller: Caller, tenant: str | None) -> str | None:
    if caller.tenant is not None and tenant not in (None, caller.tenant):
        raise Forbidden("what is another tenant's is for an administrator", param="tenant")
    return caller.tenant or tenant
