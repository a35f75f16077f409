"""Releases put together: what they need to know of models, evals, prompts and figures, which as siblings they do not.

The table in memory is the pipeline's; here is what fills it, and what the control plane and the shell work with.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ..app import Stack
from ..caching.desk import let_go
from ..clock import Clock
from ..deployments import build_models
from ..dialects.registry import CONVERSATIONAL
from ..evals.repository.runs import RunRepository, StoredRun
from ..policies.routing import ModelTable
from ..prompts.prompt import SHARED, Selector
from ..prompts.repository.reading import PromptReader
from ..providers.transport import Transport
from ..releases.bundle import Models
from ..releases.card import Cards
from ..releases.directory import EvalRun, ReleaseDirectory
from ..releases.refresher import ReleaseRefresher
from ..releases.repository.releases import ReleaseRepository
from ..releases.table import ReleaseTable
from ..settings import Settings
from ..store.database import Database
from ..telemetry.rollups.figures import Filter
from ..telemetry.rollups.overview import Overview
from ..telemetry.rollups.window import window_of
from .rollouts import open_rollouts
from .service import Service, failing

_LOOKED_THROUGH = 500
"""How many of the newest eval runs are looked through for those of a release."""


class Releases:
    """Of a running gateway, over its stack, whose ``releases`` it keeps up to date."""

    def __init__(self, stack: Stack, database: Database, overview: Overview) -> None:
        table = stack.parts.releases
        assert table is not None
        self.table = table
        self.directory = open_directory(database, stack.parts.clock, lambda: stack.table)
        self.cards = Cards(
            self.directory,
            figures=ReleaseFigures(overview),
            rollouts=open_rollouts(database, stack.parts.clock, self.directory),
        )
        self.refresher = ReleaseRefresher(
            self.directory.repository,
            table,
            period_s=stack.settings.auth.refresh_seconds,
            drop=lambda named: let_go(stack.parts.cache, named),
        )

    @property
    def services(self) -> list[Service]:
        refresher, table = self.refresher, self.table
        return [
            Service(
                refresher.start, refresher.aclose, lambda: [*failing("releases", refresher.failing), *table.problems()]
            )
        ]


def open_directory(database: Database, clock: Clock, models: Callable[[], Models]) -> ReleaseDirectory:
    return ReleaseDirectory(
        database,
        clock,
        models=models,
        dialects=CONVERSATIONAL,
        evals=EvalRuns(database),
        prompts=KnownPrompts(database),
    )


def configured_models(settings: Settings, clock: Clock) -> ModelTable:
    """The models as these settings describe them; connects to nothing."""
    return ModelTable(build_models(settings, clock, Transport()))


async def read_table(database: Database) -> ReleaseTable:
    """The releases that there are now, for a stack that follows no changes."""
    table = ReleaseTable(CONVERSATIONAL)
    await ReleaseRefresher(ReleaseRepository(database), table, period_s=1.0).refresh()
    return table


async def known_releases(settings: Settings) -> ReleaseTable | None:
    """What these settings' database has of releases; None where there is none."""
    database = Database(settings.database.url)
    try:
        return await read_table(database) if database.exists else None
    finally:
        database.close()


class KnownPrompts:
    """The prompts in the database, as releases ask for them."""

    def __init__(self, database: Database) -> None:
        self._prompts = PromptReader(database)

    def has_version(self, tenant: str | None, name: str, version: int) -> bool:
        """A shared release (None) needs a shared prompt."""
        if not 1 <= version < 2**31:
            return False
        return self._prompts.visible(tenant or SHARED, name, Selector(number=version)) is not None


class EvalRuns:
    """Eval runs as releases see them. A run was of a release if its subject says so, if it asked for the pinned name
    ``name@rel-…``, or if it is labelled ``release_id``."""

    def __init__(self, database: Database) -> None:
        self._runs = RunRepository(database)

    def run(self, run_id: str, tenant: str | None) -> EvalRun | None:
        found = self._runs.get(run_id, tenant)
        return None if found is None else _eval_run(found)

    def of_release(self, release_id: str, tenant: str | None) -> Sequence[EvalRun]:
        runs = map(_eval_run, self._runs.find(tenant=tenant, limit=_LOOKED_THROUGH))
        return [each for each in runs if each.release_id == release_id]


class ReleaseFigures:
    """What the calls of a release say, from the rollups."""

    def __init__(self, overview: Overview) -> None:
        self._overview = overview

    def of_release(self, release_id: str, tenant: str | None, window: str) -> dict[str, Any]:
        span = window_of(f"now-{window}", "now", self._overview.now_s())
        found = self._overview.figures(span, wanted=Filter(tenant=tenant, release=release_id))
        return {"from": found["from"], "to": found["to"], **found["totals"]}


def _eval_run(stored: StoredRun) -> EvalRun:
    spec, summary = stored.spec, stored.summary
    pinned = spec.subject.get("model", "").rpartition("@rel-")
    release_id = (
        spec.subject.get("release_id") or spec.labels.get("release_id") or (f"rel-{pinned[2]}" if pinned[1] else None)
    )
    return EvalRun(
        run_id=spec.run_id,
        release_id=release_id,
        is_complete=stored.ending.state == "complete",
        shown={
            "run_id": spec.run_id,
            "dataset": spec.dataset,
            "dataset_version": spec.dataset_version,
            "state": stored.ending.state,
            "started_at_ms": spec.started_at_ms,
            "metrics": msgspec.to_builtins(summary.metrics) if summary is not None else [],
            "cost_nanousd": summary.cost_nanousd if summary is not None else None,
        },
    )
