"""The gate put together: both arms' subjects, and where runs and decisions are kept.

The domain knows neither the pipeline nor the database's address; here they meet.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from ..errors import InvalidRequest, NotFound, StoreUnavailable
from ..evals.baselines import Baseline, chain_problems
from ..evals.config import build_scorers, read_dataset
from ..evals.dataset import Dataset
from ..evals.datasets.repository.datasets import DatasetRepository
from ..evals.datasets.version import WORN_AFTER, Reference
from ..evals.engine import Stop
from ..evals.evaluation import open_journal
from ..evals.gate.arm import Arm, arm_of, stored_arm
from ..evals.gate.check import check, refused
from ..evals.gate.decision import Decision
from ..evals.gate.integrity import GATE_LABEL
from ..evals.gate.policy import Policy
from ..evals.gate.running import GateProgress, GateRun
from ..evals.gate.side import Side
from ..evals.journal import Journal
from ..evals.repository.baselines import BaselineRepository
from ..evals.repository.decisions import DecisionRepository
from ..evals.repository.results import ResultRepository
from ..evals.repository.runs import RunRepository
from ..evals.revision import git_revision
from ..evals.running import spec_of
from ..evals.scorers.registry import build
from ..settings import Settings
from ..store.database import Database
from .evals import interruptible, open_parts


class Shelf(NamedTuple):
    """The repositories that a gate needs, on one database."""

    runs: RunRepository
    results: ResultRepository
    baselines: BaselineRepository
    decisions: DecisionRepository
    datasets: DatasetRepository

    def arm(self, run_id: str, tenant: str | None = None) -> Arm | None:
        """A stored run as the gate reads it; None where there is none."""
        found = self.runs.get(run_id, tenant)
        return stored_arm(found, self.results.of(run_id)) if found is not None else None

    def defended(self, policy: Policy) -> tuple[Baseline | None, Arm | None, list[str]]:
        """The promoted baseline of a policy, its run as it is now, and what is wrong with its records."""
        if policy.baseline is None:
            return None, None, []
        history = self.baselines.history(policy.tenant, policy.baseline)
        if not history:
            return None, None, []
        return history[-1], self.arm(history[-1].run_id), chain_problems(history)


@contextmanager
def open_shelf(settings: Settings) -> Iterator[Shelf]:
    database = Database(settings.database.url)
    try:
        yield Shelf(
            RunRepository(database),
            ResultRepository(database),
            BaselineRepository(database),
            DecisionRepository(database),
            DatasetRepository(database),
        )
    finally:
        database.close()


async def run_gate(
    policy: Policy,
    settings: Settings,
    folder: Path,
    gate_id: str,
    *,
    is_stored: bool = True,
    on_progress: Callable[[GateProgress], None] | None = None,
) -> Decision:
    """Run both arms and decide. A gate of this id that was interrupted goes on where it was."""
    dataset, stop = read_dataset(policy.dataset), Stop()
    with open_shelf(settings) as shelf:
        promoted, past, problems = await asyncio.to_thread(shelf.defended, policy)
        if policy.dataset.version not in (None, dataset.version):
            said = f"the dataset {dataset.name!r} has version {dataset.version!r}; "
            problems.append(f"{said}the policy wants {policy.dataset.version!r}")
        if policy.baseline is not None and promoted is None:
            said = f"no baseline {policy.baseline!r} is promoted"
            problems.append(f"{said}; llmops gate promote {policy.baseline} RUN does it")
        if problems:  # nothing is spent on what cannot be decided
            decision = refused(policy, dataset, problems, gate_id=gate_id, now_s=time.time())
            return await asyncio.to_thread(_keep, shelf, decision, []) if is_stored else decision
        async with AsyncExitStack() as opened:
            revision = await asyncio.to_thread(git_revision, Path.cwd())
            open_side = partial(_open_side, opened, policy, settings, folder, dataset, stop, gate_id, revision)
            baseline, candidate = await open_side("baseline"), await open_side("candidate")
            gate = GateRun(
                policy,
                dataset,
                baseline,
                candidate,
                gate_id=gate_id,
                stop=stop,
                promoted=promoted,
                past=past,
                on_progress=on_progress,
            )
            with interruptible(stop):
                decision = await gate.run()
        if not is_stored:
            return decision
        return await asyncio.to_thread(_keep, shelf, decision, [baseline, candidate])


async def _open_side(
    opened: AsyncExitStack,
    policy: Policy,
    settings: Settings,
    folder: Path,
    dataset: Dataset,
    stop: Stop,
    gate_id: str,
    revision: str | None,
    which: str,
) -> Side:
    config = policy.arm("baseline" if which == "baseline" else "candidate")
    run_id = f"{gate_id}-{which}"
    subject, tools = await opened.enter_async_context(open_parts(config, settings, run_id))
    scorers = build_scorers(config.scorers, partial(build, tools=tools))
    same = {name: getattr(config, name) for name in ("repeats", "timeout_s", "concurrency", "seed", "tenant")}
    labels = {GATE_LABEL: gate_id, "arm": which}
    spec = spec_of(dataset, subject, scorers, run_id=run_id, code_revision=revision, labels=labels, **same)
    journal = opened.enter_context(open_journal(folder, spec, dataset))
    return Side(journal.spec, dataset, subject, scorers, stop=stop, journal=journal)


def _keep(shelf: Shelf, decision: Decision, sides: list[Side]) -> Decision:
    """Store runs and decision, and count the use of the dataset. What the database does not take is a warning."""
    try:
        for side in sides:
            ending = side.ending
            shelf.runs.store(side.spec, ending, side.tally.summary())
            shelf.results.store(side.spec.run_id, side.results.values())
        return record(shelf, decision)
    except StoreUnavailable as exc:
        said = f"it is not in the database: {exc.message}"
        return msgspec.structs.replace(decision, warnings=[*decision.warnings, said])


def record(shelf: Shelf, decision: Decision) -> Decision:
    """Store a decision; what comes back says how often its dataset has decided, and warns when that is too often."""
    uses = shelf.decisions.uses(decision.tenant, decision.dataset, decision.dataset_version) + 1
    warnings = list(decision.warnings)
    reference = Reference(decision.dataset, decision.dataset_version)
    try:
        wear = shelf.datasets.use(decision.tenant, reference, now_ms=decision.at_ms, by=decision.id).wear
    except (NotFound, InvalidRequest):  # a file that was never imported
        wear = None
    if wear is None and uses > WORN_AFTER:
        wear = f"this version of {decision.dataset} has decided {uses:,} times: take fresh cases"
    decision = msgspec.structs.replace(decision, uses=uses, warnings=[*warnings, wear] if wear else warnings)
    shelf.decisions.add(msgspec.to_builtins(decision))
    return decision


def check_runs(policy: Policy, shelf: Shelf, folder: Path, runs: tuple[str | None, str], gate_id: str) -> Decision:
    """Decide on two runs that are stored, or lie in ``folder``. Without the first it is the promoted baseline's."""
    dataset = read_dataset(policy.dataset)
    promoted, past, problems = shelf.defended(policy)
    first = runs[0] or (promoted.run_id if promoted is not None else None)
    arms: list[Arm | None] = []
    for name, run_id in (("baseline", first), ("candidate", runs[1])):
        arm = find_arm(shelf, folder, run_id, policy.tenant) if run_id is not None else None
        if arm is None:
            problems.append(f"{name}: there is no run {run_id!r}" if run_id else f"{name}: no run is named or promoted")
        arms.append(arm)
    now_s = time.time()
    baseline, candidate = arms
    if baseline is None or candidate is None:
        return refused(policy, dataset, problems, gate_id=gate_id, now_s=now_s, baseline=baseline, candidate=candidate)
    return check(
        policy,
        dataset,
        baseline,
        candidate,
        gate_id=gate_id,
        now_s=now_s,
        promoted=promoted,
        past=past,
        problems=problems,
    )


def find_arm(shelf: Shelf, folder: Path, run_id: str, tenant: str | None = None) -> Arm | None:
    """A run of the database, else of the folder. None where neither has one."""
    found = shelf.arm(run_id, tenant)
    if found is not None:
        return found
    try:
        journal = Journal.read(folder, run_id)
    except NotFound:
        return None
    if tenant is not None and journal.spec.tenant != tenant:
        return None
    results, ending = list(journal.results()), journal.ending()
    return arm_of(journal.spec, results, state=ending.state)
