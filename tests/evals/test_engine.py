"""The engine: every cell its result, failures as values, and stopping."""

import asyncio
import time
from pathlib import Path

import pytest

from llmops.errors import ConfigError, UpstreamRateLimited
from llmops.evals import evaluate
from llmops.evals.case import Case
from llmops.evals.cell_key import cell_key, current_key
from llmops.evals.dataset import Dataset
from llmops.evals.engine import Engine, Stop, stream_cells
from llmops.evals.output import Output
from llmops.evals.result import Cell
from llmops.evals.run import cells_of
from llmops.evals.running import spec_of

from .subjects_and_scorers import YES, Broken, Exact, Length, Scripted, cases


async def test_each_cell_gets_its_result() -> None:
    run = await evaluate(cases(5), lambda text: "yes", [Exact(), Length()], repeats=3)
    assert run.results is not None
    assert {each.cell for each in run.results} == {
        Cell(f"c{number}", repeat) for number in range(5) for repeat in range(3)
    }
    assert (run.ending.state, run.total, run.summary.cells) == ("complete", 15, 15)
    exact, length = run.summary.figure("exact"), run.summary.figure("length")
    assert exact is not None and length is not None
    assert (exact.mean, length.mean, exact.units) == (1.0, 3.0, 5)
    assert run.summary.passed == 15


async def test_what_a_subject_raises_is_an_output_and_the_run_goes_on() -> None:
    subject = Scripted({"c0": YES, "c1": UpstreamRateLimited("slow down"), "c2": ValueError("no such thing")})
    run = await evaluate(cases(3), subject, [Exact()])
    assert run.results is not None
    found = {each.case_id: each for each in run.results}
    assert run.ending.state == "complete"
    assert found["c1"].output.error is not None and found["c1"].output.error.code == "upstream_rate_limited"
    assert found["c2"].output.error is not None and found["c2"].output.error.code == "exception"
    assert found["c2"].scores[0].error is not None, "no output, no score"
    assert (run.summary.failed, run.summary.errors) == (2, {"upstream_rate_limited": 1, "exception": 1})
    assert (run.summary.passed, run.summary.judged) == (1, 3)


async def test_a_broken_scorer_is_an_error_of_its_score() -> None:
    run = await evaluate(cases(2), Scripted({"c0": YES, "c1": YES}), [Broken(), Exact()])
    broken, exact = run.summary.figure("broken"), run.summary.figure("exact")
    assert broken is not None and exact is not None
    assert (broken.n, broken.errors, broken.mean, exact.mean) == (0, 2, None, 1.0)


async def test_a_case_that_takes_too_long_is_a_timeout() -> None:
    async def slow(case: Case) -> str:
        await asyncio.sleep(60 if case.id == "c0" else 0)
        return "yes"

    run = await evaluate(cases(2), slow, [Exact()], timeout_s=0.05)
    assert run.summary.errors == {"timeout": 1}


async def test_a_blocking_function_runs_in_threads_beside_others() -> None:
    def block(text: str) -> str:
        time.sleep(0.05)
        return "yes"

    started_s = time.monotonic()
    run = await evaluate(cases(16), block, [Exact()], concurrency=16)
    assert run.summary.passed == 16
    assert time.monotonic() - started_s < 16 * 0.05, "not one after the other"


async def test_a_function_that_never_ends_is_a_timeout_of_its_case() -> None:
    run = await evaluate(cases(1), lambda text: time.sleep(5), timeout_s=0.05)
    assert run.summary.errors == {"timeout": 1}


async def test_a_cached_answer_is_no_repeat() -> None:
    subject = Scripted({"c0": Output(text="yes", cached=True)})
    once = await evaluate(cases(1), subject, [Exact()])
    assert (once.summary.failed, once.summary.cached) == (0, 1)
    twice = await evaluate(cases(1), subject, [Exact()], repeats=2)
    assert twice.summary.errors == {"cached": 2}
    assert twice.results is not None and twice.results[0].output.text is None


