"""The prompt registry over HTTP: lists with folders, versions, labels, comments, differences, previews, use.

A caller sees its own tenant's prompts and the shared ones, and changes its own; an administrator names a tenant, or
means the shared ones (``shared=true``). A name is a parameter and not part of the path, because it holds slashes. Texts
are data of others: they are answered as JSON and never taken for more.
"""

import time
from collections.abc import Callable
from typing import Annotated, Any, Literal, Protocol

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from ...errors import Forbidden, InvalidRequest
from ...prompts.diff import unified
from ...prompts.directory import Note, PromptDirectory
from ...prompts.files import written
from ...prompts.prompt import LATEST, SHARED, Content, Version, selector_of
from ...prompts.repository.prompts import Anywhere
from ...prompts.repository.reading import Summary
from ..access import Caller
from .ownership import name_of, tenant_of
from .roles import Editor, Viewer

Name = Annotated[str, Query(min_length=1, max_length=200, description="The prompt's name, with its folders.")]
Tenant = Annotated[str | None, Query(max_length=256, description="An administrator may name one.")]
Shared = Annotated[bool, Query(description="The prompts that all tenants see; an administrator changes them.")]
Which = Annotated[str, Query(max_length=40, description="A version's number or a label.")]
Reason = Annotated[str | None, Query(max_length=1000, description="Why; kept in the audit trail.")]
_DAY_MS = 86_400_000


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Written(_Body):
    """A prompt as in its file."""

    kind: Literal["text", "chat"] | None = Field(None, description="Default: chat where there are messages.")
    engine: Literal["plain", "jinja"] = "plain"
    text: str = Field("", max_length=1_000_000)
    messages: list[dict[str, Any]] = Field([], max_length=1000)
    variables: dict[str, dict[str, Any]] = Field({}, max_length=1000)
    config: dict[str, Any] = {}

    def content(self) -> Content:
        given = self.model_dump(include={"engine", "text", "messages", "variables", "config"})
        return content_of({**given, "kind": self.kind or ("chat" if self.messages else "text")})


class NewVersion(_Written):
    name: str = Field(min_length=1, max_length=200)
    comment: str = Field("", max_length=2000, description="What has changed, and why.")
    labels: list[str] = Field([], max_length=20, description="Labels to move to it.")
    tags: list[str] | None = Field(None, max_length=50)
    parent: int | None = Field(None, ge=0, description="Refuse (409) if the newest is another by now; 0: none yet.")


class Move(_Body):
    name: str = Field(min_length=1, max_length=200)
    label: str = Field(min_length=1, max_length=40)
    version: int | str = Field(description="A version's number, or another label.")
    expected: int | None = Field(
        None, ge=0, description="Refuse (409) if the label is elsewhere by now; 0: it is nowhere yet. Absent: move it."
    )
    reason: str | None = Field(None, max_length=1000)


class Back(_Body):
    name: str = Field(min_length=1, max_length=200)
    label: str = Field("production", min_length=1, max_length=40)
    reason: str | None = Field(None, max_length=1000)


class NewComment(_Body):
    name: str = Field(min_length=1, max_length=200)
    version: int = Field(ge=1)
    text: str = Field(min_length=1, max_length=2000)


class Preview(_Body):
    name: str = Field(min_length=1, max_length=200)
    version: int | str = LATEST
    variables: dict[str, Any] = {}
    draft: _Written | None = Field(None, description="Render this instead of a version; nothing is kept.")


class Directories(Protocol):
    """Where the registry comes from."""

    def directory(self, note: Note[Caller]) -> PromptDirectory[Caller]: ...


