"""Arms of a gate, made of figures."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llmops.evals.case import Case
from llmops.evals.dataset import Dataset
from llmops.evals.gate.arm import Arm, Reading
from llmops.evals.gate.check import check
from llmops.evals.gate.decision import Decision
from llmops.evals.gate.policy import Policy, check_policy
from llmops.evals.run import RunSpec
from llmops.evals.score import Metric

NOW_S = 1_790_000_000.0
EXACT = Metric(name="exact")


def policy(**fields: Any) -> Policy:
    given = {
        "dataset": "cases.jsonl",
        "subjects": {"baseline": {"model": "a"}, "candidate": {"model": "b"}},
        "scorers": ["exact"],
        "metrics": {"exact": {"margin": 0.05}},
        **fields,
    }
    return check_policy(given)


def dataset(count: int, make: Callable[[int], Mapping[str, Any]] = lambda _: {}) -> Dataset:
    return Dataset("cases", [Case(id=f"c{each:04}", input=f"question {each}", **make(each)) for each in range(count)])


def arm(
    cases: Dataset,
    values: Sequence[Any] | Callable[[int, int], Any],
    *,
    name: str = "base",
    repeats: int = 1,
    metrics: tuple[Metric, ...] = (EXACT,),
    drop: Sequence[int] = (),
    **fields: Any,
) -> Arm:
    """``values``: one for each case, or made of the case's number and the repeat; for several metrics a mapping. A text
    is the code of a score's error. ``drop``: these readings are lost, though the run says that they were there."""
    readings = []
    for number, case in enumerate(cases.cases):
        for repeat in range(repeats):
            value = values(number, repeat) if callable(values) else values[number]
            by_name = value if isinstance(value, dict) else {metrics[0].name: value}
            scores = {
                key: (None, None, each) if isinstance(each, str) else (each, None, None)
                for key, each in by_name.items()
            }
            readings.append(Reading(case.id, repeat, None, scores))
    spec = RunSpec(
        **{
            "run_id": name,
            "dataset": cases.name,
            "dataset_version": cases.version,
            "subject": {"model": name},
            "scorers": ("Exact-1",),
            "metrics": metrics,
            "repeats": repeats,
            **fields,
        }
    )
    kept = [each for place, each in enumerate(readings) if place not in drop]
    return Arm(spec, kept, state="complete", promised=len(readings))


def decided(rules: Policy, cases: Dataset, baseline: Arm, candidate: Arm, **more: Any) -> Decision:
    return check(rules, cases, baseline, candidate, gate_id="gate-1", now_s=NOW_S, **more)


def alternating(wrong_each: int) -> Callable[[int, int], float]:
    """Right, but for every so many-th case."""
    return lambda number, repeat: float(number % wrong_each != 0)
