"""What makes two arms incomparable, or a run no evidence: each problem is a sentence, and any of them is ERROR.

Nothing here is a matter of degree. A cell that is there but has no value is (`tables`): the policy may tolerate some.
"""

from collections.abc import Iterator
from itertools import chain

from ..dataset import Dataset
from ..result import Cell
from .arm import Arm
from .policy import Policy

GATE_LABEL = "gate"
"""Runs that a gate made bear it: their cases may be asked unequally often, by plan."""
_NAMED = 3


def problems_between(policy: Policy, dataset: Dataset, baseline: Arm, candidate: Arm) -> list[str]:
    """Empty where the arms can be compared."""
    return list(chain(_of_dataset(policy, dataset), _of_arms(policy, dataset, baseline, candidate)))


def _of_dataset(policy: Policy, dataset: Dataset) -> Iterator[str]:
    wanted = policy.dataset.version
    if wanted is not None and wanted != dataset.version:
        yield f"the dataset {dataset.name!r} has version {dataset.version!r}; the policy wants {wanted!r}"


def _of_arms(policy: Policy, dataset: Dataset, baseline: Arm, candidate: Arm) -> Iterator[str]:
    for name, arm in (("baseline", baseline), ("candidate", candidate)):
        yield from _of_arm(name, arm, dataset)
    first, second = baseline.spec, candidate.spec
    if first.scorers != second.scorers:
        differing = sorted(set(first.scorers) ^ set(second.scorers))
        yield f"the arms were not judged alike: {', '.join(differing) or 'the order of the scorers differs'}"
    if first.metrics != second.metrics:
        yield "the scorers' metrics differ between the arms"
    if first.dataset_version != second.dataset_version:
        yield f"the arms answered versions {first.dataset_version!r} and {second.dataset_version!r} of the dataset"
    if first.run_id == second.run_id:
        yield f"both arms are the run {first.run_id!r}"
    if lacking := baseline.by_cell.keys() ^ candidate.by_cell.keys():
        yield f"{len(lacking)} cells are in one arm only: {_named(lacking)}"
    for name, metric in policy.metrics.items():
        declared = candidate.metrics.get(name)
        if declared is None:
            yield f"no scorer measures {name!r}"
            continue
        try:
            metric.criterion(declared)
        except ValueError as exc:
            yield f"{name}: {exc}"
    if policy.must_pass is not None and policy.must_pass.metric not in candidate.metrics:
        yield f"no scorer measures {policy.must_pass.metric!r}, by which must-pass cases are judged"


def _of_arm(name: str, arm: Arm, dataset: Dataset) -> Iterator[str]:
    spec = arm.spec
    if spec.dataset_version != dataset.version:
        yield f"{name}: run {spec.run_id!r} answered version {spec.dataset_version!r}, not {dataset.version!r}"
    if arm.state != "complete":
        yield f"{name}: run {spec.run_id!r} is {arm.state}; resume it first"
    if len(arm.by_cell) != len(arm.readings):
        yield f"{name}: {len(arm.readings) - len(arm.by_cell)} cells are there more than once"
    if arm.promised is None:
        yield f"{name}: nobody knows how many cells run {spec.run_id!r} has"
    elif arm.promised != len(arm.readings):
        yield f"{name}: run {spec.run_id!r} had {arm.promised} cells, and {len(arm.readings)} are there: rows are lost"
    if unknown := sorted(arm.repeats.keys() - dataset.by_id.keys()):
        yield f"{name}: {len(unknown)} cases are not in the dataset: {', '.join(map(repr, unknown[:_NAMED]))}"
    is_gates = GATE_LABEL in spec.labels
    if not is_gates and (missing := sorted(dataset.by_id.keys() - arm.repeats.keys())):
        yield f"{name}: {len(missing)} cases are missing: {', '.join(map(repr, missing[:_NAMED]))}"
    gaps = [case for case, count in arm.repeats.items() if Cell(case, count - 1) not in arm.by_cell]
    short = [] if is_gates else [case for case, count in arm.repeats.items() if count != spec.repeats]
    if broken := sorted({*gaps, *short}):
        yield f"{name}: repeats are missing of {len(broken)} cases: {', '.join(map(repr, broken[:_NAMED]))}"
    if cached := sum(each.cached for each in arm.readings):
        yield f"{name}: {cached} answers came from a cache: they are no fresh observations"
    undeclared = {score for each in arm.readings for score in each.scores} - arm.metrics.keys()
    if undeclared:
        yield f"{name}: scores that no scorer declares: {', '.join(sorted(undeclared)[:_NAMED])}"


def _named(cells: set[Cell]) -> str:
    return ", ".join(f"{case!r} repeat {repeat}" for case, repeat in sorted(cells)[:_NAMED])
