"""The gate at work: both arms are asked alike, it goes on while it cannot decide, and stops when budget or plan end."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from llmops.evals.case import Case
from llmops.evals.dataset import Dataset
from llmops.evals.engine import Stop
from llmops.evals.evaluation import open_journal
from llmops.evals.gate.decision import Decision
from llmops.evals.gate.integrity import GATE_LABEL
from llmops.evals.gate.running import GateProgress, GateRun
from llmops.evals.gate.side import Side
from llmops.evals.output import Output
from llmops.evals.running import spec_of
from llmops.evals.score import Metric, Score
from llmops.statistics.verdict import Verdict

from .arms import NOW_S, dataset, policy


class Told:
    """A subject that answers by the case's number and the repeat, and counts what it is asked."""

    def __init__(self, name: str, answer: Callable[[int, int], float], *, cost: int = 0) -> None:
        self.versions = {"model": name}
        self.asked: list[tuple[str, int]] = []
        self._answer = answer
        self._cost = cost

    async def answer(self, case: Case, repeat: int) -> Output:
        self.asked.append((case.id, repeat))
        await asyncio.sleep(0)
        return Output(text=str(self._answer(int(case.id[1:]), repeat)), cost_nanousd=self._cost)


@dataclass(frozen=True)
class AsSaid:
    """The answer is its own score. ``dies_at``: one case that it cannot judge."""

    dies_at: str = ""
    metrics: ClassVar = (Metric(name="exact"),)

    def score(self, case: Case, output: Output) -> Score:
        if case.id == self.dies_at:
            raise RuntimeError("the scorer is down")
        return Score(name="exact", value=float(output.text or 0))


async def gate(
    cases: Dataset,
    first: Told,
    second: Told,
    *,
    folder: Path | None = None,
    scorer: AsSaid | None = None,
    stop: Stop | None = None,
    on_progress: Callable[[GateProgress], None] | None = None,
    **rules: Any,
) -> Decision:
    checked, halt, scorers = policy(**rules), stop or Stop(), [scorer or AsSaid()]
    sides = []
    for which, subject in (("baseline", first), ("candidate", second)):
        config = checked.arm("baseline")
        spec = spec_of(
            cases,
            subject,
            scorers,
            run_id=f"g-{which}",
            repeats=config.repeats,
            concurrency=config.concurrency,
            labels={GATE_LABEL: "g"},
        )
        journal = open_journal(folder, spec, cases) if folder is not None else None
        sides.append(Side(spec, cases, subject, scorers, stop=halt, journal=journal))
    run = GateRun(checked, cases, *sides, gate_id="g", stop=halt, clock=lambda: NOW_S, on_progress=on_progress)
    try:
        return await run.run()
    finally:
        for side in sides:
            side.close()


def right(*_: int) -> float:
    return 1.0


def fickle(number: int, repeat: int) -> float:
    """Wrong about every fifth time, each case in its own rounds."""
    return float((number + repeat) % 5 != 0)


async def test_both_arms_get_the_same_cells_once() -> None:
    first, second = Told("a", right), Told("b", right)
    decision = await gate(dataset(100), first, second, repeats=2)
    assert decision.verdict is Verdict.PASS, decision.reason
    assert sorted(first.asked) == sorted(second.asked) and len(set(first.asked)) == len(first.asked) == 200
    assert decision.baseline is not None and (decision.baseline.cells, decision.baseline.subject) == (
        200,
        {"model": "a"},
    )


async def test_it_looks_again_until_it_can_decide_and_buys_no_more() -> None:
    first, second = Told("a", right), Told("b", right)
    extension = {"looks": 4, "first_cases": 40, "most_repeats": 4}
    decision = await gate(dataset(400), first, second, extension=extension)
    assert decision.verdict is Verdict.PASS, decision.reason
    assert [each.verdict for each in decision.looks][:-1] == [Verdict.INCONCLUSIVE] * (len(decision.looks) - 1)
    assert len(decision.looks) > 1 and len(first.asked) < 1600
    assert all(each.levels["exact"] < 0.05 for each in decision.looks)


async def test_a_harm_is_blocked_at_an_early_look() -> None:
    first, second = Told("a", right), Told("b", lambda number, _: float(number % 2))
    extension = {"looks": 3, "first_cases": 100, "most_repeats": 2}
    decision = await gate(dataset(400), first, second, extension=extension)
    assert decision.verdict is Verdict.BLOCK and len(decision.looks) == 1
    assert len(second.asked) == 100


