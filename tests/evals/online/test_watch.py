"""Following the log: each judgement once, within the budget, by one process at a time, whatever ends it."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from llmops.clock import ManualClock
from llmops.evals.online.repository import OnlineRepository
from llmops.evals.online.rule import Rule, is_sampled
from llmops.evals.online.watch import OnlineWatch
from llmops.evals.scorers.latency import Latency
from llmops.evals.scorers.refusal import Refusal
from llmops.online_settings import OnlineRuleSettings
from llmops.store.database import Database
from llmops.telemetry.assessments.assessment import Assessment
from llmops.telemetry.assessments.repository.assessments import AssessmentRepository, Wanted
from tests.evals.online.logged import append, judged_rule, line, watch_over
from tests.evals.scorers.scripted import ScriptedJudge, by_prompt
from tests.serving import ROOT, environment, until

GOOD = by_prompt(grade={"reason": "so", "grade": 1})


async def begun(watch: OnlineWatch) -> None:
    assert not await watch.turn(), "what was there before is not scored"


def scores(repository: AssessmentRepository, **wanted: Any) -> list[Assessment]:
    return repository.find(Wanted(**wanted), 10_000)


def rule_of(*scorers: Any, **more: Any) -> Rule:
    return Rule(OnlineRuleSettings.model_validate({"name": "r", "sample": 1.0, "scorers": ["x"], **more}), scorers)


async def test_calls_become_assessments_of_their_spans(tmp_path: Path) -> None:
    clock, judge = ManualClock(), ScriptedJudge(GOOD)
    watch, _, kept = watch_over(tmp_path, lambda: [judged_rule(judge), rule_of(Latency(), name="fast")], clock)
    append(tmp_path, [line(0, clock.now_s())])
    await begun(watch)
    append(tmp_path, [line(each, clock.now_s()) for each in range(1, 11)])
    assert await watch.turn() and not await watch.turn()
    found = scores(kept, name="rubric")
    assert len(found) == len(scores(kept, name="latency_ms")) == 10 == len(judge.asked)
    one = next(each for each in found if each.span_id == f"{2:016x}")
    assert (one.tenant, one.target, one.source, one.run_id, one.value) == ("acme", "span", "judge", "online:r", 1.0)
    assert one.comment is None, "what a judge says may quote what was captured"
    assert scores(kept, name="latency_ms")[0].source == "code"
    assert "Question 1?" in judge.asked[0].material and "Answer" in judge.asked[0].material
    await watch.aclose()


async def test_what_was_not_captured_is_judged_by_figures_alone(tmp_path: Path) -> None:
    clock, judge = ManualClock(), ScriptedJudge(GOOD)
    rules = [judged_rule(judge), rule_of(Latency(), Refusal(), name="figures")]
    watch, _, kept = watch_over(tmp_path, lambda: rules, clock)
    await begun(watch)
    plain = [line(each, clock.now_s(), texts=False) for each in range(4)]
    append(tmp_path, [*plain, line(4, clock.now_s(), texts=False, finish_reason="content_filter")])
    append(tmp_path, [line(5, clock.now_s(), error_type="timeout", status=504), b"no record\n", b"{}\n"])
    append(tmp_path, [line(6, clock.now_s(), tags={"online_eval": "r"}), line(7, clock.now_s(), tags={"eval": "x"})])
    assert await watch.turn()
    assert not judge.asked and len(scores(kept, name="latency_ms")) == 5
    assert sorted(each.value or 0 for each in scores(kept, name="refusal")) == [0, 0, 0, 0, 1]
    assert watch.counts["r"].no_texts == 6 and watch.counts["figures"].no_texts == 2
    await watch.aclose()


async def test_a_rule_takes_its_share_of_the_calls_that_it_is_about(tmp_path: Path) -> None:
    clock = ManualClock()
    rules = [
        rule_of(Latency(name="half"), name="half", sample=0.5),
        rule_of(Latency(name="tenth"), name="tenth", sample=0.1),
        rule_of(Latency(name="other"), name="other", where={"tenant": "beta*"}),
        rule_of(Latency(name="released"), name="released", where={"release": "rel-1", "model": "mo*"}),
    ]
    watch, _, kept = watch_over(tmp_path, lambda: rules, clock)
    await begun(watch)
    append(tmp_path, [line(each, clock.now_s(), release_id="rel-1" if each < 3 else None) for each in range(400)])
    while await watch.turn():
        pass
    half, tenth = ({each.trace_id for each in scores(kept, name=name)} for name in ("half", "tenth"))
    assert 150 < len(half) < 250 and 20 < len(tenth) < 65 and tenth < half, "a small sample is part of a larger one"
    assert half == {f"{each + 1:032x}" for each in range(400) if is_sampled(f"{each + 1:032x}", 0.5)}
    assert not scores(kept, name="other") and len(scores(kept, name="released")) == 3
    await watch.aclose()


async def test_the_budget_holds_for_a_day_and_over_a_restart(tmp_path: Path) -> None:
    clock = ManualClock()
    judge = ScriptedJudge(GOOD, cost_nanousd=10_000)
    rule = judged_rule(judge, budget_usd_per_day=0.00005)
    watch, database, kept = watch_over(tmp_path, lambda: [rule], clock, concurrency=8)
    await begun(watch)
    append(tmp_path, [line(each, clock.now_s()) for each in range(20)])
    assert await watch.turn()
    assert len(judge.asked) == len(scores(kept, name="rubric")) == 5, "never more than the budget"
    assert watch.counts["r"].over_budget == 15 and watch.spent_nanousd() == {"r": 50_000}
    await watch.aclose()
    again, _, _ = watch_over(tmp_path, lambda: [rule], clock)
    append(tmp_path, [line(each, clock.now_s()) for each in range(20, 22)])
    assert await again.turn() and len(judge.asked) == 5, "another process knows what was spent"
    clock.advance(86_400)
    append(tmp_path, [line(each, clock.now_s()) for each in range(22, 24)])
    assert await again.turn() and len(judge.asked) == 7
    assert sum(each.spent_nanousd for each in OnlineRepository(database).days(_epoch()).values()) == 70_000
    await again.aclose()


def _epoch() -> Any:
    from datetime import date

    return date(1970, 1, 1)


async def test_a_judge_whose_price_nobody_knows_is_asked_once(tmp_path: Path) -> None:
    clock, judge = ManualClock(), ScriptedJudge(GOOD, cost_nanousd=None)
    watch, _, _ = watch_over(tmp_path, lambda: [judged_rule(judge)], clock)
    await begun(watch)
    append(tmp_path, [line(each, clock.now_s()) for each in range(5)])
    assert await watch.turn()
    assert len(judge.asked) == 1 and any("price is unknown" in each for each in watch.problems())
    await watch.aclose()


async def test_a_judge_that_fails_is_counted_and_shown(tmp_path: Path) -> None:
    clock, judge = ManualClock(), ScriptedJudge(lambda *_: RuntimeError("no such luck"))
    watch, _, kept = watch_over(tmp_path, lambda: [judged_rule(judge)], clock)
    await begun(watch)
    append(tmp_path, [line(each, clock.now_s()) for each in range(3)])
    assert await watch.turn() and not await watch.turn()
    assert watch.counts["r"].failed == 3 and not scores(kept)
    assert any("no such luck" in each for each in watch.problems())
    await watch.aclose()


async def test_one_of_two_processes_that_share_a_log_does_the_work(tmp_path: Path) -> None:
    clock, judges = ManualClock(), [ScriptedJudge(GOOD), ScriptedJudge(GOOD)]
    one, _, _ = watch_over(tmp_path, lambda: [judged_rule(judges[0])], clock)
    other, _, kept = watch_over(tmp_path, lambda: [judged_rule(judges[1])], clock)
    await begun(one)
    append(tmp_path, [line(each, clock.now_s()) for each in range(3)])
    assert not await other.turn() and await one.turn()
    clock.advance(3600)  # the first has died
    append(tmp_path, [line(each, clock.now_s()) for each in range(3, 6)])
    assert await other.turn() and not await one.turn()
    assert (len(judges[0].asked), len(judges[1].asked), len(scores(kept))) == (3, 3, 6)
    for each in (one, other):
        await each.aclose()


async def test_what_waited_too_long_is_left_out(tmp_path: Path) -> None:
    clock, judge = ManualClock(), ScriptedJudge(GOOD)
    watch, _, _ = watch_over(tmp_path, lambda: [judged_rule(judge)], clock, max_delay_hours=1)
    await begun(watch)
    append(tmp_path, [line(0, clock.now_s() - 7200), line(1, clock.now_s())])
    assert await watch.turn()
    assert len(judge.asked) == 1 and watch.counts["r"].too_old == 1
    await watch.aclose()


async def test_hostile_texts_are_data(tmp_path: Path) -> None:
    clock = ManualClock()
    judge = ScriptedJudge(by_prompt(grade={"reason": "\0<script>\u202e" + "x" * 50_000, "grade": 1}))
    watch, _, kept = watch_over(tmp_path, lambda: [judged_rule(judge)], clock, keep_explanations=True)
    await begun(watch)
    append(tmp_path, [line(0, clock.now_s(), output="<img onerror=1>\u202e" + "y" * 1_000_000)])
    assert await watch.turn()
    (found,) = scores(kept)
    assert found.comment is not None and "\0" not in found.comment and len(found.comment) <= 10_000
    await watch.aclose()


def test_a_process_that_is_killed_makes_no_judgement_again(tmp_path: Path) -> None:
    def start() -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.evals.online.victim", str(tmp_path)]
        path = os.pathsep.join([environment()["PYTHONPATH"], str(ROOT)])
        return subprocess.Popen(command, env=environment({"PYTHONPATH": path}), cwd=ROOT)

    import time

    (tmp_path / "gateway.jsonl").touch()
    database = Database(f"sqlite:///{tmp_path / 'llmops.db'}")
    database.ensure()
    kept, calls = AssessmentRepository(database), 120

    def stored() -> int:
        return len(scores(kept, name="rubric"))

    victim = start()
    until(lambda: OnlineRepository(database).progress("here") is not None, "the start", limit_s=20)
    append(tmp_path, [line(each, time.time()) for each in range(calls)])
    killed = 0
    for goal in (25, 60):
        until(lambda: stored() >= goal, "some scores", limit_s=30)  # noqa: B023 - called here
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        killed += 1
        _let_go(database)
        victim = start()
    until(lambda: stored() == calls, "all scores", limit_s=30)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    asked = (tmp_path / "asked").read_text().splitlines()
    assert len(set(asked)) == calls, "none is missing"
    assert len(asked) <= calls + 2 * killed, "at most those that were under way were asked for again"
    found = scores(kept, name="rubric")
    assert len({each.span_id for each in found}) == len(found) == calls
    database.close()


def _let_go(database: Database) -> None:
    """The dead one's turn, which would end by itself within half a minute."""
    from sqlalchemy import text

    with database.write("online_evals") as connection:
        connection.execute(text("UPDATE leases SET until_s = 0"))
