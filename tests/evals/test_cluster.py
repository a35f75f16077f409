"""``--engine ray`` on a real local cluster: the same cells, the same results. Runs where ray is installed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.evals import evaluate
from llmops.evals.case import Case
from llmops.evals.journal import Journal
from llmops.evals.output import Output
from llmops.evals.result import Cell, Result

from .subjects_and_scorers import Exact, Length

ray = pytest.importorskip("ray")
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # the library's own, and what it leaves open at its end
    pytest.mark.timeout(240),
]
CASES = [Case(id=f"c{number}", input=number, reference=str(number)) for number in range(200)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


async def answer(number: int) -> Output:
    if number % 50 == 7:
        raise ValueError("seven")
    return Output(text=str(number if number % 10 else 0), tokens_in=1, tokens_out=2, cost_nanousd=number)


def told(results: list[Result] | None) -> dict[Cell, tuple[object, ...]]:
    """All but times."""
    found = {}
    for each in results or []:
        error = each.output.error.code if each.output.error is not None else None
        scores = tuple((score.name, score.value, score.passed) for score in each.scores)
        found[each.cell] = (each.output.text, error, each.output.cost_nanousd, scores)
    return found


async def test_results_are_those_of_one_process(cluster: None, tmp_path: Path) -> None:
    from llmops.evals.cluster import ray_engine

    here = await evaluate(CASES, answer, [Exact(), Length()], repeats=2, run_id="r", seed=3)
    there = await evaluate(
        CASES, answer, [Exact(), Length()], repeats=2, run_id="r", seed=3, folder=tmp_path, make_engine=ray_engine
    )
    assert there.ending.state == "complete"
    assert told(there.results) == told(here.results) and len(told(here.results)) == 400
    assert there.spec.scorers == here.spec.scorers
    for name in ("metrics", "slices", "errors", "passed", "judged", "cost_nanousd", "failed"):
        assert getattr(there.summary, name) == getattr(here.summary, name), name
    with Journal.read(tmp_path, "r") as journal:
        assert told(list(journal.results())) == told(here.results)


async def test_a_run_of_the_cluster_goes_on_in_one_process_and_back(cluster: None, tmp_path: Path) -> None:
    from llmops.evals.cluster import ray_engine

    await evaluate(CASES, answer, [Exact()], folder=tmp_path, run_id="r", make_engine=ray_engine)
    path = tmp_path / "r/results.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:101]) + lines[101][:20])
    run = await evaluate(CASES, answer, [Exact()], folder=tmp_path, run_id="r", make_engine=ray_engine)
    assert (run.ending.state, run.summary.cells) == ("complete", 200)
    with Journal.read(tmp_path, "r") as journal:
        assert len({each.cell for each in journal.results()}) == len(list(journal.results())) == 200
