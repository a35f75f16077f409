"""Prompts in the shape of Langfuse's API, so that its SDKs read and write the registry: ``GET`` and ``POST
/api/public/v2/prompts``, with HTTP Basic whose password is a key of this gateway (the user's name is ignored).

A key for calls may read, as an application does at run time; whoever writes needs an editor's. Its clients do not say
where they believe a label to be, so a move is compared with where it was when the request came in; whoever wants more
says it by the header ``x-llmops-expected-version``. What an error says is in ``message``, as Langfuse's is. Their
clients cache what they read; that is left to them.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Header, Path, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from ...errors import InvalidRequest, LLMOpsError
from ...prompts.directory import Note, PromptDirectory
from ...prompts.prompt import LATEST, PRODUCTION, SHARED, Content, Selector, Version, checked_label
from ..access import Caller
from .ownership import name_of, tenant_of
from .prompts import Directories, content_of
from .roles import Anybody, Editor

Expected = Annotated[
    int | None,
    Header(
        alias="x-llmops-expected-version",
        ge=0,
        le=2**31 - 1,
        description="Refuse (409) if a label that is moved is at another version by now; 0: nowhere yet.",
    ),
]
PromptName = Annotated[str, Path(max_length=255)]
_ERRORS = {401: "UnauthorizedError", 403: "ForbiddenError", 404: "LangfuseNotFoundError", 409: "LangfuseConflictError"}


class NewPrompt(BaseModel):
    """What Langfuse's clients send; unknown fields of later ones are refused rather than dropped."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    prompt: str | list[dict[str, Any]]
    type: Literal["text", "chat"] | None = None
    config: dict[str, Any] | None = None
    labels: list[str] | None = Field(None, max_length=20)
    tags: list[str] | None = Field(None, max_length=50)
    commitMessage: str | None = Field(None, max_length=2000)


class NewLabels(BaseModel):
    model_config = ConfigDict(extra="forbid")

    newLabels: list[str] = Field(max_length=20)