def router(prompts: Directories, note: Note[Caller], now_s: Callable[[], float] = time.time) -> APIRouter:
    """Routes whose functions block on the database, and which FastAPI therefore runs in threads."""
    routes = APIRouter(prefix="/api/prompts", tags=["prompts"])
    directory = prompts.directory(note)
    kept = directory.repository

    def found(caller: Caller, name: str, which: int | str, tenant: str | None) -> Version:
        owner = kept.owner(tenant_of(caller, tenant), name)
        return kept.version(owner, name, selector_of(which))

    @routes.get("", summary="Prompts and folders of one folder, or what a search finds in all of them")
    def list_prompts(
        caller: Viewer,
        folder: Annotated[str, Query(max_length=200)] = "",
        search: Annotated[str, Query(max_length=200, description="In names, through all folders.")] = "",
        after: Annotated[str, Query(max_length=460, description="`next` of the page before.")] = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        tenant: Tenant = None,
    ) -> dict[str, Any]:
        whose = [tenant_of(caller, tenant), SHARED] if tenant or caller.tenant else None
        inside = None if search else folder
        page = kept.summaries(whose, folder=inside, search=search, after=after, limit=limit + 1)
        last = f"{page[limit - 1].name}@{page[limit - 1].tenant}" if len(page) > limit else None
        folders = [] if search or after else kept.folders(whose, folder)
        return {"folder": folder, "folders": folders, "prompts": [_shown(each) for each in page[:limit]], "next": last}

    @routes.post("", summary="A new version; a prompt that is new is made", status_code=201)
    def publish(
        sent: NewVersion, caller: Editor, tenant: Tenant = None, shared: Shared = False, reason: Reason = None
    ) -> dict[str, Any]:
        version, is_new = directory.publish(
            caller,
            owner_of(caller, tenant, shared),
            sent.name,
            sent.content(),
            author=name_of(caller),
            comment=sent.comment,
            labels=sent.labels,
            tags=sent.tags,
            parent=sent.parent,
            reason=reason,
        )
        return {**version_shown(version), "is_new": is_new}

    @routes.delete("", summary="Put a prompt away: no call finds it any more, its versions stay")
    def archive(
        name: Name, caller: Editor, tenant: Tenant = None, shared: Shared = False, reason: Reason = None
    ) -> dict[str, Any]:
        directory.archive(caller, owner_of(caller, tenant, shared), name, author=name_of(caller), reason=reason)
        return {"name": name, "archived": True}

    @routes.get("/versions", summary="A prompt and its versions, the newest first")
    def list_versions(
        name: Name,
        caller: Viewer,
        before: Annotated[int | None, Query(ge=1, description="`next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        tenant: Tenant = None,
    ) -> dict[str, Any]:
        owner = kept.owner(tenant_of(caller, tenant), name)
        page = kept.headers(owner, name, before=before, limit=limit + 1)
        return {
            **_shown(kept.summary(owner, name)),
            "versions": msgspec.to_builtins(page[:limit]),
            "next": page[limit - 1].number if len(page) > limit else None,
        }

    @routes.get("/version", summary="One version, with all that it says")
    def show_version(name: Name, caller: Viewer, version: Which = LATEST, tenant: Tenant = None) -> dict[str, Any]:
        return version_shown(found(caller, name, version, tenant))

    @routes.get("/labels", summary="Where labels are, and where they have been")
    def list_labels(name: Name, caller: Viewer, tenant: Tenant = None) -> dict[str, Any]:
        owner = kept.owner(tenant_of(caller, tenant), name)
        told = {"labels": kept.labels(owner, name), "moves": kept.moves(owner, name)}
        return {"name": name, **msgspec.to_builtins(told)}

    @routes.put("/labels", summary="Move a label; calls follow within a second")
    def move_label(sent: Move, caller: Editor, tenant: Tenant = None, shared: Shared = False) -> dict[str, Any]:
        given = "expected" in sent.model_fields_set and sent.expected is not None
        before, number = directory.label(
            caller,
            owner_of(caller, tenant, shared),
            sent.name,
            sent.label,
            selector_of(sent.version),
            author=name_of(caller),
            expected=(sent.expected or None) if given else Anywhere,
            reason=sent.reason,
        )
        return {"name": sent.name, "label": sent.label, "before": before, "version": number}

    @routes.delete("/labels", summary="Take a label away")
    def drop_label(
        name: Name,
        label: Annotated[str, Query(min_length=1, max_length=40)],
        caller: Editor,
        tenant: Tenant = None,
        shared: Shared = False,
        reason: Reason = None,
    ) -> dict[str, Any]:
        owner = owner_of(caller, tenant, shared)
        before = directory.unlabel(caller, owner, name, label, author=name_of(caller), reason=reason)
        return {"name": name, "label": label, "before": before, "removed": True}

    @routes.post("/rollback", summary="Move a label back to where it was before")
    def roll_back(sent: Back, caller: Editor, tenant: Tenant = None, shared: Shared = False) -> dict[str, Any]:
        owner = owner_of(caller, tenant, shared)
        before, number = directory.roll_back(
            caller, owner, sent.name, sent.label, author=name_of(caller), reason=sent.reason
        )
        return {"name": sent.name, "label": sent.label, "before": before, "version": number}

    @routes.get("/comments", summary="What people say of a prompt's versions")
    def list_comments(
        name: Name, caller: Viewer, version: Annotated[int | None, Query(ge=1)] = None, tenant: Tenant = None
    ) -> dict[str, Any]:
        owner = kept.owner(tenant_of(caller, tenant), name)
        return {"name": name, "comments": msgspec.to_builtins(kept.comments(owner, name, version))}

    @routes.post("/comments", summary="Say something of a version", status_code=201)
    def add_comment(sent: NewComment, caller: Editor, tenant: Tenant = None, shared: Shared = False) -> dict[str, Any]:
        owner = owner_of(caller, tenant, shared)
        made = directory.comment(caller, owner, sent.name, sent.version, sent.text, author=name_of(caller))
        return {"id": made, "name": sent.name, "version": sent.version}

    @routes.get("/diff", summary="What differs between two versions, as their files would")
    def difference(
        name: Name, before: Which, caller: Viewer, after: Which = LATEST, tenant: Tenant = None
    ) -> dict[str, Any]:
        old, new = (found(caller, name, each, tenant) for each in (before, after))
        text = unified(written(old.content), written(new.content), (old.shown, new.shown))
        return {"name": name, "before": old.number, "after": new.number, "diff": text}

    @routes.post("/render", summary="What a version, or a draft, becomes with these variables")
    def render(sent: Preview, caller: Viewer, tenant: Tenant = None) -> dict[str, Any]:
        whose = tenant_of(caller, tenant)
        draft = sent.draft.content() if sent.draft is not None else None
        rendered = directory.preview(whose, sent.name, draft, selector_of(sent.version), sent.variables)
        return {"name": sent.name, **msgspec.to_builtins(rendered)}

    @routes.get("/usage", summary="Calls, errors, latency and cost by version")
    def usage(
        name: Name,
        caller: Viewer,
        days: Annotated[float, Query(gt=0, le=366)] = 7,
        before: Annotated[int | None, Query(ge=1)] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        tenant: Tenant = None,
    ) -> dict[str, Any]:
        whose = tenant_of(caller, tenant) if caller.tenant or tenant not in (None, SHARED) else None
        owner = kept.owner(tenant_of(caller, tenant), name)
        numbers = [each.number for each in kept.headers(owner, name, before=before, limit=limit)]
        until_ms = round(now_s() * 1000) + 1
        used = directory.usage(whose, name, numbers, until_ms - round(days * _DAY_MS), until_ms)
        return {"name": name, "days": days, "versions": msgspec.to_builtins(used)}

    return routes


def owner_of(caller: Caller, tenant: str | None, shared: bool) -> str:
    """Whose prompts are changed. `Forbidden` for the shared ones, unless it is an administrator."""
    if not shared:
        return tenant_of(caller, tenant)
    if caller.tenant is not None:
        raise Forbidden("shared prompts are changed by an administrator; publish your own of that name", param="shared")
    return SHARED


def content_of(given: dict[str, Any]) -> Content:
    """What was sent, checked; `InvalidRequest` that says where it is wrong."""
    try:
        return msgspec.convert(given, Content, strict=True)
    except msgspec.ValidationError as exc:
        what, _, where = str(exc).partition(" - at `$")
        path = where.rstrip("`").lstrip(".")
        raise InvalidRequest(f"{path or 'the prompt'}: {what}", param=path or None) from exc


def version_shown(version: Version) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(version)
    content = found.pop("content")
    resolved = found.pop("resolved") if version.pins else None
    return {**found, "is_shared": version.tenant == SHARED, **_content(version.content, content), "resolved": resolved}


def _content(content: Content, plain: dict[str, Any]) -> dict[str, Any]:
    """With what the encoder leaves out because it is the default."""
    body = {"text": content.text} if content.kind == "text" else {"messages": plain.get("messages", [])}
    return {
        "kind": content.kind,
        "engine": content.engine,
        **body,
        "variables": plain.get("variables", {}),
        "config": content.config,
    }


def _shown(summary: Summary) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(summary)
    return found