async def test_more_repeats_decide_where_answers_vary() -> None:
    first, second = Told("a", fickle), Told("b", lambda number, repeat: fickle(number + 2, repeat))
    once = await gate(dataset(100), first, second, metrics={"exact": {"margin": 0.04}})
    assert once.verdict is Verdict.INCONCLUSIVE
    more = await gate(
        dataset(100),
        Told("a", fickle),
        Told("b", lambda number, repeat: fickle(number + 2, repeat)),
        metrics={"exact": {"margin": 0.04}},
        repeats=2,
        extension={"looks": 3, "most_repeats": 10},
    )
    assert more.verdict is Verdict.PASS and len(more.looks) > 1, more.reason


async def test_repeats_are_not_bought_where_answers_never_vary() -> None:
    first, second = (
        Told("a", lambda number, _: float(number % 3 != 0)),
        Told("b", lambda number, _: float(number % 4 != 0)),
    )
    decision = await gate(
        dataset(30),
        first,
        second,
        repeats=2,
        extension={"looks": 3, "most_repeats": 20},
        metrics={"exact": {"margin": 0.01}},
    )
    assert decision.verdict is Verdict.INCONCLUSIVE and "only more cases could decide" in decision.reason
    assert len(first.asked) == 60


async def test_a_budget_of_cells_holds() -> None:
    first, second = Told("a", right), Told("b", right)
    decision = await gate(dataset(100), first, second, budget={"cells": 100})
    assert decision.verdict is Verdict.INCONCLUSIVE and "budget" in decision.reason
    assert not first.asked


async def test_a_budget_of_money_holds_and_a_cut_look_decides_nothing() -> None:
    first, second = Told("a", right, cost=10_000_000), Told("b", right, cost=10_000_000)
    decision = await gate(dataset(100), first, second, budget={"usd": 1.0}, concurrency=4)
    assert decision.verdict is Verdict.INCONCLUSIVE and "no whole look" in decision.reason
    spent = sum(arm.cost_nanousd or 0 for arm in (decision.baseline, decision.candidate) if arm is not None)
    assert 0 < spent <= 10**9
    extended = await gate(
        dataset(100),
        Told("a", right, cost=10_000_000),
        Told("b", right, cost=10_000_000),
        budget={"usd": 1.0},
        concurrency=4,
        extension={"looks": 2, "first_cases": 20},
    )
    assert extended.verdict is Verdict.INCONCLUSIVE and len(extended.looks) == 1
    assert "the budget ended" in extended.reason


@pytest.mark.parametrize("repeats", [1, 2])
async def test_a_killed_scorer_never_passes(repeats: int) -> None:
    decision = await gate(
        dataset(100), Told("a", right), Told("b", right), scorer=AsSaid(dies_at="c0007"), repeats=repeats
    )
    assert (decision.verdict, decision.exit_code) == (Verdict.ERROR, 3)


async def test_a_stopped_gate_goes_on_and_pays_nothing_twice(tmp_path: Path) -> None:
    stop = Stop()

    def halfway(progress: GateProgress) -> None:
        if progress.done >= 60:
            stop("stopped")

    first, second = Told("a", right), Told("b", right)
    cut = await gate(dataset(100), first, second, folder=tmp_path, stop=stop, on_progress=halfway)
    assert cut.verdict is Verdict.INCONCLUSIVE and "stopped" in cut.reason
    whole = await gate(dataset(100), first, second, folder=tmp_path)
    assert whole.verdict is Verdict.PASS
    assert len(first.asked) == len(set(first.asked)) == 100 and len(second.asked) == 100


async def test_an_undecided_must_pass_case_is_asked_again() -> None:
    cases = dataset(100, lambda number: {"must_pass": number == 0})
    first = Told("a", right)
    second = Told("b", lambda number, repeat: 0.0 if number == 0 and repeat in (1, 4) else 1.0)
    rules = {"metric": "exact", "repeats": 8, "most_repeats": 32}
    decision = await gate(cases, first, second, must_pass=rules)
    assert decision.verdict is Verdict.PASS, decision.reason
    (case,) = decision.must_pass
    assert case.state == "kept" and case.repeats > 8
    assert decision.metrics[0].finding.n == 100 and decision.metrics[0].candidate_mean == 1.0
