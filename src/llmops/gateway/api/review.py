"""Review over HTTP: queues, the next item, an answer, passing over, taking back, how far it is, how far people agree.

A caller works in its own tenant's queues, an administrator names a tenant. Several people may share a key: each says
who it is (``reviewer``). What others answered is not shown to whoever still has to judge.
"""

import time
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

from ...errors import InvalidRequest
from ...evals.review.desk import ReviewDesk
from ...evals.review.item import Item, Queue, State
from ...evals.review.question import Question
from ..access import Caller
from .ownership import name_of, tenant_of
from .roles import Editor, Viewer

Name = Annotated[str, Path(max_length=100, description="The queue's name.")]
ItemId = Annotated[str, Path(max_length=64)]
Tenant = Annotated[str | None, Query(max_length=256, description="An administrator may name one.")]
_MAX_REVIEWER = 200


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewQueue(_Body):
    name: str = Field(min_length=1, max_length=100)
    question: str = Field(min_length=1, max_length=100, description="What is judged, such as correctness.")
    kind: Literal["choices", "scale", "text"]
    choices: list[str] = Field([], max_length=100)
    low: int = 1
    high: int = 5
    tolerance: int = Field(0, ge=0, description="On a scale: answers no further apart agree.")
    instructions: str = Field("", max_length=10_000)
    reviewers: int = Field(1, ge=1, le=20, description="Answers that are wanted for each item.")
    lease_s: float = Field(900, ge=10, le=7 * 86_400, description="How long an item is somebody's.")


class NewItem(_Body):
    input: Any
    output: Any
    reference: Any = None
    metadata: dict[str, Any] = {}
    cluster: str | None = Field(None, max_length=256)
    trace_id: str | None = Field(None, pattern="^[0-9a-f]{32}$")


class NewItems(_Body):
    items: list[NewItem] = Field(min_length=1, max_length=1000)


class Who(_Body):
    reviewer: str | None = Field(None, max_length=_MAX_REVIEWER, description="Default: the key.")


class Take(Who):
    disputed: bool = Field(False, description="One that others differ about, to settle it.")


class Answer(Who):
    answer: StrictInt | StrictStr
    comment: str | None = Field(None, max_length=10_000)


