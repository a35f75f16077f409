"""Datasets over HTTP: versions, their cases a page at a time, what differs between two, labels.

A caller sees and changes its own tenant's, an administrator names a tenant. Protected labels (``golden``) are an
administrator's. Cases are data of others: they are answered as JSON and never taken for more.
"""

import time
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from ...errors import ConfigError, InvalidRequest
from ...evals.case import Case
from ...evals.datasets.batch import CaseBatch
from ...evals.datasets.mapping import RowMapping
from ...evals.datasets.merging import merged
from ...evals.datasets.report import Report
from ...evals.datasets.repository.datasets import DatasetRepository
from ...evals.datasets.version import Reference, checked_name, reference_of, shown
from .ownership import name_of, tenant_of
from .roles import Editor, Viewer

Name = Annotated[str, Path(max_length=100, description="The dataset's name.")]
Tenant = Annotated[str | None, Query(max_length=256, description="An administrator may name one.")]
Which = Annotated[str, Query(max_length=100, description="A version or a label.")]
Label = Annotated[str, Path(max_length=100)]


class NewVersion(BaseModel):
    """Cases as in a JSONL file; larger ones come by ``llmops datasets import``."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    cases: list[dict[str, Any]] = Field(min_length=1, max_length=100_000)
    mode: Literal["replace", "merge"] = Field("replace", description="merge: the cases of `latest` stay beside these.")
    note: str = Field("", max_length=2000)
    parent: str | None = Field(None, max_length=16, description="Refuse (409) if `latest` is another version by now.")


class Move(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: str = Field(min_length=1, max_length=100, description="A version or a label.")
    reason: str = Field("", max_length=2000, description="Needed for a protected label.")


def router(datasets: DatasetRepository, now_s: Callable[[], float] = time.time) -> APIRouter:
    """Routes whose functions block on the database, and which FastAPI therefore runs in threads."""
    routes = APIRouter(prefix="/api", tags=["datasets"])

    def now_ms() -> int:
        return round(now_s() * 1000)

    @routes.get("/datasets", summary="Datasets, each with its latest version")
    def list_datasets(caller: Viewer, tenant: Tenant = None) -> list[dict[str, Any]]:
        whose = tenant_of(caller, tenant) if tenant or caller.tenant else None
        return [{**msgspec.to_builtins(each), "latest": shown(each.latest)} for each in datasets.summaries(whose)]

    @routes.post("/datasets", summary="A version with these cases; a dataset that is new is made", status_code=201)
    def add_version(sent: NewVersion, caller: Editor, tenant: Tenant = None) -> dict[str, Any]:
        whose = tenant_of(caller, tenant)
        checked_name(sent.name, "dataset")
        report = Report("the cases")
        mapping = RowMapping(report)
        cases = [case for number, row in enumerate(sent.cases, 1) if (case := mapping.case(row, f"case {number}"))]
        try:
            report.check()
            with CaseBatch(merged(datasets, whose, sent.name, cases, sent.mode), source="the cases") as batch:
                version = datasets.store(
                    whose,
                    sent.name,
                    batch,
                    now_ms=now_ms(),
                    who=name_of(caller),
                    source="api",
                    note=sent.note,
                    parent=sent.parent,
                )
        except ConfigError as exc:  # what a file's import says of the file
            raise InvalidRequest("; ".join(exc.problems)[:2000], param="cases") from exc
        return {**shown(version), "notes": report.notes}

    @routes.get("/datasets/{dataset}", summary="A dataset: its versions, labels and what was done to it")
    def show(dataset: Name, caller: Viewer, tenant: Tenant = None) -> dict[str, Any]:
        whose = tenant_of(caller, tenant)
        return {
            "dataset": dataset,
            "tenant": whose,
            "versions": [shown(each) for each in datasets.versions(whose, dataset)],
            "labels": msgspec.to_builtins(datasets.labels(whose, dataset)),
            "events": msgspec.to_builtins(datasets.events(whose, dataset)),
        }

    @routes.delete("/datasets/{dataset}", summary="Remove a dataset, or a version that no label points to")
    def remove(
        dataset: Name,
        caller: Editor,
        version: Annotated[str | None, Query(max_length=100)] = None,
        tenant: Tenant = None,
    ) -> dict[str, Any]:
        datasets.remove(tenant_of(caller, tenant), dataset, version, now_ms=now_ms(), who=name_of(caller))
        return {"dataset": dataset, "version": version, "removed": True}

    @routes.get("/datasets/{dataset}/cases", summary="Cases of a version, in the order of their ids")
    def list_cases(
        dataset: Name,
        caller: Viewer,
        version: Which = "latest",
        split: Literal["train", "dev", "test"] | None = None,
        after: Annotated[str, Query(max_length=256, description="`next` of the page before.")] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        tenant: Tenant = None,
    ) -> dict[str, Any]:
        asked = reference_of(f"{dataset}@{version}")
        whose = tenant_of(caller, tenant)
        found: list[Case] = datasets.page(whose, asked, limit + 1, after=after, split=split)
        more = len(found) > limit
        return {"cases": msgspec.to_builtins(found[:limit]), "next": found[limit - 1].id if more else None}

    @routes.get("/datasets/{dataset}/diff", summary="What differs between two versions, field by field")
    def difference(
        dataset: Name,
        caller: Viewer,
        before: Annotated[str, Query(max_length=100, description="A version or a label.")],
        after: Which = "latest",
        behind: Annotated[str, Query(max_length=256, description="The last case of the page before.")] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        tenant: Tenant = None,
    ) -> Any:
        old, new = (reference_of(f"{dataset}@{each}") for each in (before, after))
        told = datasets.difference(tenant_of(caller, tenant), old, new, limit=limit, behind=behind)
        return msgspec.to_builtins(told)

    @routes.put("/datasets/{dataset}/labels/{label}", summary="Point a label to a version")
    def move_label(dataset: Name, label: Label, sent: Move, caller: Editor, tenant: Tenant = None) -> dict[str, Any]:
        version = datasets.label(
            tenant_of(caller, tenant),
            reference_of(f"{dataset}@{sent.version}"),
            label,
            now_ms=now_ms(),
            who=name_of(caller),
            reason=sent.reason,
            is_admin=caller.role == "admin",
        )
        return shown(version)

    @routes.delete("/datasets/{dataset}/labels/{label}", summary="Take a label away")
    def drop_label(
        dataset: Name,
        label: Label,
        caller: Editor,
        reason: Annotated[str, Query(max_length=2000)] = "",
        tenant: Tenant = None,
    ) -> dict[str, Any]:
        datasets.unlabel(
            tenant_of(caller, tenant),
            Reference(dataset).name,
            label,
            now_ms=now_ms(),
            who=name_of(caller),
            reason=reason,
            is_admin=caller.role == "admin",
        )
        return {"dataset": dataset, "label": label, "removed": True}

    return routes
