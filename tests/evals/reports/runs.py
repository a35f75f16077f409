"""Runs that reports are made of, and a decision as a gate would hand it over."""

from typing import Any

import msgspec

from llmops.evals.case import Case
from llmops.evals.dataset import Dataset
from llmops.evals.journal import Ending, Journal
from llmops.evals.output import Failure, Output
from llmops.evals.result import Cell
from llmops.evals.run import RunSpec
from llmops.evals.score import Metric, Score
from llmops.statistics.verdict import Finding, Verdict

HOSTILE = "</td><script>alert(1)</script>|`*\u202e\x00\x1b[31m ]]> @all http://evil.example ![x](y) \ud800"
METRICS = (Metric(name="exact"), Metric(name="latency_ms", scale="ratio", direction="lower", unit="ms"))


def a_dataset(count: int = 20, *, hostile: bool = True) -> Dataset:
    ending = HOSTILE.replace("\ud800", "") if hostile else ""
    return Dataset(
        "cases",
        [
            Case(id=f"c{each}{ending}", input=f"Q{each} {ending}", metadata={"kind": "ab"[each % 2], "who": ending})
            for each in range(count)
        ],
    )


def a_run(folder: Any, run_id: str, dataset: Dataset, *, wrong: int = 3, failed: int = 1, **more: Any) -> Journal:
    """The first ``failed`` cases have no answer, the next ``wrong`` are wrong."""
    spec = RunSpec(
        run_id=run_id,
        dataset=dataset.name,
        dataset_version=dataset.version,
        subject={"model": f"m-{run_id}"},
        scorers=("Exact-1", "Latency-1"),
        metrics=METRICS,
        started_at_ms=1_790_000_000_000,
        **more,
    )
    with Journal.create(folder, spec, dataset) as journal:
        for number, case in enumerate(dataset.cases):
            cell, is_right = Cell(case.id, 0), number >= failed + wrong
            if number < failed:
                error = Failure(code="timeout", message="too slow")
                journal.answered(cell, Output(error=error))
                journal.scored(cell, tuple(Score(name=each.name, error=error) for each in METRICS), None)
                continue
            output = Output(text=case.input, latency_ms=10.0 + number, tokens_out=5, cost_nanousd=1000 * number)
            journal.answered(cell, output)
            scores = (
                Score(name="exact", value=float(is_right), passed=is_right),
                Score(name="latency_ms", value=10.0 + number),
            )
            journal.scored(cell, scores, 0.1)
        journal.end(Ending(state="complete", ended_at_ms=1_790_000_060_000))
    return Journal.read(folder, run_id)


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    metric: str
    finding: Finding
    slice: str | None = None
    tier: str = "critical"
    counts: bool = True


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    verdict: Verdict
    reason: str
    metrics: list[Judged]
    slices: list[Judged] = []
    problems: list[str] = []
    warnings: list[str] = []


def a_decision() -> Decision:
    worse = Finding(
        verdict=Verdict.BLOCK, reason=f"worse {HOSTILE}", method="t", margin=0.02, alpha=0.05, estimate=-0.3, lower=-0.4
    )
    fine = Finding(
        verdict=Verdict.PASS, reason="as good", method="t", margin=0.1, alpha=0.05, estimate=0.0, lower=-0.01
    )
    return Decision(
        verdict=Verdict.BLOCK,
        reason=f"exact is worse {HOSTILE}",
        metrics=[Judged(metric="exact", finding=worse), Judged(metric="latency_ms", finding=fine, tier="advisory")],
        slices=[Judged(metric="exact", slice="kind=a", finding=fine, counts=False)],
        warnings=["watch out"],
    )
