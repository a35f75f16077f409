"""Baselines: promoted for a reason, sealed, and never believed once their rows or records were touched."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text

from llmops.assembly.baselines import find_drops, promote, tell
from llmops.assembly.gate import Shelf, check_runs, record, run_gate
from llmops.errors import Conflict, InvalidRequest, NotFound
from llmops.evals.baselines import Baseline, chain_problems
from llmops.evals.case import Case
from llmops.evals.datasets.repository.datasets import DatasetRepository
from llmops.evals.engine import Stop
from llmops.evals.evaluation import evaluate
from llmops.evals.gate.policy import Policy, check_policy
from llmops.evals.output import Output
from llmops.evals.repository.baselines import BaselineRepository
from llmops.evals.repository.decisions import DecisionRepository
from llmops.evals.repository.results import ResultRepository
from llmops.evals.repository.runs import RunRepository
from llmops.settings import Settings
from llmops.statistics.verdict import Verdict
from llmops.store.database import Database
from tests.evals.subjects_and_scorers import Exact
from tests.monitoring.test_prometheus import receiving

COUNT = 100
WHO = {"who": "ada", "reason": "the first one"}


class Answering:
    """Right but for the first ``wrong``."""

    def __init__(self, name: str, wrong: int = 0) -> None:
        self.versions = {"model": name}
        self._wrong = wrong

    async def answer(self, case: Case, repeat: int) -> Output:
        return Output(text="no" if int(case.id) < self._wrong else "yes")


@pytest.fixture
def shelf(database: Database) -> Iterator[Shelf]:
    kinds = (RunRepository, ResultRepository, BaselineRepository, DecisionRepository, DatasetRepository)
    yield Shelf(*(kind(database) for kind in kinds))  # type: ignore[arg-type]


@pytest.fixture
def rules(tmp_path: Path) -> Policy:
    lines = [json.dumps({"id": str(each), "input": "?", "reference": "yes"}) for each in range(COUNT)]
    (tmp_path / "cases.jsonl").write_text("\n".join(lines))
    return check_policy(
        {
            "baseline": "champion",
            "dataset": {"path": str(tmp_path / "cases.jsonl")},
            "subjects": {"baseline": {"model": "a"}, "candidate": {"model": "b"}},
            "scorers": ["exact"],
            "metrics": {"exact": {"margin": 0.05}},
        }
    )


def ran(shelf: Shelf, name: str, wrong: int = 0, *, model: str | None = None) -> str:
    cases = [Case(id=str(each), input="?", reference="yes") for each in range(COUNT)]
    run = asyncio.run(
        evaluate(cases, Answering(model or name, wrong), [Exact()], run_id=name, stop=Stop(), labels={"x": "y"})
    )
    assert run.results is not None
    shelf.runs.store(run.spec, run.ending, run.summary)
    shelf.results.store(name, run.results)
    return name


def write(shelf: Shelf, statement: str) -> None:
    with shelf.datasets.database.write("evals") as connection:
        assert connection.execute(text(statement)).rowcount == 1


def test_a_promoted_run_is_what_a_candidate_is_held_against(shelf: Shelf, rules: Policy, tmp_path: Path) -> None:
    made = promote(shelf, "champion", ran(shelf, "one"), rules, **WHO)
    assert (made.number, made.who, made.run_id, made.figures["exact"].margin) == (1, "ada", "one", 0.05)
    good = check_runs(rules, shelf, tmp_path, (None, ran(shelf, "two")), "g1")
    assert good.verdict is Verdict.PASS, good.reason
    bad = check_runs(rules, shelf, tmp_path, (None, ran(shelf, "three", 30)), "g2")
    assert bad.verdict is Verdict.BLOCK
    assert record(shelf, good).uses == 1 and record(shelf, bad).uses == 2
    assert [each["id"] for each in shelf.decisions.find(gate="gate")] == ["g2", "g1"] or good.at_ms == bad.at_ms


def test_a_gates_verdict_may_be_asked_for(shelf: Shelf, rules: Policy, tmp_path: Path) -> None:
    promote(shelf, "champion", ran(shelf, "one"), rules, **WHO)
    record(shelf, check_runs(rules, shelf, tmp_path, (None, ran(shelf, "two")), "g1"))
    record(shelf, check_runs(rules, shelf, tmp_path, (None, ran(shelf, "bad", 30)), "g2"))
    with pytest.raises(Conflict, match="BLOCK"):
        promote(shelf, "champion", "bad", rules, **WHO, decision="g2")
    with pytest.raises(Conflict, match="lets no 'bad' pass"):
        promote(shelf, "champion", "bad", rules, **WHO, decision="g1")
    second = promote(shelf, "champion", "two", rules, **WHO, decision="g1")
    first = shelf.baselines.history("default", "champion")[0]
    assert second.before == first.hash and chain_problems([first, second]) == []


def test_nobody_promotes_without_a_reason_or_what_is_not_whole(shelf: Shelf, rules: Policy) -> None:
    ran(shelf, "one")
    with pytest.raises(InvalidRequest, match="say why"):
        promote(shelf, "champion", "one", rules, who="ada", reason=" ")
    with pytest.raises(NotFound):
        promote(shelf, "champion", "none", rules, **WHO)
    write(shelf, "DELETE FROM eval_results WHERE run_id = 'one' AND case_id = '7'")
    with pytest.raises(Conflict, match="99 cells"):
        promote(shelf, "champion", "one", rules, **WHO)


POISON = {
    "a score was changed": """UPDATE eval_results SET scores = '{"exact":[0.0,false,null]}' """
    "WHERE run_id = 'one' AND case_id = '7'",
    "a row was deleted": "DELETE FROM eval_results WHERE run_id = 'one' AND case_id = '7'",
    "the run was deleted": "DELETE FROM eval_runs WHERE run_id = 'one'",
    "the record was changed": "UPDATE eval_baselines SET record = replace(record, 'ada', 'eve') WHERE number = 1",
    "the record was deleted": "DELETE FROM eval_baselines WHERE number = 1",
}


@pytest.mark.parametrize("kind", list(POISON))
def test_a_poisoned_baseline_is_an_error(shelf: Shelf, rules: Policy, tmp_path: Path, kind: str) -> None:
    promote(shelf, "champion", ran(shelf, "one"), rules, **WHO)
    promote(shelf, "champion", "one", rules, who="ada", reason="again")
    ran(shelf, "two")
    assert check_runs(rules, shelf, tmp_path, (None, "two"), "g").verdict is Verdict.PASS
    write(shelf, POISON[kind])
    decision = check_runs(rules, shelf, tmp_path, (None, "two"), "g")
    assert (decision.verdict, decision.exit_code) == (Verdict.ERROR, 3)


def test_another_subject_cannot_pose_as_the_baseline(shelf: Shelf, rules: Policy, tmp_path: Path) -> None:
    promote(shelf, "champion", ran(shelf, "one"), rules, **WHO)
    ran(shelf, "weak", 60, model="weak")
    ran(shelf, "cand", 58)
    decision = check_runs(rules, shelf, tmp_path, ("weak", "cand"), "g")
    assert decision.verdict is Verdict.ERROR and "'weak'" in decision.reason


async def test_a_gate_without_its_baseline_spends_nothing(
    shelf: Shelf, rules: Policy, tmp_path: Path, database: Database
) -> None:
    settings = Settings.model_validate({"database": {"url": f"sqlite:///{tmp_path}/other.db"}})
    decision = await run_gate(rules, settings, tmp_path / "runs", "g")
    assert decision.verdict is Verdict.ERROR and "no baseline 'champion' is promoted" in decision.reason
    assert not (tmp_path / "runs").exists()


def test_tenants_do_not_share_baselines(shelf: Shelf, rules: Policy) -> None:
    promote(shelf, "champion", ran(shelf, "one"), rules, **WHO)
    assert shelf.baselines.current("other", "champion") is None
    with pytest.raises(NotFound):
        promote(shelf, "champion", "one", rules.model_copy(update={"tenant": "other"}), **WHO)


def test_a_drop_beyond_the_margin_is_found(shelf: Shelf, rules: Policy) -> None:
    made = promote(shelf, "champion", ran(shelf, "one", 2), rules, **WHO)
    assert find_drops(shelf, made, ran(shelf, "near", 6)) == []
    (drop,) = find_drops(shelf, made, ran(shelf, "far", 20))
    assert (drop.metric, drop.promoted, drop.value, round(drop.loss, 9)) == ("exact", 0.98, 0.8, 0.18)
    points = shelf.runs.trend("exact", "cases")
    assert [each.figure.mean for each in points] == [0.98, 0.94, 0.8]


async def test_receivers_are_told_of_a_drop(shelf: Shelf, rules: Policy) -> None:
    made = await asyncio.to_thread(promote, shelf, "champion", await asyncio.to_thread(ran, shelf, "one"), rules, **WHO)
    found = find_drops(shelf, made, await asyncio.to_thread(ran, shelf, "far", 20))
    async with receiving() as (receiver, url):
        receivers = [
            {"name": "hook", "kind": "webhook", "url": url},
            {"name": "theirs", "kind": "webhook", "url": url, "tenant": "other"},
        ]
        settings = Settings.model_validate({"alerts": {"receivers": receivers}})
        assert await tell(settings, made, found, 1_790_000_000.0) == []
        alert = await asyncio.wait_for(receiver.alerts.get(), 10)
        assert receiver.alerts.empty(), "another tenant's receiver is not told"
    assert alert["labels"]["metric"] == "exact" and "0.2 worse" in json.dumps(alert)
    gone = Settings.model_validate({"alerts": {"receivers": [receivers[0]]}})
    (failure,) = await tell(gone, made, found, 1_790_000_000.0)
    assert failure.startswith("hook: ")


def test_records_out_of_order_are_found() -> None:
    def sealed(number: int, before: str) -> Baseline:
        return Baseline(
            name="b",
            tenant="t",
            number=number,
            run_id="r",
            dataset="d",
            dataset_version="0",
            subject={},
            scorers=(),
            figures={},
            content="c",
            code_revision=None,
            decision=None,
            at_ms=1,
            who="w",
            reason="why",
            before=before,
        ).sealed()

    first = sealed(1, "")
    second, third = sealed(2, first.hash), sealed(3, "")
    assert chain_problems([first, second]) == []
    assert chain_problems([second]) and chain_problems([first, second, third])
    assert chain_problems([msgspec.structs.replace(first, who="eve")])
