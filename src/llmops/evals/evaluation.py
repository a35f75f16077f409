"""``evaluate``: a run from a notebook or a script, in one call::

from llmops.evals import evaluate

run = await evaluate([{"id": "1", "input": "2 + 2?", "reference": "4"}], my_function, [Exact()])
run.summary.figure("exact")
"""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import msgspec

from ..errors import ConfigError
from .case import Case
from .dataset import Dataset
from .engine import Stop
from .journal import Journal, run_folder
from .run import RunSpec
from .running import MakeEngine, Progress, Run, Runner, local_engine, spec_of
from .scorer import Scorer
from .subject import Subject


def new_run_id(now_s: float | None = None) -> str:
    """Sorted by time: ``20250101-120000-3f9a1c``."""
    moment = time.gmtime(time.time() if now_s is None else now_s)
    return f"{time.strftime('%Y%m%d-%H%M%S', moment)}-{secrets.token_hex(3)}"


async def evaluate(
    dataset: Dataset | Sequence[Case | Mapping[str, Any]],
    subject: Subject | Callable[..., Any],
    scorers: Sequence[Scorer] = (),
    *,
    repeats: int = 1,
    concurrency: int = 16,
    timeout_s: float = 120.0,
    seed: int = 0,
    name: str = "cases",
    labels: Mapping[str, str] | None = None,
    folder: Path | None = None,
    run_id: str | None = None,
    max_usd: float | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    stop: Stop | None = None,
    make_engine: MakeEngine = local_engine,
) -> Run:
    """Run a subject, or any callable, over a dataset; the results are in ``Run.results``.

    With a ``folder`` the run is written there as it goes; one of this ``run_id`` that is there goes on. `ConfigError`
    where that is a run of something else.
    """
    cases = dataset if isinstance(dataset, Dataset) else _dataset(name, dataset)
    under_test = _subject(subject)
    identity = run_id or new_run_id()
    spec = spec_of(
        cases,
        under_test,
        scorers,
        run_id=identity,
        repeats=repeats,
        concurrency=concurrency,
        timeout_s=timeout_s,
        seed=seed,
        labels=dict(labels or {}),
    )
    with open_journal(folder, spec, cases) if folder is not None else nullcontext() as journal:
        if journal is not None:
            spec = msgspec.structs.replace(journal.spec, concurrency=concurrency, timeout_s=timeout_s)
        runner = Runner(
            spec,
            cases,
            under_test,
            scorers,
            journal=journal,
            max_nanousd=None if max_usd is None else round(max_usd * 1e9),
            on_progress=on_progress,
            stop=stop,
            keep_results=True,
            make_engine=make_engine,
        )
        return await runner.run()


def open_journal(folder: Path, spec: RunSpec, dataset: Dataset) -> Journal:
    """A new run's, or that of one which goes on."""
    if not (run_folder(folder, spec.run_id) / "spec.json").exists():
        return Journal.create(folder, spec, dataset)
    journal = Journal.resume(folder, spec.run_id)
    try:
        journal.check(spec)
        journal.dataset()
    except BaseException:
        journal.close()
        raise
    return journal


def _dataset(name: str, cases: Sequence[Case | Mapping[str, Any]]) -> Dataset:
    try:
        return Dataset(name, [each if isinstance(each, Case) else msgspec.convert(each, Case) for each in cases])
    except msgspec.ValidationError as exc:
        raise ConfigError([str(exc)], source=f"dataset {name!r}") from exc


def _subject(given: Subject | Callable[..., Any]) -> Subject:
    if hasattr(given, "answer") and hasattr(given, "versions"):
        return given
    if callable(given):
        from .subjects.function import FunctionSubject

        return FunctionSubject(given)
    raise ConfigError([f"subject: {given!r}: must be a subject or a callable"])
