"""What a gate would take and could find, before a cell is paid for: sizes, power, looks, cells and money.

The variance of one case's gain is the policy's, or measured on two earlier runs, or, where nobody knows, tried out for
the usual shares of cases that flip. Right/wrong asked once: that variance is the share of cases on which the arms
differ. Numbers are for an equal candidate (true gain 0), one metric at a time, at full alpha.
"""

import math
from collections.abc import Mapping

import msgspec
import numpy as np

from ...statistics.clustered import codes, design_effect
from ...statistics.criterion import Criterion
from ...statistics.paired import Arms, gains
from ...statistics.sample_size import detectable, for_pass, power_to_block, power_to_pass, zero_flip
from ..dataset import Dataset
from ..score import Metric
from .arm import Arm
from .must_pass import must_pass_ids
from .policy import MetricPolicy, Policy
from .stages import levels_of, stages_of
from .tables import Pairs

FLIPS = (0.05, 0.1, 0.2, 0.3)
"""Shares of cases that flip, where nobody knows."""


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """One metric with one assumed variance."""

    metric: str
    variance: float
    source: str
    """``policy``, ``measured``, ``assumed``."""
    margin: float
    alpha: float
    needed: int
    """Cases for PASS with the wanted power."""
    unchanged: int | None
    """Cases that PASS takes if not one flips."""
    cases: int
    """Worth in independent cases of what there is."""
    power_to_pass: float
    power_to_block: float
    """Where the true loss is the margin."""
    detectable: float
    """The loss that is blocked with the wanted power."""


