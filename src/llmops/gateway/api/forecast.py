"""What this month will have cost, over HTTP: the days so far, the forecast, its interval.

A caller sees its own tenant, an administrator all of them.
"""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query

from ...spend.usage.directory import UsageDirectory
from ...spend.usage.outlook import outlook
from ...spend.usage.report import tags_of
from ...spend.usage.repository.sums import UsageFilter
from .roles import Viewer

Name = Annotated[str | None, Query(max_length=256)]


def router(usage: UsageDirectory, now_s: Callable[[], float]) -> APIRouter:
    """A route whose function blocks on the database, and which FastAPI therefore runs in a thread."""
    routes = APIRouter(prefix="/api", tags=["usage"])

    @routes.get("/forecast", summary="What this month (UTC) will have cost, with an interval")
    def show_forecast(
        caller: Viewer,
        tenant: Name = None,
        key: Name = None,
        model: Name = None,
        user: Name = None,
        tag: Annotated[list[str], Query(description="name=value, e.g. feature=search; repeatable.")] = [],  # noqa: B006
    ) -> dict[str, Any]:
        """``forecast`` is null while there are too few whole days to go by."""
        if caller.tenant is not None and tenant not in (None, caller.tenant):
            tenant = ""  # nobody's
        else:
            tenant = caller.tenant or tenant
        wanted = UsageFilter(tenant=tenant, key=key, model=model, user=user, tags=tags_of(tag))
        return outlook(usage.sums, wanted, now_s())

    return routes
