"""The gate at work: both arms are asked side by side, and again as long as the plan, the budget and doubt last.

Both arms get the same cells in the same window, so that a provider's drift falls on both. Nothing is bought after the
verdict is there. What a budget or a signal cuts short is not looked at: the verdict is that of the last whole look,
and INCONCLUSIVE where there was none.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from ...statistics.verdict import Verdict
from ..baselines import Baseline
from ..dataset import Dataset
from ..engine import Stop
from ..journal import Ending
from ..result import Cell
from .arm import Arm
from .check import check, facts_of
from .decision import Decision, Look
from .must_pass import must_pass_ids
from .policy import Policy
from .side import Side
from .stages import Stage, first_depths, levels_of, next_depths, parts_of, shuffled, stages_of


class GateProgress(msgspec.Struct, kw_only=True):
    """For whoever shows it."""

    look: int
    looks: int
    done: int
    total: int
    cost_nanousd: int


class GateRun:
    """One gate. ``baseline`` and ``candidate`` are `Side`s of the same policy."""

    def __init__(
        self,
        policy: Policy,
        dataset: Dataset,
        baseline: Side,
        candidate: Side,
        *,
        gate_id: str,
        stop: Stop,
        promoted: Baseline | None = None,
        past: Arm | None = None,
        clock: Callable[[], float] = time.time,
        on_progress: Callable[[GateProgress], None] | None = None,
    ) -> None:
        self._policy = policy
        self._dataset = dataset
        self._sides = (baseline, candidate)
        self._gate_id = gate_id
        self._stop = stop
        self._promoted = promoted
        self._past = past
        self._clock = clock
        self._on_progress = on_progress
        self._cases = shuffled(dataset, policy.seed)
        self._stages = stages_of(policy, dataset)
        self._must: dict[str, int] = {}
        self._looks: list[Look] = []
        if policy.must_pass is not None:
            kept_out = policy.must_pass.quarantined(clock())
            wanted = [each for each in must_pass_ids(dataset.cases) if each not in kept_out]
            self._must = dict.fromkeys(wanted, policy.must_pass.repeats)

    async def run(self) -> Decision:
        """Decide; the ending is in both journals."""
        ending = Ending(state="interrupted", reason="failed")
        try:
            decision = await self._decide()
            first, second = (side.results.keys() for side in self._sides)
            is_whole = bool(self._looks) and first == second
            ending = Ending(state="complete" if is_whole else "interrupted", reason=self._stop.reason)
        finally:
            ending = msgspec.structs.replace(ending, ended_at_ms=int(self._clock() * 1000))
            for side in self._sides:
                await side.end(ending)
        return decision

    async def _decide(self) -> Decision:
        levels = levels_of(self._policy, self._stages)
        depths: dict[str, int] = {}
        decision: Decision | None = None
        for number, stage in enumerate(self._stages):
            wanted = self._wanted(number, stage, depths)
            if decision is not None and (why := self._useless(stage, depths)) is not None:
                return _with(decision, why)
            looked = await self._look(number, wanted, levels[number])
            if looked is None:
                return self._cut_short(decision)
            decision, depths = looked, wanted
            decision = await self._settle_must_pass(number, decision, depths, levels[number])
            if not self._goes_on(decision):
                break
        assert decision is not None, "a gate has at least one look"
        return decision

    def _goes_on(self, decision: Decision) -> bool:
        """More data help where metrics are undecided; a must-pass case that stays so has had its repeats."""
        undecided = any(
            each.finding.verdict is Verdict.INCONCLUSIVE for each in decision.metrics if each.tier != "advisory"
        )
        blocked = any(each.finding.verdict is Verdict.BLOCK for each in decision.metrics if each.tier != "advisory")
        return undecided and not blocked and decision.verdict is not Verdict.ERROR and not self._lost(decision)

    def _lost(self, decision: Decision) -> bool:
        return any(each.state == "lost" for each in decision.must_pass) or any(
            each.counts and each.finding.verdict is Verdict.BLOCK for each in decision.slices
        )

    def _wanted(self, number: int, stage: Stage, depths: Mapping[str, int]) -> dict[str, int]:
        if not number:
            return first_depths(self._policy, stage, self._cases)
        baseline, candidate = self._arms(self._cells(depths))
        return next_depths(self._policy, stage, self._cases, depths, baseline, candidate)

    def _useless(self, stage: Stage, depths: Mapping[str, int]) -> str | None:
        """Why the next look cannot say more: the same cases asked again answer the same."""
        if stage.cases > sum(depth > 0 for depth in depths.values()):
            return None
        baseline, candidate = self._arms(self._cells(depths))
        known = [case for case in self._cases if depths.get(case.id)]
        names = [name for name, each in self._policy.metrics.items() if each.tier != "advisory"]
        parts = [parts_of(name, known, depths, baseline, candidate) for name in names]
        if parts and all(each is not None and each.within == 0 for each in parts):
            return "answers do not vary between repeats: only more cases could decide"
        return None

    async def _look(self, number: int, depths: Mapping[str, int], levels: Mapping[str, float]) -> Decision | None:
        """Buy what is lacking and decide; None where it was cut short."""
        cells = self._cells(depths)
        if not self._affordable(cells) or not await self._buy(number, cells):
            return None
        decision = self._check(cells, depths, levels)
        bought = sum(len(side.results) for side in self._sides)
        look = Look(
            cases=sum(depth > 0 for depth in depths.values()),
            cells=bought,
            verdict=decision.verdict,
            reason=decision.reason,
            levels=dict(levels),
        )
        self._looks.append(look)
        return msgspec.structs.replace(decision, looks=list(self._looks))

    async def _settle_must_pass(
        self, number: int, decision: Decision, depths: Mapping[str, int], levels: Mapping[str, float]
    ) -> Decision:
        """Ask undecided must-pass cases again, as often as the policy allows."""
        policy = self._policy.must_pass
        while policy is not None and decision.verdict is not Verdict.ERROR:
            undecided = [each.case_id for each in decision.must_pass if each.state == "undecided"]
            short = [each for each in undecided if self._must[each] < policy.most_repeats]
            if not short:
                break
            self._must.update({each: min(policy.most_repeats, self._must[each] + policy.repeats) for each in short})
            cells = self._cells(depths)
            if not self._affordable(cells) or not await self._buy(number, cells):
                break
            decision = self._check(cells, depths, levels)
        return decision

    def _check(self, cells: Sequence[Cell], depths: Mapping[str, int], levels: Mapping[str, float]) -> Decision:
        baseline, candidate = self._arms(cells)
        decision = check(
            self._policy,
            self._dataset,
            baseline,
            candidate,
            gate_id=self._gate_id,
            now_s=self._clock(),
            promoted=self._promoted,
            past=self._past,
            depths=depths,
            levels=levels,
            looks=self._looks,
        )
        costs = [side.cost_nanousd for side in self._sides]
        return msgspec.structs.replace(
            decision, baseline=facts_of(baseline, costs[0]), candidate=facts_of(candidate, costs[1])
        )

    def _cells(self, depths: Mapping[str, int]) -> list[Cell]:
        """By rounds of repeats, in the order of the cases."""
        counts = {case.id: max(depths.get(case.id, 0), self._must.get(case.id, 0)) for case in self._cases}
        most = max(counts.values(), default=0)
        return [Cell(case, repeat) for repeat in range(most) for case, count in counts.items() if repeat < count]

    def _arms(self, cells: Sequence[Cell]) -> tuple[Arm, Arm]:
        return self._sides[0].arm(cells), self._sides[1].arm(cells)

    def _affordable(self, cells: Sequence[Cell]) -> bool:
        """Whether budget and plan cover these cells, by what cells have cost so far."""
        budget = self._policy.budget
        lacking = [sum(cell not in side.results for cell in cells) for side in self._sides]
        had = [len(side.results) for side in self._sides]
        if budget.cells is not None and sum(had) + sum(lacking) > budget.cells:
            self._stop("budget")
        if budget.usd is not None:
            prices = [side.cost_nanousd / count if count else 0 for side, count in zip(self._sides, had, strict=True)]
            ahead = sum(price * count for price, count in zip(prices, lacking, strict=True))
            if sum(side.cost_nanousd for side in self._sides) + ahead > budget.usd * 1e9:
                self._stop("budget")
        return self._stop.reason is None

    async def _buy(self, number: int, cells: Sequence[Cell]) -> bool:
        """Both arms side by side; False where it was stopped before all was there."""
        total = 2 * len(cells)

        def on_result() -> None:
            self._keep_budget()
            if self._on_progress is not None:
                done = sum(len(side.results) for side in self._sides)
                cost = sum(side.cost_nanousd for side in self._sides)
                looks = len(self._stages)
                self._on_progress(GateProgress(look=number + 1, looks=looks, done=done, total=total, cost_nanousd=cost))

        async with asyncio.TaskGroup() as group:
            for side in self._sides:
                group.create_task(side.ask(cells, on_result))
        return all(cell in side.results for side in self._sides for cell in cells)

    def _keep_budget(self) -> None:
        usd = self._policy.budget.usd
        if usd is None:
            return
        if any(side.tally.unpriced for side in self._sides):
            self._stop("unpriced")
        under_way = self._policy.concurrency * max(side.dearest for side in self._sides)
        if sum(side.cost_nanousd for side in self._sides) + under_way > usd * 1e9:
            self._stop("budget")

    def _cut_short(self, decision: Decision | None) -> Decision:
        """The last whole look's decision, or, without one, the least that can be said."""
        why = {
            "budget": "the budget ended before the next look was complete",
            "unpriced": "an answer has no known price, and a budget in USD cannot be kept without",
        }.get(self._stop.reason or "", f"the gate was {self._stop.reason or 'cut short'}")
        if decision is not None:
            return _with(decision, why)
        baseline, candidate = (side.arm(list(side.results)) for side in self._sides)
        return Decision(
            id=self._gate_id,
            gate=self._policy.name,
            verdict=Verdict.INCONCLUSIVE,
            reason=f"{why}; there was no whole look",
            at_ms=int(self._clock() * 1000),
            tenant=self._policy.tenant,
            policy=self._policy.digest,
            dataset=self._dataset.name,
            dataset_version=self._dataset.version,
            cases=0,
            baseline=facts_of(baseline, self._sides[0].cost_nanousd),
            candidate=facts_of(candidate, self._sides[1].cost_nanousd),
            baseline_name=self._policy.baseline,
            seed=self._policy.seed,
        )


def _with(decision: Decision, why: str) -> Decision:
    return msgspec.structs.replace(decision, reason=f"{decision.reason}; {why}", warnings=[*decision.warnings, why])
