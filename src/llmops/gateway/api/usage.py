"""Usage over HTTP: what was used and what it cost, by tenant, key, model, user, tag and day.

A caller sees its own tenant, an administrator all of them. A call that has ended is part of it a few tenths of a second
later.
"""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse, Response

from ...spend.usage.directory import UsageDirectory
from ...spend.usage.report import dimensions_of, show, show_used, tags_of, to_csv, total
from ...spend.usage.repository.sums import UsageFilter
from ...spend.usage.seeder import CounterComparison
from .roles import Admin, Viewer

_BY = "Any of tenant, key, model, user, tag:<name> and day, with commas between them."


Comparison = Callable[[], CounterComparison]
"""Compares the counters of quotas and budgets with the database; called in threads."""


def router(usage: UsageDirectory, compare: Comparison | None = None) -> APIRouter:
    """Routes whose functions block on the database, and which FastAPI therefore runs in threads."""
    routes = APIRouter(prefix="/api", tags=["usage"])

    @routes.get(
        "/usage",
        summary="Calls, tokens and money, summed up",
        response_model=None,
        responses={200: {"content": {"text/csv": {}}}},
    )
    def list_usage(
        caller: Viewer,
        by: Annotated[str, Query(description=_BY, max_length=400)] = "tenant",
        first: Annotated[date | None, Query(alias="from", description="First day (UTC). Default: all.")] = None,
        last: Annotated[date | None, Query(alias="to", description="Last day (UTC). Default: all.")] = None,
        tenant: Annotated[str | None, Query(max_length=256)] = None,
        key: Annotated[str | None, Query(max_length=256)] = None,
        model: Annotated[str | None, Query(max_length=256)] = None,
        user: Annotated[str | None, Query(max_length=256)] = None,
        tag: Annotated[list[str], Query(description="name=value, e.g. feature=search; repeatable.")] = [],  # noqa: B006
        format: Literal["json", "csv"] = "json",
        limit: Annotated[int, Query(ge=1, le=100_000, description="Rows in JSON; CSV has all.")] = 10_000,
    ) -> dict[str, Any] | Response:
        dimensions, tags = dimensions_of(by), tags_of(tag)
        foreign = tenant is not None and caller.tenant not in (None, tenant)
        wanted = UsageFilter(
            first=first, last=last, tenant=caller.tenant or tenant, key=key, model=model, user=user, tags=tags
        )
        sums = {} if foreign else usage.sums.sums(dimensions, wanted)
        if format == "csv":
            disposition = {"content-disposition": 'attachment; filename="usage.csv"'}
            return PlainTextResponse(to_csv(sums, dimensions), media_type="text/csv", headers=disposition)
        rows = show(sums, dimensions)
        return {
            "by": dimensions,
            "from": first.isoformat() if first else None,
            "to": last.isoformat() if last else None,
            "rows": rows[:limit],
            "left_out": max(0, len(rows) - limit),
            "totals": show_used(total(sums)),
        }

    @routes.get("/usage/tags", summary="Names of the tags that calls had")
    def list_tags(
        caller: Viewer,
        first: Annotated[date | None, Query(alias="from", description="First day (UTC). Default: all.")] = None,
        last: Annotated[date | None, Query(alias="to", description="Last day (UTC). Default: all.")] = None,
        tenant: Annotated[str | None, Query(max_length=256)] = None,
    ) -> list[str]:
        """At most 100, by name."""
        if caller.tenant is not None and tenant not in (None, caller.tenant):
            return []
        return usage.sums.tag_names(UsageFilter(first=first, last=last, tenant=caller.tenant or tenant))

    @routes.get("/counters", summary="Counters of quotas and budgets that differ from the database")
    def compare_counters(_caller: Admin) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.to_builtins(compare() if compare is not None else CounterComparison(compared=0))
        return found

    return routes
