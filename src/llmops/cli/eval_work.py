"""The work behind ``llmops eval run`` and ``resume``: a run is begun or gone on with, from its configuration."""

import asyncio
import json
from functools import partial
from pathlib import Path

from ..assembly.evals import open_parts
from ..assembly.evals import run as work
from ..errors import ConfigError
from ..evals.config import RunConfig, build_scorers, check_config, read_dataset
from ..evals.evaluation import new_run_id
from ..evals.journal import Journal
from ..evals.revision import git_revision
from ..evals.running import Run, local_engine, spec_of
from ..evals.scorers.registry import build
from ..settings import Settings
from .eval_display import live
from .output import say

_CONFIG = "config.json"


async def begin(
    wanted: RunConfig, settings: Settings, folder: Path, run_id: str | None, engine: str, no_store: bool, quiet: bool
) -> Run:
    dataset, identity = read_dataset(wanted.dataset), run_id or new_run_id()
    same = {name: getattr(wanted, name) for name in ("repeats", "timeout_s", "concurrency", "seed", "tenant", "labels")}
    revision = await asyncio.to_thread(git_revision, Path.cwd())
    async with open_parts(wanted, settings, identity) as (subject, tools):
        scorers = build_scorers(wanted.scorers, partial(build, tools=tools))
        spec = spec_of(dataset, subject, scorers, run_id=identity, code_revision=revision, **same)
    with Journal.create(folder, spec, dataset) as journal:
        path = journal.path / _CONFIG
        path.touch(0o600)  # headers may hold a credential
        path.write_text(_absolute(wanted).model_dump_json())
        return await _work(wanted, settings, journal, engine, no_store, quiet)


def _absolute(wanted: RunConfig) -> RunConfig:
    """With paths that hold wherever the run is resumed from."""
    replay = wanted.subject.replay
    dataset = wanted.dataset.model_copy(update={"path": wanted.dataset.path.absolute()})
    subject = wanted.subject.model_copy(update={"replay": replay.absolute() if replay is not None else None})
    known = wanted.calibrations.absolute() if wanted.calibrations is not None else None
    return wanted.model_copy(update={"dataset": dataset, "subject": subject, "calibrations": known})


async def go_on(
    settings: Settings,
    folder: Path,
    run_id: str,
    engine: str,
    no_store: bool,
    quiet: bool,
    retry_failures: bool,
    max_usd: float | None,
) -> Run:
    with Journal.resume(folder, run_id) as journal:
        try:
            given = json.loads((journal.path / _CONFIG).read_text())
        except (OSError, ValueError) as exc:
            said = f"{exc}: it was not begun by this command; resume it where it was begun"
            raise ConfigError([said], source=f"the run {run_id!r}") from exc
        wanted = check_config(given, source=str(journal.path / _CONFIG))
        if max_usd is not None:
            wanted = wanted.model_copy(update={"max_usd": max_usd})
        return await _work(wanted, settings, journal, engine, no_store, quiet, retry_failures)


async def _work(
    wanted: RunConfig,
    settings: Settings,
    journal: Journal,
    engine: str,
    no_store: bool,
    quiet: bool,
    retry_failures: bool = False,
) -> Run:
    dataset, kept, make = journal.dataset(), journal.spec, local_engine
    if engine == "ray":
        from ..evals.cluster import ray_engine

        make = ray_engine
    async with open_parts(wanted, settings, kept.run_id) as (subject, tools):
        scorers = build_scorers(wanted.scorers, partial(build, tools=tools))
        journal.check(spec_of(dataset, subject, scorers, run_id=kept.run_id, repeats=kept.repeats, seed=kept.seed))
        if retry_failures:
            say(f"{journal.forget_failures():,} cells without an answer are asked again")
        with live(quiet=quiet) as show_progress:
            return await work(
                wanted,
                settings,
                kept,
                dataset,
                subject,
                scorers,
                journal,
                is_stored=not no_store,
                on_progress=show_progress,
                make_engine=make,
            )
