"""Runs, datasets and a review queue to look at, written as an eval writes them: into journals and the database."""

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from llmops.evals.case import Case
from llmops.evals.dataset import Dataset
from llmops.evals.datasets.batch import CaseBatch
from llmops.evals.datasets.repository.datasets import DatasetRepository
from llmops.evals.journal import Ending, Journal
from llmops.evals.output import Failure, Output
from llmops.evals.repository.results import ResultRepository
from llmops.evals.repository.runs import RunRepository
from llmops.evals.result import Result
from llmops.evals.review.desk import ReviewDesk
from llmops.evals.review.item import Item
from llmops.evals.review.question import Question
from llmops.evals.run import RunSpec
from llmops.evals.score import Metric, Score
from llmops.evals.summary import Tally
from llmops.store.database import Database

HOSTILE = (
    "<img src=x onerror=alert(1)><script>alert(1)</script> ![x](http://evil.test/x.png) \u202egnp.exe `b` **c** $x$"
)
METRICS = (
    Metric(name="correct"),
    Metric(name="faithfulness", scale="bounded"),
    Metric(name="latency", scale="ratio", direction="lower", unit="ms"),
    Metric(name="tone", scale="bounded", advisory=True),
)
NOW_MS = 1_760_000_000_000
TOPICS = ("billing", "delivery", "returns", "account")
NAMES = ("Ana", "Ben", "Chloé", "Deniz", "Émile", "Fatima")


def questions(count: int = 80) -> list[Case]:
    """Cases of a help desk; every tenth hostile."""
    return [
        Case(
            id=f"q{number:03}" if number % 10 else f"q{number:03}-{HOSTILE}"[:200],
            input=f"{NAMES[number % 6]} asks: where is my order no. {number}?"
            if number % 10
            else [{"role": "user", "content": HOSTILE}],
            reference=f"Order {number} is on its way.",
            metadata={"topic": TOPICS[number % 4], "lang": "en" if number % 3 else "de"},
            cluster=f"conversation-{number // 2}" if number < 20 else None,
        )
        for number in range(count)
    ]


def result(case: Case, skill: float, luck: random.Random, repeat: int = 0) -> Result:
    """An answer of a model with that skill."""
    number = int(case.id[1:4])
    hard = 0.25 if case.metadata["topic"] == "returns" else 0.0
    right = luck.random() < skill - hard
    if number == 13 and skill < 0.8:
        failure = Failure(code="timeout", message=f"no answer within 30 s {HOSTILE}")
        return Result(case_id=case.id, repeat=repeat, output=Output(error=failure, latency_ms=30_000.0))
    claims = [
        {"claim": f"Order {number} was sent", "verdict": 1, "reason": "the passage says so"},
        {
            "claim": "It arrives tomorrow" if number % 10 else HOSTILE,
            "verdict": int(right),
            "reason": "not in any passage",
        },
    ]
    latency_ms = round(luck.lognormvariate(6.2 + (0.9 - skill), 0.35), 1)
    scores = (
        Score(name="correct", value=float(right), passed=right),
        Score(
            name="faithfulness",
            value=1.0 if right else 0.5,
            explanation="1 of 2 claims is supported" if not right else None,
            evidence={"claims": claims},
        ),
        Score(name="latency", value=latency_ms),
        Score(
            name="tone",
            value=round(min(1.0, max(0.0, luck.gauss(0.5 + skill / 3, 0.15))), 3),
            explanation=HOSTILE if number % 10 == 0 else "friendly and short",
        ),
    )
    text = f"Order {number} is {'on its way' if right else 'lost, I am afraid'}." + (
        HOSTILE if number % 10 == 0 else ""
    )
    output = Output(
        text=text,
        latency_ms=latency_ms,
        tokens_in=40 + number,
        tokens_out=12 + number % 7,
        cost_nanousd=40_000 + 900 * number,
        trace_id=f"{number + 1:032x}",
    )
    return Result(case_id=case.id, repeat=repeat, output=output, scores=scores)


