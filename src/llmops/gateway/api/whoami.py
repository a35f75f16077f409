"""Whose key it is: what a program that shows things to a person asks first."""

from typing import Any

from fastapi import APIRouter

from .roles import Viewer


def router() -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["gateway"])

    @routes.get("/whoami", summary="Role, tenant and name of the key that asks")
    async def whoami(caller: Viewer) -> dict[str, Any]:
        """``tenant`` null sees all; ``needs_key`` is false while there are no keys and this machine needs none."""
        name = caller.key.name if caller.key is not None else "this machine"
        return {"role": caller.role, "tenant": caller.tenant, "name": name, "needs_key": caller.key is not None}

    return routes
