"""The gate tried on the user's own data: how often it blocks or passes wrongly, and what it would find.

Each simulated gate draws units of chance (cases, or whole clusters) with replacement and exchanges the arms of each by
a coin: nothing has changed, whatever the data look like. So a BLOCK is false by construction, and the share of PASS is
the power to let an equal candidate through. For the power to block, a share of the candidate's cases is spoilt, chosen
so that the true loss is the margin (or as told). One look at full data; metrics are drawn together.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...statistics.criterion import Criterion
from ...statistics.multiplicity import corrected, overall
from ...statistics.proportion import wilson
from ...statistics.verdict import Finding, Interval, Verdict
from ..dataset import Dataset
from .arm import Arm
from .policy import Policy
from .tables import Floats, Pairs, decide_pairs


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """How often something happened in ``of`` gates, with its 95 % interval."""

    value: float
    low: float
    high: float
    of: int


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing changed (``false_block``, ``passes``, ``undecided``), and a true loss of ``loss`` by metric
    (``blocks``, ``false_pass``: it was let through)."""

    gates: int
    cases: int
    false_block: Share
    passes: Share
    undecided: Share
    loss: dict[str, float]
    blocks: dict[str, Share]
    false_pass: dict[str, Share]


class _Metric(msgspec.Struct, frozen=True):
    name: str
    pairs: Pairs
    criterion: Criterion
    alpha: float


def simulate(
    policy: Policy,
    dataset: Dataset,
    baseline: Arm,
    candidate: Arm,
    *,
    gates: int = 1000,
    cases: int | None = None,
    losses: Mapping[str, float] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Simulated:
    """``cases``: of one simulated gate, by default as many as there are. `ValueError` for data with missing values."""
    metrics = _metrics(policy, dataset, baseline, candidate)
    units = _units(metrics[0].pairs)
    rng = np.random.default_rng(policy.seed)
    wanted = {each.name: (losses or {}).get(each.name, each.criterion.margin) for each in metrics}
    null: list[Verdict] = []
    harmed: dict[str, list[Verdict]] = {each.name: [] for each in metrics}
    size = cases or len(metrics[0].pairs.cases)
    for number in range(gates):
        rows, membership, swap = _drawn(units, size, rng)
        whole = {each.name: _tables(each.pairs, rows, swap) for each in metrics}
        null.append(_verdict(metrics, whole, membership, number))
        for each in metrics:
            spoilt = {**whole, each.name: _spoilt(each, whole[each.name], wanted[each.name], rng)}
            harmed[each.name].append(_verdict(metrics, spoilt, membership, number))
        if on_progress is not None:
            on_progress(number + 1)
    return Simulated(
        gates=gates,
        cases=size,
        false_block=_share(null, Verdict.BLOCK),
        passes=_share(null, Verdict.PASS),
        undecided=_share(null, Verdict.INCONCLUSIVE),
        loss=wanted,
        blocks={name: _share(verdicts, Verdict.BLOCK) for name, verdicts in harmed.items()},
        false_pass={name: _share(verdicts, Verdict.PASS) for name, verdicts in harmed.items()},
    )


def _metrics(policy: Policy, dataset: Dataset, baseline: Arm, candidate: Arm) -> list[_Metric]:
    depth = min(min(arm.repeats.values()) for arm in (baseline, candidate))
    found = []
    for name, wanted in policy.metrics.items():
        metric = candidate.metrics.get(name)
        if metric is None or metric.advisory or wanted.tier == "advisory":
            continue
        cases = [case for case in dataset.cases if case.id in baseline.repeats and case.id in candidate.repeats]
        pairs = Pairs(name, cases, {case.id: depth for case in cases}, baseline, candidate)
        if np.isnan(pairs.baseline).any() or np.isnan(pairs.candidate).any():
            raise ValueError(f"{name}: cells are missing; simulate with whole runs")
        found.append(_Metric(name, pairs, wanted.criterion(metric), wanted.alpha))
    if not found:
        raise ValueError("no metric decides, so there is nothing to simulate")
    return found


def _units(pairs: Pairs) -> list[NDArray[np.int64]]:
    """The rows of each unit of chance."""
    _, inverse = np.unique(pairs.units, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(inverse[order])) + 1)


def _drawn(
    units: Sequence[NDArray[np.int64]], size: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Rows, the drawn unit that each is of, and whether its arms are exchanged."""
    total = sum(len(unit) for unit in units)
    count = max(1, round(size * len(units) / total))
    drawn = rng.integers(0, len(units), size=count)
    lengths = np.array([len(units[each]) for each in drawn])
    rows = np.concatenate([units[each] for each in drawn])
    return rows, np.repeat(np.arange(count), lengths), np.repeat(rng.random(count) < 0.5, lengths)


def _tables(pairs: Pairs, rows: NDArray[np.int64], swap: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    base, cand = pairs.baseline[rows], pairs.candidate[rows]
    return np.where(swap[:, None], cand, base), np.where(swap[:, None], base, cand)


def _spoilt(
    metric: _Metric, arms: tuple[Floats, Floats], loss: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """The candidate made truly worse by ``loss``: ratios all alike, scores by failing in a share of the cells."""
    base, cand = arms
    criterion = metric.criterion
    higher = criterion.direction == "higher"
    if criterion.scale == "ratio":
        return base, cand * (1 - loss if higher else 1 + loss)
    worst = criterion.lowest if higher else criterion.highest
    if worst is None:
        return base, cand - loss if higher else cand + loss
    room = float(np.abs(metric.pairs.baseline - worst).mean() + np.abs(metric.pairs.candidate - worst).mean()) / 2
    share = min(1.0, loss / room) if room else 0.0
    return base, np.where(rng.random(len(cand))[:, None] < share, worst, cand)


def _verdict(
    metrics: Sequence[_Metric], tables: Mapping[str, tuple[Floats, Floats]], membership: NDArray[np.int64], seed: int
) -> Verdict:
    findings: dict[str, Finding] = {}
    for each in metrics:
        base, cand = tables[each.name]
        findings[each.name] = decide_pairs(base, cand, each.criterion, membership, alpha=each.alpha, seed=seed)
    return overall([found.verdict for found in corrected(findings).values()])


def _share(verdicts: Sequence[Verdict], wanted: Verdict) -> Share:
    hits = sum(each is wanted for each in verdicts)
    bounds: Interval = wilson(hits, len(verdicts))
    return Share(value=hits / len(verdicts), low=bounds.lower, high=bounds.upper, of=len(verdicts))
