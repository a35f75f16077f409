"""What people, judges and code say, over HTTP: means over time, how values are spread, the worst and the latest.

A caller sees its own tenant's, an administrator all. Comments are anybody's text: answered as JSON, taken for no more.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query

from ...errors import Forbidden
from ...telemetry.assessments.assessment import shown
from ...telemetry.assessments.repository.assessments import Wanted
from ...telemetry.assessments.repository.feedback import About, FeedbackRepository, Point
from ...telemetry.rollups.overview import step_of
from ...telemetry.rollups.window import duration_of, window_of
from ..access import Caller
from .overview import From, Step, To
from .roles import Viewer

Name = Annotated[str | None, Query(min_length=1, max_length=256)]
Source = Literal["human", "judge", "code"] | None


def router(feedback: FeedbackRepository, now_s: Callable[[], float]) -> APIRouter:
    """Routes whose functions block on the database, and which FastAPI therefore runs in threads."""
    routes = APIRouter(prefix="/api/scores", tags=["scores"])

    def about(
        caller: Caller, first: str, last: str, tenant: str | None, name: str | None, source: Source, of: tuple[Any, Any]
    ) -> About:
        if caller.tenant is not None and tenant not in (None, caller.tenant):
            raise Forbidden("scores of another tenant are for an administrator", param="tenant")
        window = window_of(first, last, now_s())
        wanted = Wanted(
            tenant=caller.tenant or tenant,
            name=name,
            source=source,
            since_ms=window.first * 1000,
            until_ms=window.last * 1000,
        )
        return About(wanted=wanted, model=of[0], release=of[1])

    @routes.get("/course", summary="Means of scores by name and source, in all and by steps of time")
    def course(
        caller: Viewer,
        first: From = "now-24h",
        last: To = "now",
        step: Step = None,
        tenant: Name = None,
        name: Name = None,
        source: Source = None,
        model: Name = None,
        release: Name = None,
    ) -> dict[str, Any]:
        window = window_of(first, last, now_s())
        step_s = duration_of(step, "step") if step is not None else step_of(window)
        wanted = about(caller, first, last, tenant, name, source, (model, release))
        points = feedback.course(wanted, step_s * 1000)
        return {"from": window.first, "to": window.last, "step_s": step_s, "series": _series(points)}

    @routes.get("/spread", summary="How many scores there are of each value, or range of values, and label")
    def spread(
        caller: Viewer,
        first: From = "now-24h",
        last: To = "now",
        tenant: Name = None,
        name: Name = None,
        source: Source = None,
        model: Name = None,
        release: Name = None,
    ) -> dict[str, Any]:
        wanted = about(caller, first, last, tenant, name, source, (model, release))
        return {
            "values": [msgspec.structs.asdict(each) for each in feedback.spread(wanted)],
            "labels": [{"label": label, "count": count} for label, count in feedback.labels(wanted)],
        }

    @routes.get("/judged", summary="Scores with model and release of what they judge: the newest, or the worst")
    def judged(
        caller: Viewer,
        first: From = "now-24h",
        last: To = "now",
        order: Literal["newest", "worst"] = "newest",
        commented: Annotated[bool, Query(description="Only those with a comment.")] = False,
        tenant: Name = None,
        name: Name = None,
        source: Source = None,
        model: Name = None,
        release: Name = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> dict[str, Any]:
        wanted = about(caller, first, last, tenant, name, source, (model, release))
        found = feedback.judged(wanted, order, limit, commented=commented)
        return {"scores": [{**shown(each), "model": of, "release": release} for each, of, release in found]}

    return routes


def _series(points: list[Point]) -> list[dict[str, Any]]:
    by_name: dict[tuple[str, str], list[Point]] = {}
    for point in points:
        by_name.setdefault((point.name, point.source), []).append(point)
    return [
        {
            "name": name,
            "source": source,
            "is_boolean": all(each.is_boolean for each in its),
            "count": sum(each.count for each in its),
            "mean": _mean(sum(each.total for each in its), sum(each.valued for each in its)),
            "points": [
                {"at": each.at_ms // 1000, "count": each.count, "mean": _mean(each.total, each.valued)} for each in its
            ],
        }
        for (name, source), its in sorted(by_name.items(), key=lambda item: (-sum(p.count for p in item[1]), item[0]))
    ]


def _mean(total: float, count: int) -> float | None:
    return total / count if count else None
