"""What releases are tried with: a directory over a real database, with stand-ins for models, prompts and evals."""

from collections.abc import Sequence
from typing import Any

from llmops.clock import ManualClock
from llmops.dialects.registry import CONVERSATIONAL
from llmops.errors import UnknownModel
from llmops.releases.bundle import Models
from llmops.releases.directory import EvalRun, ReleaseDirectory
from llmops.store.database import Database

BOT: dict[str, Any] = {"name": "support-bot", "model": "mock"}


class SomeModels:
    def find(self, name: str) -> object:
        if name not in ("mock", "other"):
            raise UnknownModel(f"the model {name!r} does not exist here")
        return name


class SomePrompts:
    def has_version(self, tenant: str | None, name: str, version: int) -> bool:
        return name == "greeting" and version <= 3


class SomeEvals:
    """``runs`` by tenant."""

    def __init__(self) -> None:
        self.runs: dict[str | None, list[EvalRun]] = {}

    def add(self, run_id: str, release_id: str | None, tenant: str | None = "acme", *, complete: bool = True) -> None:
        run = EvalRun(run_id=run_id, release_id=release_id, is_complete=complete, shown={"run_id": run_id})
        self.runs.setdefault(tenant, []).append(run)

    def run(self, run_id: str, tenant: str | None) -> EvalRun | None:
        return next((each for each in self.runs.get(tenant, []) if each.run_id == run_id), None)

    def of_release(self, release_id: str, tenant: str | None) -> Sequence[EvalRun]:
        return [each for each in self.runs.get(tenant, []) if each.release_id == release_id]


def a_directory(
    database: Database, evals: SomeEvals | None = None, clock: ManualClock | None = None
) -> ReleaseDirectory:
    models: Models = SomeModels()
    return ReleaseDirectory(
        database,
        clock or ManualClock(),
        models=lambda: models,
        dialects=CONVERSATIONAL,
        evals=evals or SomeEvals(),
        prompts=SomePrompts(),
    )