def router(prompts: Directories, note: Note[Caller]) -> APIRouter:
    """Routes whose functions block on the database, and which FastAPI therefore runs in threads."""
    routes = APIRouter(prefix="/api/public/v2/prompts", tags=["prompts, as Langfuse has them"])
    directory = prompts.directory(note)
    kept = directory.repository

    @routes.get("", summary="Names with their versions and labels", response_model=None)
    @_in_their_words
    def list_prompts(
        caller: Anybody,
        name: Annotated[str | None, Query(max_length=200)] = None,
        label: Annotated[str | None, Query(max_length=40)] = None,
        tag: Annotated[str | None, Query(max_length=100)] = None,
        page: Annotated[int, Query(ge=1, le=1000)] = 1,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
    ) -> dict[str, Any]:
        whose = [tenant_of(caller, None), SHARED]
        found = kept.summaries(whose, search=name or "", limit=10_000)
        found = [
            each
            for each in found
            if (name is None or each.name == name)
            and (label is None or label in each.labels or label == LATEST)
            and (tag is None or tag in each.tags)
        ]
        shown = found[(page - 1) * limit : page * limit]
        return {
            "data": [
                {
                    "name": each.name,
                    "type": each.kind,
                    "versions": list(range(1, each.versions + 1)),
                    "labels": [*each.labels, LATEST],
                    "tags": each.tags,
                    "lastUpdatedAt": _time(each.updated_at_ms),
                    "lastConfig": kept.version(each.tenant, each.name, Selector(label=LATEST)).content.config,
                }
                for each in shown
            ],
            "meta": {"page": page, "limit": limit, "totalItems": len(found), "totalPages": -(-len(found) // limit)},
        }

    @routes.get("/{name:path}", summary="A version, by number or label", response_model=None)
    @_in_their_words
    def show(
        name: PromptName,
        caller: Anybody,
        version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
        label: Annotated[str | None, Query(max_length=40)] = None,
        resolve: bool = True,
    ) -> dict[str, Any]:
        if version is not None and label is not None:
            raise InvalidRequest("say `version` or `label`, not both")
        selector = Selector(version) if version is not None else Selector(label=label or PRODUCTION)
        owner = kept.owner(tenant_of(caller, None), name)
        return _shown(directory, kept.version(owner, name, selector), resolve)

    @routes.post("", summary="A new version; a prompt that is new is made", response_model=None)
    @_in_their_words
    def create(sent: NewPrompt, caller: Editor, expected: Expected = None) -> dict[str, Any]:
        owner = tenant_of(caller, None)
        version, _ = directory.publish(
            caller,
            owner,
            sent.name,
            _content(sent),
            author=name_of(caller),
            comment=sent.commitMessage or "",
            labels=sent.labels or [],
            tags=sent.tags,
            believed=_believed(directory, owner, sent.name, sent.labels or [], expected),
        )
        return _shown(directory, version, resolve=True)

    @routes.patch("/{name:path}/versions/{version}", summary="Give a version these labels", response_model=None)
    @_in_their_words
    def label_version(
        name: PromptName, version: int, sent: NewLabels, caller: Editor, expected: Expected = None
    ) -> dict[str, Any]:
        owner = tenant_of(caller, None)
        for label in sent.newLabels:
            checked_label(label)
        believed = _believed(directory, owner, name, sent.newLabels, expected)
        for label in sent.newLabels:
            if label != LATEST:
                directory.label(
                    caller, owner, name, label, Selector(version), author=name_of(caller), expected=believed[label]
                )
        return _shown(directory, kept.version(owner, name, Selector(version)), resolve=True)

    return routes


def _believed(
    directory: PromptDirectory[Caller], owner: str, name: str, labels: list[str], expected: int | None
) -> dict[str, int | None]:
    """Where each label is taken to be: where the caller says (0: nowhere), or where it is now."""
    if expected is not None:
        return dict.fromkeys(labels, expected or None)
    now = directory.whereabouts(owner, name)
    return {label: now.get(label) for label in labels}


def _in_their_words(route: Callable[..., dict[str, Any]]) -> Callable[..., Any]:
    """Errors in the shape that Langfuse's clients show."""

    @wraps(route)
    def told(*args: Any, **fields: Any) -> Any:
        try:
            return route(*args, **fields)
        except LLMOpsError as error:
            name = _ERRORS.get(error.status, "InvalidRequestError" if error.status == 400 else type(error).__name__)
            said = {"message": error.message, "error": name}
            return JSONResponse({**said, "code": error.code}, status_code=error.status)

    return told


def _content(sent: NewPrompt) -> Content:
    if isinstance(sent.prompt, str):
        if sent.type == "chat":
            raise InvalidRequest("type: 'chat': the prompt must be a list of messages", param="prompt")
        return content_of({"kind": "text", "text": sent.prompt, "config": sent.config or {}})
    messages = [
        {"placeholder": each.get("name")}
        if each.get("type") == "placeholder"
        else {name: value for name, value in each.items() if name != "type"}
        for each in sent.prompt
    ]
    return content_of({"kind": "chat", "messages": messages, "config": sent.config or {}})


def _shown(directory: PromptDirectory[Caller], version: Version, resolve: bool) -> dict[str, Any]:
    content = version.resolved if resolve else version.content
    summary = directory.repository.summary(version.tenant, version.name)
    prompt: Any = content.text
    if content.kind == "chat":
        prompt = [
            {"type": "placeholder", "name": each.placeholder}
            if each.placeholder is not None
            else {"type": "chatmessage", "role": each.role, "content": each.content}
            for each in content.messages
        ]
    return {
        "id": f"{version.tenant}/{version.name}@{version.number}",
        "name": version.name,
        "version": version.number,
        "type": content.kind,
        "prompt": prompt,
        "config": msgspec.to_builtins(content.config),
        "labels": list(version.labels),
        "tags": summary.tags,
        "commitMessage": version.comment or None,
        "createdBy": version.author,
        "createdAt": _time(version.created_at_ms),
        "updatedAt": _time(summary.updated_at_ms),
        "resolutionGraph": _graph(version) if resolve and version.pins else None,
    }


def _graph(version: Version) -> dict[str, Any]:
    """Which prompts were put in."""
    below = [
        {"name": each.rpartition("@")[0], "version": int(each.rpartition("@")[2])} for each in version.pins.values()
    ]
    root = {"name": version.name, "version": version.number}
    return {"root": root, "dependencies": {version.shown: below}}


def _time(at_ms: int) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return at.replace("+00:00", "Z")
