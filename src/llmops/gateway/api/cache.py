"""The cache over HTTP: how full it is, and letting answers go.

An editor lets go of its own tenant's answers, an administrator of everybody's. To let go of all takes ``all=true``: a
request that names nothing is more likely a slip. Who let go of what is a line in the gateway's own log.
"""

import asyncio
import logging
from typing import Annotated, Any

from fastapi import APIRouter, Query

from ...caching.cache import Cache
from ...caching.desk import let_go, show_cache
from ...errors import Forbidden, InvalidRequest
from .audit import Noting, Reason
from .ownership import name_of
from .roles import Editor, Viewer

_log = logging.getLogger(__name__)
Name = Annotated[str | None, Query(min_length=1, max_length=400)]


def router(cache: Cache, note: Noting) -> APIRouter:
    """Routes that run in the event loop, to which the cache belongs."""
    routes = APIRouter(prefix="/api", tags=["cache"])

    @routes.get("/cache", summary="How full the cache is, and what has gone from it")
    async def show(_caller: Viewer) -> dict[str, Any]:
        return show_cache(cache)

    @routes.delete("/cache", summary="Let go of kept answers: of those that agree in all that is named")
    async def clear(
        caller: Editor,
        tenant: Name = None,
        model: Annotated[Name, Query(description="The public model name.")] = None,
        release: Name = None,
        knowledge: Annotated[Name, Query(description="name@version, or a name for all its versions.")] = None,
        tag: Annotated[Name, Query(description="name=value, or a name for all its values.")] = None,
        all: Annotated[bool, Query(description="Needed where nothing is named.")] = False,
        reason: Reason = None,
    ) -> dict[str, Any]:
        if caller.tenant is not None and tenant not in (None, caller.tenant):
            raise Forbidden("answers of another tenant are let go of by an administrator", param="tenant")
        asked = {"tenant": tenant, "model": model, "release": release, "knowledge": knowledge, "tag": tag}
        named = {name: value for name, value in asked.items() if value is not None}
        if bool(named) == all:
            raise InvalidRequest(
                "all=true is for a request that names nothing else"
                if all
                else "name any of tenant, model, release, knowledge and tag, or say all=true",
                param="all",
            )
        if caller.tenant is not None:
            named["tenant"] = caller.tenant
        gone = await let_go(cache, named)
        _log.info("%s let go of kept answers: %s", name_of(caller), named or "all")
        after = {"of": named or "all", **gone}
        await asyncio.to_thread(
            note, caller, "cache.clear", "cache", tenant=named.get("tenant"), after=after, reason=reason
        )
        return gone

    return routes