async def test_a_stop_lets_cells_under_way_end() -> None:
    stop = Stop()

    async def answer(case: Case) -> str:
        if case.id == "c3":
            stop()
        await asyncio.sleep(0.01)
        return "yes"

    dataset = Dataset("d", cases(40))
    run = await evaluate(dataset, answer, [Exact()], concurrency=2, stop=stop)
    assert (run.ending.state, run.ending.reason) == ("interrupted", "stopped")
    assert 0 < run.summary.cells < 40
    assert run.summary.failed == 0


async def test_the_budget_ends_a_run_before_it_is_overdrawn() -> None:
    subject = Scripted({f"c{each}": Output(text="yes", tokens_out=1, cost_nanousd=10_000_000) for each in range(100)})
    run = await evaluate(cases(100), subject, [], max_usd=0.2, concurrency=4)
    assert (run.ending.state, run.ending.reason) == ("interrupted", "budget")
    assert 150_000_000 <= run.summary.cost_nanousd <= 200_000_000


async def test_a_budget_cannot_be_kept_without_prices() -> None:
    subject = Scripted({f"c{each}": Output(text="yes", tokens_out=7) for each in range(50)})
    run = await evaluate(cases(50), subject, max_usd=1.0, concurrency=1)
    assert (run.ending.reason, run.summary.cells) == ("unpriced", 1)


async def test_two_scorers_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="'exact': two scorers"):
        await evaluate(cases(1), Scripted({}), [Exact(), Exact()])


async def test_a_cancelled_run_is_interrupted_and_its_workers_are_gone(tmp_path: Path) -> None:
    async def forever(case: Case) -> str:
        await asyncio.sleep(60)
        return ""

    run = asyncio.create_task(evaluate(cases(3), forever, folder=tmp_path, run_id="r"))
    await asyncio.sleep(0.05)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert '"interrupted"' in (tmp_path / "r/state.json").read_text()
    assert len(asyncio.all_tasks()) == 1


async def test_results_can_be_iterated_as_they_come() -> None:
    dataset, subject = Dataset("d", cases(3)), Scripted({f"c{each}": YES for each in range(3)})
    spec = spec_of(dataset, subject, [Exact()], run_id="r")
    stream = stream_cells(spec, dataset.by_id, subject, [Exact()], cells_of(dataset.cases, 1, 0))
    assert {each.case_id async for each in stream} == {"c0", "c1", "c2"}


async def test_cells_with_an_answer_are_only_judged() -> None:
    dataset, subject, found = Dataset("d", cases(2)), Scripted({"c1": YES}), []
    spec = spec_of(dataset, subject, [Exact()], run_id="r")
    engine = Engine(spec, dataset.by_id, subject, [Exact()], on_result=found.append)
    await engine.run([Cell("c0", 0), Cell("c1", 0)], {Cell("c0", 0): YES})
    assert subject.asked == [("c1", 0)]
    assert [each.value("exact") for each in found] == [1.0, 1.0]


async def test_each_cell_has_a_key_of_its_own_and_always_the_same() -> None:
    keys: dict[str, list[str | None]] = {}

    def ask(case: Case) -> str:
        keys.setdefault(case.id, []).append(current_key())
        return "yes"

    await evaluate(cases(2), ask, repeats=2, run_id="r")
    flat = [key for found in keys.values() for key in found]
    assert len(set(flat)) == 4
    assert set(keys["c0"]) == {cell_key("r", Cell("c0", repeat)) for repeat in range(2)}
    assert cell_key("r", Cell("c0", 0)) != cell_key("s", Cell("c0", 0)) != cell_key("r", Cell("c0", 0), "judge:x")
    assert current_key() is None


def test_the_order_is_random_but_the_seeds() -> None:
    found = cells_of(tuple(cases(50)), 2, 7)
    assert found == cells_of(tuple(cases(50)), 2, 7) != cells_of(tuple(cases(50)), 2, 8)
    assert {each.repeat for each in found[:50]} == {0}