def router(desk: ReviewDesk, now_s: Callable[[], float] = time.time) -> APIRouter:
    """Routes whose functions block on the database, and which FastAPI therefore runs in threads."""
    routes = APIRouter(prefix="/api/review", tags=["review"])

    def now_ms() -> int:
        return round(now_s() * 1000)

    @routes.get("/queues", summary="Queues, each with how far it is")
    def list_queues(caller: Viewer, tenant: Tenant = None) -> list[dict[str, Any]]:
        whose = tenant_of(caller, tenant) if tenant or caller.tenant else None
        return [_shown(desk, each) for each in desk.queues(whose)]

    @routes.post("/queues", summary="Make a queue", status_code=201)
    def create(sent: NewQueue, caller: Editor, tenant: Tenant = None) -> dict[str, Any]:
        scale = {"low": sent.low, "high": sent.high, "tolerance": sent.tolerance} if sent.kind == "scale" else {}
        question = Question(
            name=sent.question, kind=sent.kind, choices=tuple(sent.choices), instructions=sent.instructions, **scale
        )
        whose = tenant_of(caller, tenant)
        made = desk.create(
            whose,
            sent.name,
            question,
            now_ms=now_ms(),
            reviewers=sent.reviewers,
            lease_s=sent.lease_s,
            who=name_of(caller),
        )
        return _shown(desk, made)

    @routes.get("/queues/{queue}", summary="A queue: how far it is, for a reviewer too, and how far people agree")
    def show(
        queue: Name,
        caller: Viewer,
        reviewer: Annotated[str | None, Query(max_length=_MAX_REVIEWER)] = None,
        tenant: Tenant = None,
    ) -> dict[str, Any]:
        whose = tenant_of(caller, tenant)
        found = _shown(desk, desk.queue(whose, queue), reviewer)
        return {**found, "agreement": msgspec.to_builtins(desk.agreement(whose, queue))}

    @routes.delete("/queues/{queue}", summary="Remove a queue; the scores that came of it stay")
    def remove(queue: Name, caller: Editor, tenant: Tenant = None) -> dict[str, Any]:
        desk.remove(tenant_of(caller, tenant), queue)
        return {"queue": queue, "removed": True}

    @routes.get("/queues/{queue}/items", summary="Items in the queue's order, with all answers")
    def list_items(
        queue: Name,
        caller: Viewer,
        state: State | None = None,
        after: Annotated[int, Query(ge=0, le=2**62, description="`next` of the page before.")] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        tenant: Tenant = None,
    ) -> dict[str, Any]:
        states = (state,) if state is not None else ()
        found = desk.items(tenant_of(caller, tenant), queue, limit + 1, after=after, states=states)
        page = found[:limit]
        return {"items": msgspec.to_builtins(page), "next": page[-1].place if len(found) > limit else None}

    @routes.post("/queues/{queue}/items", summary="Put inputs and outputs at the queue's end")
    def add_items(queue: Name, sent: NewItems, caller: Editor, tenant: Tenant = None) -> dict[str, Any]:
        items = [Item(**each.model_dump()) for each in sent.items]
        return {"added": desk.add(tenant_of(caller, tenant), queue, items, now_ms=now_ms()), "given": len(items)}

    @routes.post("/queues/{queue}/next", summary="The reviewer's item, or the next: theirs until the lease ends")
    def take(queue: Name, sent: Take, caller: Editor, tenant: Tenant = None) -> dict[str, Any]:
        whose, who = tenant_of(caller, tenant), _reviewer(sent, caller)
        found = desk.next(whose, queue, who, now_ms=now_ms(), disputed=sent.disputed)
        progress = desk.progress(whose, queue, who)
        return {"item": msgspec.to_builtins(found), "reviewer": who, "progress": msgspec.to_builtins(progress)}

    @routes.post("/queues/{queue}/items/{item}/answer", summary="Judge an item")
    def answer(queue: Name, item: ItemId, sent: Answer, caller: Editor, tenant: Tenant = None) -> dict[str, Any]:
        whose, who = tenant_of(caller, tenant), _reviewer(sent, caller)
        placed = desk.answer(whose, queue, item, who, sent.answer, now_ms=now_ms(), comment=sent.comment)
        return {
            "id": placed.id,
            "state": placed.state,
            "progress": msgspec.to_builtins(desk.progress(whose, queue, who)),
        }

    @routes.post("/queues/{queue}/items/{item}/skip", summary="Pass an item over: others get it")
    def skip(queue: Name, item: ItemId, sent: Who, caller: Editor, tenant: Tenant = None) -> dict[str, Any]:
        whose, who = tenant_of(caller, tenant), _reviewer(sent, caller)
        desk.skip(whose, queue, item, who, now_ms=now_ms())
        return {"id": item, "progress": msgspec.to_builtins(desk.progress(whose, queue, who))}

    @routes.post("/queues/{queue}/undo", summary="Take the reviewer's last answer or skip back")
    def undo(queue: Name, sent: Who, caller: Editor, tenant: Tenant = None) -> dict[str, Any]:
        whose, who = tenant_of(caller, tenant), _reviewer(sent, caller)
        found = desk.undo(whose, queue, who, now_ms=now_ms())
        return {"item": msgspec.to_builtins(found), "progress": msgspec.to_builtins(desk.progress(whose, queue, who))}

    return routes


def _shown(desk: ReviewDesk, queue: Queue, reviewer: str | None = None) -> dict[str, Any]:
    progress = desk.progress(queue.tenant, queue.name, reviewer)
    return {**msgspec.to_builtins(queue), "progress": msgspec.to_builtins(progress)}


def _reviewer(sent: Who, caller: Caller) -> str:
    who = sent.reviewer if sent.reviewer is not None else name_of(caller)
    if not who.strip():
        raise InvalidRequest("reviewer: say who judges", param="reviewer")
    return who
