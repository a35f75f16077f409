"""Runs in the database, on both engines: stored as often as one likes, compared, followed over time."""

from pathlib import Path

import msgspec

from llmops.evals.dataset import Dataset
from llmops.evals.journal import Ending, Journal
from llmops.evals.output import Failure, Output
from llmops.evals.repository.results import ResultRepository
from llmops.evals.repository.runs import RunRepository
from llmops.evals.result import Result
from llmops.evals.run import RunSpec
from llmops.evals.running import Run, Runner, spec_of
from llmops.evals.score import Score
from llmops.evals.storing import Storing
from llmops.store.database import Database

from .subjects_and_scorers import YES, Exact, Scripted, cases

DATASET = Dataset("d", cases(3))


def spec(run_id: str, **fields: object) -> RunSpec:
    return spec_of(DATASET, Scripted({}), [Exact()], run_id=run_id, **fields)


async def stored(database: Database, run_id: str, right: int, **fields: object) -> Run:
    answers = {f"c{each}": YES if each < right else Output(text="no") for each in range(3)}
    this = spec(run_id, **fields)
    storing = Storing(this, RunRepository(database), ResultRepository(database))
    return await Runner(this, DATASET, Scripted(answers), [Exact()], storing=storing).run()


async def test_a_run_is_stored_with_its_figures(database: Database) -> None:
    run = await stored(database, "r", 2, labels={"why": "test"})
    assert run.store_failure is None
    found = RunRepository(database).get("r")
    assert found is not None
    assert (found.spec, found.summary, found.ending) == (run.spec, run.summary, run.ending)
    results = ResultRepository(database).of("r")
    assert [(each.case_id, each.scores["exact"]) for each in results] == [
        ("c0", (1.0, True, None)),
        ("c1", (1.0, True, None)),
        ("c2", (0.0, False, None)),
    ]


async def test_storing_again_changes_nothing_and_what_is_newer_counts(database: Database) -> None:
    repository = ResultRepository(database)
    failed = Result(case_id="c0", repeat=0, output=Output(error=Failure(code="timeout", message="secret words")))
    scores = (Score(name="exact", value=1.0, explanation="secret words"),)
    mended = Result(case_id="c0", repeat=0, output=Output(text="secret words", cost_nanousd=5), scores=scores)
    for results in ([failed], [failed], [failed, mended], [mended]):
        assert repository.store("r", results) == 1
    (found,) = repository.of("r")
    assert (found.error, found.scores, found.cost_nanousd) == (None, {"exact": (1.0, None, None)}, 5)
    assert "secret" not in repr(found), "texts stay in the journal"


async def test_two_runs_are_compared_case_by_case(database: Database) -> None:
    await stored(database, "a", 1)
    await stored(database, "b", 3)
    repository = ResultRepository(database)
    repository.store("b", [Result(case_id="c9", repeat=0, output=YES)])
    pairs = list(repository.pairs("a", "b"))
    assert [(pair.cell.case_id, pair.first is None, pair.second is None) for pair in pairs] == [
        ("c0", False, False),
        ("c1", False, False),
        ("c2", False, False),
        ("c9", True, False),
    ]
    assert pairs[2].first is not None and pairs[2].first.scores["exact"][0] == 0.0


async def test_the_trend_of_a_metric(database: Database) -> None:
    for number, run_id in enumerate(("a", "b", "c")):
        await stored(database, run_id, number + 1, started_at_ms=1000 + number, code_revision=f"commit{number}")
    await stored(database, "other", 1, tenant="another")
    runs = RunRepository(database)
    points = runs.trend("exact", "d", tenant="default", limit=2)
    assert [(each.run_id, each.code_revision, round(each.figure.mean or 0, 2)) for each in points] == [
        ("b", "commit1", 0.67),
        ("c", "commit2", 1.0),
    ]
    assert runs.trend("exact", "none") == []


async def test_a_tenant_sees_its_own_runs_alone(database: Database) -> None:
    await stored(database, "a", 1, tenant="one")
    await stored(database, "b", 1, tenant="two")
    runs = RunRepository(database)
    assert [each.spec.run_id for each in runs.find(tenant="one")] == ["a"]
    assert runs.get("b", tenant="one") is None
    assert not runs.remove("b", tenant="one")
    assert runs.remove("b") and runs.get("b") is None and ResultRepository(database).of("b") == []


async def test_without_a_database_the_journal_has_it_all(tmp_path: Path) -> None:
    (tmp_path / "no").write_text("a file where a folder should be")
    database = Database(f"sqlite:///{tmp_path}/no/llmops.db")
    this = spec("r")
    with Journal.create(tmp_path, this, DATASET) as journal:
        storing = Storing(this, RunRepository(database), ResultRepository(database))
        subject = Scripted(dict.fromkeys(("c0", "c1", "c2"), YES))
        run = await Runner(this, DATASET, subject, [Exact()], journal=journal, storing=storing).run()
    assert run.store_failure is not None and run.ending.state == "complete"
    there = Database(f"sqlite:///{tmp_path}/llmops.db")
    with Journal.resume(tmp_path, "r") as journal:
        storing = Storing(this, RunRepository(there), ResultRepository(there))
        run = await Runner(this, DATASET, subject, [Exact()], journal=journal, storing=storing).run()
    assert run.store_failure is None and len(subject.asked) == 3, "resuming stores it, and asks nothing again"
    assert len(ResultRepository(there).of("r")) == 3
    there.close()


def test_an_interrupted_run_is_stored_as_such(database: Database) -> None:
    runs = RunRepository(database)
    runs.store(spec("r"), Ending(state="running"), None)
    ending = Ending(state="interrupted", reason="budget", ended_at_ms=1)
    runs.store(spec("r"), ending, None)
    (found,) = runs.find()
    assert found.ending == ending and found.summary is None
    assert msgspec.json.encode(found.spec)
