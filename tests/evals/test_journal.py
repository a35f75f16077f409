"""The journal: what was paid for is kept, a cut line is not, and a run goes on only as what it was."""

import json
from pathlib import Path

import pytest

from llmops.errors import ConfigError, Conflict, NotFound
from llmops.evals import evaluate
from llmops.evals.dataset import Dataset
from llmops.evals.journal import Journal, journals
from llmops.evals.output import Failure, Output
from llmops.evals.result import Cell
from llmops.evals.running import spec_of
from llmops.evals.score import Score

from .subjects_and_scorers import YES, Exact, Length, Scripted, cases

DATASET = Dataset("d", cases(3))
ALL_YES = {f"c{number}": YES for number in range(3)}


def begun(folder: Path) -> Journal:
    return Journal.create(folder, spec_of(DATASET, Scripted({}), [Exact()], run_id="r"), DATASET)


async def go_on(folder: Path, subject: Scripted) -> None:
    run = await evaluate(DATASET, subject, [Exact()], folder=folder, run_id="r")
    assert (run.ending.state, run.summary.cells, run.summary.passed) == ("complete", 3, 3)


async def test_an_answer_that_nobody_judged_is_only_judged(tmp_path: Path) -> None:
    with begun(tmp_path) as journal:
        journal.answered(Cell("c0", 0), YES)
        journal.scored(Cell("c0", 0), (Score(name="exact", value=1.0, passed=True),), 0.1)
        journal.answered(Cell("c1", 0), YES)
    subject = Scripted(ALL_YES)
    await go_on(tmp_path, subject)
    assert subject.asked == [("c2", 0)]
    lines = [json.loads(line) for line in (tmp_path / "r/results.jsonl").read_text().splitlines()]
    assert len(lines) == 6


async def test_a_cut_line_is_cut_off(tmp_path: Path) -> None:
    with begun(tmp_path) as journal:
        journal.answered(Cell("c0", 0), YES)
        journal.answered(Cell("c1", 0), Output(text="long " * 100_000))
    path = tmp_path / "r/results.jsonl"
    path.write_bytes(path.read_bytes()[:-10])
    subject = Scripted(ALL_YES)
    await go_on(tmp_path, subject)
    assert {case for case, _ in subject.asked} == {"c1", "c2"}
    with Journal.read(tmp_path, "r") as journal:
        assert len(list(journal.results())) == 3


async def test_a_whole_run_is_left_as_it_is(tmp_path: Path) -> None:
    await evaluate(DATASET, Scripted(ALL_YES), [Exact()], folder=tmp_path, run_id="r")
    before = (tmp_path / "r/results.jsonl").read_bytes()
    subject = Scripted({})
    await go_on(tmp_path, subject)
    assert subject.asked == []
    assert (tmp_path / "r/results.jsonl").read_bytes() == before


async def test_a_run_goes_on_only_as_what_it_was(tmp_path: Path) -> None:
    begun(tmp_path).close()
    other = Dataset("d", cases(4))
    with pytest.raises(ConfigError, match=r"dataset_version: .* begun with"):
        await evaluate(other, Scripted({}), [Exact()], folder=tmp_path, run_id="r")
    with pytest.raises(ConfigError, match="scorers: "):
        await evaluate(DATASET, Scripted({}), [Length()], folder=tmp_path, run_id="r")
    with pytest.raises(ConfigError, match="repeats: 2: the run was begun with 1"):
        await evaluate(DATASET, Scripted({}), [Exact()], folder=tmp_path, run_id="r", repeats=2)


def test_changed_cases_are_told(tmp_path: Path) -> None:
    begun(tmp_path).close()
    path = tmp_path / "r/cases.jsonl"
    path.write_text(path.read_text().replace("yes", "no"))
    with Journal.read(tmp_path, "r") as journal, pytest.raises(ConfigError, match="the run was begun with"):
        journal.dataset()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with begun(tmp_path) as journal:
        with pytest.raises(Conflict, match="another process"):
            Journal.resume(tmp_path, "r")
        with pytest.raises(Conflict, match="there already"):
            begun(tmp_path)
        assert Journal.read(tmp_path, "r").ending().state == "running"
        assert journal.ending().state == "running"
    assert Journal.read(tmp_path, "r").ending().reason == "killed", "nobody is at it, and it says nothing of its end"


def test_damage_within_is_told_and_not_passed_over(tmp_path: Path) -> None:
    with begun(tmp_path) as journal:
        journal.answered(Cell("c0", 0), YES)
    path = tmp_path / "r/results.jsonl"
    path.write_bytes(b"garbage\n" + path.read_bytes())
    with Journal.read(tmp_path, "r") as journal, pytest.raises(ConfigError, match="line 1"):
        list(journal.cells())


def test_failures_can_be_forgotten(tmp_path: Path) -> None:
    with begun(tmp_path) as journal:
        for name, output in (("c0", YES), ("c1", Output(error=Failure(code="timeout", message="late")))):
            journal.answered(Cell(name, 0), output)
            journal.scored(Cell(name, 0), (), 0.1)
        assert journal.forget_failures() == 1
        journal.answered(Cell("c1", 0), YES)
        journal.scored(Cell("c1", 0), (), 0.1)
        assert [each.output.error for each in journal.results()] == [None, None]


@pytest.mark.parametrize("run_id", ["", "../r", "a/b", ".hidden", "x" * 101, "a\nb"])
def test_an_id_that_names_no_folder_is_refused(run_id: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the run's id"):
        Journal.read(tmp_path, run_id)


def test_runs_are_listed_and_removed(tmp_path: Path) -> None:
    begun(tmp_path).close()
    assert [each.spec.run_id for each in journals(tmp_path)] == ["r"]
    Journal.read(tmp_path, "r").remove()
    assert journals(tmp_path) == []
    with pytest.raises(NotFound):
        Journal.read(tmp_path, "r")


async def test_hostile_texts_come_back_as_they_were(tmp_path: Path) -> None:
    said = '<script>\u202e\x00\n\r\u2028 "}\n{' + "x" * 1_000_000
    await evaluate(DATASET, Scripted(dict.fromkeys(ALL_YES, Output(text=said))), folder=tmp_path, run_id="r")
    with Journal.read(tmp_path, "r") as journal:
        assert [each.output.text for each in journal.results()] == [said] * 3
