"""What the gate buys, look by look, fixed before the first answer: first more cases, then more repeats of all.

Looks grow geometrically up to what dataset, ``most_repeats`` and budget allow. Alpha is spent over the looks by their
share of the most information (`statistics.spending`). Within a stratum every case gets as many repeats as any other;
among strata repeats go where answers vary most (Neyman 1934). They never follow a single case's own answers: asking
again where two answers differed would turn a case that passes nine times in ten into one that seems to pass 94 %.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from ...statistics.allocation import Components, components, neyman
from ...statistics.spending import levels
from ..case import Case
from ..dataset import Dataset
from .arm import Arm
from .policy import Policy
from .tables import Pairs

_WITHIN_SHARE = 0.5
"""Before anything is known: the part of the variance of an answer that repeats can buy down."""


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One look: so many cases, so many repeats of each on the average, and its share of the most information."""

    cases: int
    cells: int
    """Of one arm, without further repeats of must-pass cases."""
    information: float


def shuffled(dataset: Dataset, seed: int) -> list[Case]:
    """All cases in the order in which looks take them: random, the same for a seed, clusters kept together."""

    def place(case: Case) -> bytes:
        return hashlib.blake2b(f"{seed}:{case.unit}".encode(), digest_size=8).digest()

    return sorted(dataset.cases, key=lambda case: (place(case), case.id))


def stages_of(policy: Policy, dataset: Dataset) -> list[Stage]:
    """The looks of a gate on this dataset; at least one."""
    extension, count = policy.extension, len(dataset)
    first_cases = min(extension.first_cases or count, count) if extension.looks > 1 else count
    first = first_cases * policy.repeats
    most = count * (extension.most_repeats or policy.repeats) if extension.looks > 1 else first
    if policy.budget.cells is not None:
        most = max(first, min(most, policy.budget.cells // 2))
    looks = extension.looks if most > first else 1
    sizes = [first * (most / first) ** (look / max(1, looks - 1)) for look in range(looks)]
    found: list[tuple[int, int]] = []
    for size in sizes:
        cells = _rounded(round(size), count, policy.repeats)
        if not found or cells > found[-1][1]:
            found.append((min(count, cells // policy.repeats), cells))
    weights = [_information(cases, cells) for cases, cells in found]
    return [
        Stage(cases=cases, cells=cells, information=weight / weights[-1])
        for (cases, cells), weight in zip(found, weights, strict=True)
    ]


def _rounded(cells: int, count: int, repeats: int) -> int:
    """Whole repeats of all cases beyond the first ones; before that whole cases."""
    return cells // repeats * repeats if cells <= count * repeats else max(repeats, cells // count) * count


def _information(cases: int, cells: int) -> float:
    return cases / (1 - _WITHIN_SHARE + _WITHIN_SHARE * cases / cells)


def levels_of(policy: Policy, stages: Sequence[Stage]) -> list[dict[str, float]]:
    """By look: the level of each metric."""
    by_alpha: dict[float, list[float]] = {}
    for metric in policy.metrics.values():
        if metric.alpha not in by_alpha:
            shares = [stage.information for stage in stages]
            found = levels(shares, metric.alpha, policy.extension.spending) if len(stages) > 1 else [metric.alpha]
            by_alpha[metric.alpha] = found
    return [
        {name: by_alpha[metric.alpha][look] for name, metric in policy.metrics.items()} for look in range(len(stages))
    ]


def first_depths(policy: Policy, stage: Stage, cases: Sequence[Case]) -> dict[str, int]:
    return {case.id: policy.repeats for case in cases[: stage.cases]}


def next_depths(
    policy: Policy, stage: Stage, cases: Sequence[Case], before: Mapping[str, int], baseline: Arm, candidate: Arm
) -> dict[str, int]:
    """How often each case is to have been asked at this look; never less often than before."""
    wanted = {case.id: max(policy.repeats, before.get(case.id, 0)) for case in cases[: stage.cases]}
    if stage.cells <= stage.cases * policy.repeats:
        return wanted
    known = [case for case in cases if before.get(case.id)]
    spread = _deviations(policy, known, before, baseline, candidate)
    stratum = [_stratum(policy, case) for case in cases]
    shares = neyman(stage.cells, [spread.get(each, 0.0) or 1e-9 for each in stratum], least=policy.repeats)
    most = policy.extension.most_repeats or policy.repeats
    return {
        case.id: max(wanted[case.id], min(most, share))
        for case, share in zip(cases[: stage.cases], shares, strict=True)
    }


def _stratum(policy: Policy, case: Case) -> str:
    key = policy.extension.strata
    return "" if key is None else str(case.metadata.get(key, ""))


def _deviations(
    policy: Policy, cases: Sequence[Case], depths: Mapping[str, int], baseline: Arm, candidate: Arm
) -> dict[str, float]:
    """By stratum: how much one repeat's gain varies within a case, for the first metric that decides."""
    name = next((name for name, each in policy.metrics.items() if each.tier != "advisory"), next(iter(policy.metrics)))
    found = {}
    for stratum in {_stratum(policy, case) for case in cases}:
        among = [case for case in cases if _stratum(policy, case) == stratum]
        parts = parts_of(name, among, depths, baseline, candidate)
        found[stratum] = math.sqrt(parts.within) if parts is not None else 1.0
    return found


def parts_of(
    name: str, cases: Sequence[Case], depths: Mapping[str, int], baseline: Arm, candidate: Arm
) -> Components | None:
    """Where the variance of a metric's gain comes from; None before each case has two repeats with values."""
    depth = min((depths[case.id] for case in cases), default=0)
    if depth < 2 or len(cases) < 2:
        return None
    pairs = Pairs(name, cases, {case.id: depth for case in cases}, baseline, candidate)
    whole = ~(np.isnan(pairs.baseline).any(axis=1) | np.isnan(pairs.candidate).any(axis=1))
    if int(whole.sum()) < 2:
        return None
    return components(pairs.baseline[whole], pairs.candidate[whole])