def add_run(
    folder: Path,
    database: Database,
    dataset: Dataset,
    run_id: str,
    skill: float,
    *,
    at: int,
    tenant: str = "default",
    repeats: int = 1,
    seed: int | None = None,
    ending: Ending | None = None,
    take: int | None = None,
    **more: Any,
) -> RunSpec:
    """Store a run of that skill, started ``at`` hours after the first."""
    began = NOW_MS + at * 3_600_000
    fields = {
        "subject": {"model": "gpt-4o-mini", "prompt_version": f"v{at}"},
        "scorers": ("exact@1", "faithfulness@2", "latency@1", "tone@1"),
        "metrics": METRICS,
        "code_revision": f"{at:02}c0ffee{at:032}"[:40],
        "labels": {"branch": "main"},
        **more,
    }
    spec = RunSpec(
        run_id=run_id,
        dataset=dataset.name,
        dataset_version=dataset.version,
        repeats=repeats,
        seed=7,
        started_at_ms=began,
        tenant=tenant,
        **fields,
    )
    luck = random.Random(at if seed is None else seed)
    ended = ending or Ending(state="complete", ended_at_ms=began + 95_000)
    tally, results = Tally(spec.metrics, dataset.cases), []
    with Journal.create(folder, spec, dataset) as journal:
        for repeat in range(repeats):
            for case in dataset.cases[:take]:
                one = result(case, skill, luck, repeat)
                journal.answered(one.cell, one.output)
                journal.scored(one.cell, one.scores, 1.0)
                tally.add(one)
                results.append(one)
        journal.end(ended)
    RunRepository(database).store(spec, ended, tally.summary())
    ResultRepository(database).store(run_id, results)
    return spec


def add_dataset(
    database: Database, name: str, cases: Iterable[Case], tenant: str = "default", note: str = ""
) -> Dataset:
    dataset = Dataset(name, cases)
    with CaseBatch(dataset.cases, source="a test") as batch:
        DatasetRepository(database).store(tenant, name, batch, now_ms=NOW_MS, who="a test", source="test", note=note)
    return dataset


def fill(folder: Path, database: Database, tenant: str = "default", prefix: str = "") -> None:
    """A history of runs, two versions of a dataset, a queue with answers of two people."""
    cases = questions()
    add_dataset(database, f"{prefix}help-desk", cases[:70], tenant, note="the first")
    changed = [
        Case(
            id=case.id,
            input=f"{HOSTILE} changed",
            reference=case.reference,
            metadata={**case.metadata, "topic": HOSTILE},
        )
        if case.id == "q005"
        else case
        for case in cases
    ]
    add_dataset(database, f"{prefix}help-desk", changed, tenant, note=HOSTILE)
    dataset = Dataset(f"{prefix}help-desk", cases)
    for number, skill in enumerate((0.80, 0.82, 0.80, 0.84, 0.9, 0.7)):
        add_run(
            folder, database, dataset, f"{prefix}run-{number}", skill, at=number * 9, tenant=tenant, seed=number + 1
        )
    add_run(folder, database, dataset, f"{prefix}repeats", 0.85, at=60, tenant=tenant, repeats=3)
    add_run(
        folder,
        database,
        dataset,
        f"{prefix}stopped",
        0.8,
        at=61,
        tenant=tenant,
        take=30,
        ending=Ending(state="interrupted", reason="budget", ended_at_ms=NOW_MS + 62 * 3_600_000),
        labels={"note": HOSTILE},
        subject={"model": HOSTILE},
    )
    add_queue(database, tenant, f"{prefix}tone")


def add_queue(database: Database, tenant: str, name: str) -> ReviewDesk:
    desk = ReviewDesk(database)
    question = Question(
        name="correctness",
        kind="choices",
        choices=("good", "bad", HOSTILE[:80]),
        instructions=f"Is it right? {HOSTILE}",
    )
    desk.create(tenant, name, question, now_ms=NOW_MS, reviewers=2)
    items = [
        Item(
            input=f"Question {number}" if number else HOSTILE,
            output=f"Answer {number} {HOSTILE if number == 1 else ''}",
            reference="42",
            metadata={"topic": "maths"},
            trace_id=f"{number + 1:032x}",
        )
        for number in range(9)
    ]
    desk.add(tenant, name, items, now_ms=NOW_MS)
    for number in range(3):
        for who in ("Ana", "Ben"):
            placed = desk.next(tenant, name, who, now_ms=NOW_MS + number)
            assert placed is not None
            desk.answer(
                tenant, name, placed.id, who, "bad" if number == 2 and who == "Ben" else "good", now_ms=NOW_MS + number
            )
    return desk