class PlannedLook(msgspec.Struct, frozen=True, kw_only=True):
    cases: int
    cells: int
    """Of both arms together."""
    information: float
    levels: dict[str, float]


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Of both arms, judges left out. None: nobody knows the price."""

    cells: int
    nanousd: int | None


class GatePlan(msgspec.Struct, frozen=True, kw_only=True):
    gate: str
    dataset: str
    dataset_version: str
    cases: int
    clusters: int
    must_pass: int
    sizes: list[Size]
    looks: list[PlannedLook]
    at_first: Cost
    at_most: Cost
    warnings: list[str] = []


def plan_gate(
    policy: Policy,
    dataset: Dataset,
    *,
    metrics: Mapping[str, Metric],
    arms: tuple[Arm, Arm] | None = None,
    cell_nanousd: tuple[float, float] | None = None,
) -> GatePlan:
    """``arms``: two earlier runs to measure variances on; ``cell_nanousd``: what a cell of each arm probably costs."""
    stages = stages_of(policy, dataset)
    levels = levels_of(policy, stages)
    must = len(must_pass_ids(dataset.cases)) if policy.must_pass is not None else 0
    extra = must * max(0, policy.must_pass.repeats - policy.repeats) if policy.must_pass is not None else 0
    most = must * (policy.must_pass.most_repeats - 1) if policy.must_pass is not None else 0
    last = stages[-1]
    sizes = [
        size
        for name, wanted in policy.metrics.items()
        for size in _sizes(name, wanted, metrics.get(name), dataset, last.cases, arms)
    ]
    found = GatePlan(
        gate=policy.name,
        dataset=dataset.name,
        dataset_version=dataset.version,
        cases=len(dataset),
        clusters=len({case.unit for case in dataset.cases}),
        must_pass=must,
        sizes=sizes,
        looks=[
            PlannedLook(cases=stage.cases, cells=2 * stage.cells, information=stage.information, levels=level)
            for stage, level in zip(stages, levels, strict=True)
        ],
        at_first=_cost(stages[0].cells + extra, cell_nanousd),
        at_most=_cost(last.cells + most, cell_nanousd),
    )
    return msgspec.structs.replace(found, warnings=_warnings(policy, found, metrics))


def _cost(cells: int, each: tuple[float, float] | None) -> Cost:
    """Of so many cells in each arm."""
    return Cost(cells=2 * cells, nanousd=None if each is None else round(cells * sum(each)))


def _sizes(
    name: str, wanted: MetricPolicy, metric: Metric | None, dataset: Dataset, cases: int, arms: tuple[Arm, Arm] | None
) -> list[Size]:
    if metric is None or wanted.quantile is not None:
        return []
    measured = _measured(name, wanted.criterion(metric), dataset, arms) if arms is not None else None
    if measured is not None:
        known = [(measured[0], "measured")]
    elif wanted.variance is not None:
        known = [(wanted.variance, "policy")]
    else:
        known = [(flips, "assumed") for flips in FLIPS]
    worth = max(1, math.floor(cases / (measured[1] if measured is not None else 1.0)))
    return [_size(name, wanted, variance, source, worth) for variance, source in known]


def _size(name: str, wanted: MetricPolicy, variance: float, source: str, cases: int) -> Size:
    alpha, margin = wanted.alpha, wanted.margin
    least = margin / 2 if wanted.least_effect is None else wanted.least_effect
    unchanged = zero_flip(margin, alpha=alpha) if margin < 1 else None
    return Size(
        metric=name,
        variance=variance,
        source=source,
        margin=margin,
        alpha=alpha,
        needed=for_pass(margin, variance, alpha=alpha, power=wanted.power),
        unchanged=unchanged,
        cases=cases,
        power_to_pass=power_to_pass(cases, margin, variance, alpha=alpha),
        power_to_block=power_to_block(cases, margin, variance, alpha=alpha, least_effect=least),
        detectable=detectable(cases, variance, alpha=alpha, power=wanted.power, least_effect=least),
    )


def _measured(name: str, criterion: Criterion, dataset: Dataset, arms: tuple[Arm, Arm]) -> tuple[float, float] | None:
    """Variance of a case's gain, and how many times clusters make the mean's variance larger. None: too little data."""
    baseline, candidate = arms
    cases = [case for case in dataset.cases if case.id in baseline.repeats and case.id in candidate.repeats]
    if len(cases) < 2:
        return None
    depth = min(min(arm.repeats[case.id] for case in cases) for arm in arms)
    pairs = Pairs(name, cases, {case.id: depth for case in cases}, baseline, candidate)
    whole = ~(np.isnan(pairs.baseline).any(axis=1) | np.isnan(pairs.candidate).any(axis=1))
    if int(whole.sum()) < 2:
        return None
    found = gains(Arms(pairs.baseline[whole], pairs.candidate[whole], 0), criterion)
    spread = float(found.var(ddof=1))
    effect = design_effect(found, codes(pairs.units[whole], len(found)))
    return spread, max(1.0, effect)


def _warnings(policy: Policy, plan: GatePlan, metrics: Mapping[str, Metric]) -> list[str]:
    found = []
    for name, wanted in policy.metrics.items():
        metric = metrics.get(name)
        if metric is None:
            found.append(f"{name}: no scorer measures it: the gate will say ERROR")
        elif metric.advisory and wanted.tier != "advisory":
            found.append(f"{name}: its judge is not calibrated: it will be advisory")
        if wanted.quantile is not None:
            found.append(f"{name}: nothing is planned for a quantile; try it with llmops gate aa")
        short = [size for size in plan.sizes if size.metric == name and size.needed > size.cases]
        if short and wanted.tier != "advisory":
            least = min(short, key=lambda size: size.needed)
            found.append(
                f"{name}: {least.cases} cases, and {least.needed} are needed for PASS with power {wanted.power:g} "
                f"(variance {least.variance:.3g}, {least.source}): INCONCLUSIVE is likely"
            )
        if wanted.margin < 1 and plan.looks[-1].cases < zero_flip(wanted.margin, alpha=wanted.alpha):
            found.append(f"{name}: even if no case flips, {plan.looks[-1].cases} cases cannot prove {wanted.margin:g}")
    budget = policy.budget
    if budget.cells is not None and plan.at_first.cells > budget.cells:
        found.append(f"the first look takes {plan.at_first.cells} cells, and the budget is {budget.cells}")
    if budget.usd is not None and plan.at_first.nanousd is None:
        found.append("there is a budget in USD, and the price of an arm is not known: the gate will stop")
    elif budget.usd is not None and (plan.at_first.nanousd or 0) > budget.usd * 1e9:
        found.append(f"the first look probably costs more than the {budget.usd:g} USD of the budget")
    return found
