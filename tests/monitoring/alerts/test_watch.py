"""Alerts from figures to receivers, over both databases: restarts, two processes, silences, ends, failing receivers."""

import asyncio
from pathlib import Path
from typing import Any

from llmops.alert_settings import AlertSettings
from llmops.clock import ManualClock
from llmops.monitoring.alerts.signals import Watcher
from llmops.monitoring.alerts.sources import Sources
from llmops.monitoring.alerts.watch import AlertWatch
from llmops.store.database import Database
from tests.monitoring.alerts.stand import HttpReceiver, Stand

SLOW: dict[str, Any] = {
    "name": "slow", "kind": "latency", "per": "model", "threshold": {"warning": 2, "critical": 10}, "for_seconds": 60,
    "clear_seconds": 60, "min_events": 10,
}  # fmt: skip
CALM = {"name": "calm", "kind": "success_rate", "threshold": 0.5}


def section(*receivers: HttpReceiver, rules: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    hooks = [{"name": f"hook{n}", "kind": "webhook", "url": each.url} for n, each in enumerate(receivers)]
    return {"receivers": hooks, "rules": [SLOW] if rules is None else rules, **more}


async def test_from_slow_calls_to_a_message_and_back(database: Database) -> None:
    async with HttpReceiver() as hook:
        stand = Stand(database, section(hook, link="https://llmops.example.com/alerts"))
        stand.figures.calls(("gpt",), 50, seconds=4)
        stand.figures.calls(("few",), 9, seconds=60)
        await stand.round()
        assert hook.requests == [] and stand.changes() == ["pending"]
        await stand.round(after_s=60)
        (body,) = hook.bodies
        (alert,) = body["alerts"]
        assert (body["status"], alert["labels"]) == (
            "firing",
            {"model": "gpt", "alertname": "slow", "severity": "warning"},
        )
        assert "the p95 latency is 4.02 s, the limit 2 s (50 calls)" in alert["annotations"]["summary"]
        assert body["externalURL"] == "https://llmops.example.com/alerts"
        (shown,) = stand.directory.current(None)
        assert (shown["state"], shown["announced_to"]) == ("firing", ["hook0"])

        stand.figures.calls(("gpt",), 50, seconds=1)
        await stand.round(after_s=10)
        await stand.round(after_s=60)
        assert [each["status"] for each in hook.bodies] == ["firing", "resolved"]
        assert stand.changes() == ["pending", "firing", "resolved"]
        assert stand.directory.current(None) == []
        await stand.round(after_s=3700)
        assert database_is_empty(stand)


def database_is_empty(stand: Stand) -> bool:
    return stand.directory.current(None, states=("ok", "pending", "firing")) == []


async def test_something_worse_is_told_and_the_milder_is_quiet(database: Database) -> None:
    async with HttpReceiver() as hook:
        stand = Stand(database, section(hook))
        stand.figures.calls(("gpt",), 50, seconds=30)
        await stand.round()
        await stand.round(after_s=60)
        assert [alert["labels"]["severity"] for body in hook.bodies for alert in body["alerts"]] == ["critical"]
        assert [each["severity"] for each in stand.directory.current(None)] == ["critical", "warning"]


async def test_a_restart_in_the_middle_forgets_nothing(database: Database, url: str) -> None:
    async with HttpReceiver() as hook:
        stand = Stand(database, section(hook))
        stand.figures.calls(("gpt",), 50, seconds=4)
        await stand.round()
        stand.clock.advance(60)
        await asyncio.to_thread(stand.watch.round)  # and dies before it has delivered
        assert hook.requests == []

        reopened = Database(url)
        after = Stand(reopened, section(hook))
        after.clock.advance(stand.clock.now_s() - after.clock.now_s())
        after.figures.calls(("gpt",), 50, seconds=4)
        await after.round(after.another("second"), after_s=40)
        assert len(hook.requests) == 1, "told once, by the next process"
        await after.round(after_s=10)
        assert len(hook.requests) == 1
        reopened.close()


async def test_of_two_processes_one_judges_and_each_message_is_sent_once(database: Database) -> None:
    async with HttpReceiver() as hook:
        stand = Stand(database, section(hook))
        second = stand.another("second")
        stand.figures.calls(("gpt",), 50, seconds=4)
        for _ in range(8):
            stand.clock.advance(10)
            await asyncio.gather(stand.round(), stand.round(second))
        assert len(hook.requests) == 1 and stand.changes() == ["pending", "firing"]
        await stand.round(second, after_s=300)
        stand.figures.windows.clear()
        for _ in range(120):
            await stand.round(second, after_s=10)
        assert stand.changes() == ["pending", "firing", "resolved"], "the second has taken over"
        assert len(hook.requests) == 2


async def test_each_process_tells_of_its_breakers_and_losses(database: Database) -> None:
    rules = [
        {"name": "breaker", "kind": "breaker_open", "clear_seconds": 0},
        {"name": "drops", "kind": "drops", "threshold": 5, "clear_seconds": 0},
    ]
    async with HttpReceiver() as hook:
        stand = Stand(database, section(hook, rules=rules))
        other = Stand(database, section(hook, rules=rules))
        await stand.round()
        other.clock.advance(stand.clock.now_s() - other.clock.now_s())
        other.breakers, other.lost, stand.lost = {"a/1": "dead", "a/2": "cooling"}, {"spans": 3}, {"spans": 2}
        bystander = other.another("bystander")
        await other.round(bystander)
        await stand.round(after_s=1)
        found = {each["rule"]: each for each in stand.directory.current(None)}
        assert found["breaker"]["labels"] == {"deployment": "a/1"}
        assert "refuses the credential" in found["breaker"]["summary"]
        assert (found["drops"]["value"], found["drops"]["labels"]) == (5, {"what": "spans"})
        await stand.round(after_s=61)
        assert {each["rule"] for each in stand.directory.current(None)} == {"drops"}, "the bystander has died"
        await stand.round(after_s=300)
        assert stand.directory.current(None) == []


async def test_a_silence_and_its_end(database: Database) -> None:
    async with HttpReceiver() as hook:
        stand = Stand(database, section(hook))
        stand.figures.calls(("gpt",), 50, seconds=4)
        made = stand.directory.silence(None, {"model": "g*"}, seconds=3600, created_by="me", reason="a move")
        await stand.round()
        await stand.round(after_s=60)
        (shown,) = stand.directory.current(None)
        assert hook.requests == [] and shown["silenced_by"] == [made["id"]]
        assert stand.directory.unsilence(None, made["id"])["active"] is False
        await stand.round(after_s=10)
        assert len(hook.requests) == 1
        assert [each["active"] for each in stand.directory.silences(None, also_past=True)] == [False]


async def test_what_is_not_taken_is_tried_again_and_refusals_are_given_up(database: Database) -> None:
    async with HttpReceiver(500, 429, 200) as moody, HttpReceiver(404) as gone:
        stand = Stand(database, section(moody, gone))
        stand.figures.calls(("gpt",), 50, seconds=4)
        await stand.round()
        await stand.round(after_s=60)
        problems = stand.watch.problems()
        assert any("1 messages to the receiver 'hook0' cannot be delivered yet" in each for each in problems), problems
        assert any("'hook1' were given up: answered with status 404" in each for each in problems)
        assert "s3cret" not in str(problems)
        await stand.round(after_s=1)
        assert len(moody.requests) == 1, "not before its time"
        await stand.round(after_s=7)
        await stand.round(after_s=20)
        assert len({headers["webhook-id"] for _, headers, _ in moody.requests}) == 1 < len(moody.requests) == 3
        assert len(gone.requests) == 1
        post = {each["name"]: each for each in stand.directory.receivers(None)}
        assert (post["hook0"]["delivered"], post["hook1"]["given_up"]) == (1, 1)


async def test_a_redirect_is_not_followed(database: Database) -> None:
    async with HttpReceiver() as inside, HttpReceiver(302) as hook:
        hook.headers = f"Location: {inside.url}\r\n"
        stand = Stand(database, section(hook))
        stand.figures.calls(("gpt",), 50, seconds=4)
        await stand.round()
        await stand.round(after_s=60)
        assert inside.requests == [] and "redirects are not followed" in str(stand.watch.problems())


async def test_messages_that_wait_are_bounded_and_counted(database: Database) -> None:
    async with HttpReceiver(503) as hook:
        rules = [{**SLOW, "for_seconds": 0, "clear_seconds": 0}]
        stand = Stand(database, section(hook, rules=rules, max_waiting=3))
        for number in range(5):
            stand.figures.calls((f"m{number}",), 50, seconds=4)
            await stand.round(after_s=1)
        (post,) = stand.directory.receivers(None)
        assert (post["waiting"], post["given_up"]) == (3, 2)


async def test_a_rule_that_is_gone_ends_its_alerts(database: Database) -> None:
    async with HttpReceiver() as hook:
        stand = Stand(database, section(hook))
        stand.figures.calls(("gpt",), 50, seconds=4)
        await stand.round()
        await stand.round(after_s=60)
        stand.settings = type(stand.settings).model_validate(section(hook, rules=[CALM]))
        await stand.round(after_s=10)
        assert "the rule is gone" in hook.bodies[-1]["alerts"][0]["annotations"]["summary"]


async def test_an_hours_spend_against_the_same_hour_of_past_days(database: Database) -> None:
    rules = [{"name": "spend", "kind": "spend_anomaly", "per": "tenant", "threshold": 5, "min_usd": 1}]
    async with HttpReceiver() as hook:
        stand = Stand(database, section(hook, rules=rules))
        hour = int(stand.clock.now_s() // 3600)
        for day in range(1, 10):
            stand.figures.spent.setdefault(("acme",), {})[hour - 24 * day] = 10**9 + day * 10**7
        stand.figures.spent["acme",][hour] = 2 * 10**9
        stand.figures.spent["new",] = {hour: 500 * 10**9}
        await stand.round()
        assert stand.changes() == [], "neither a dollar more nor a tenant of whom nothing is known"
        stand.figures.spent["acme",][hour] = 9 * 10**9
        await stand.round(after_s=10)
        (shown,) = stand.directory.current("acme")
        assert "$9.00 in an hour that usually costs $1.05" in shown["summary"]
        assert stand.directory.current("other") == stand.directory.history("other") == []


async def test_a_rule_that_cannot_be_judged_is_a_problem_and_holds_nothing_up(database: Database) -> None:
    async with HttpReceiver() as hook:
        stand = Stand(database, section(hook, rules=[SLOW, {"name": "breaker", "kind": "breaker_open"}]))

        def broken() -> list[Any]:
            raise RuntimeError("no budgets today")

        stand.sources.budgets = broken
        budget = {"name": "budget", "kind": "budget_used", "threshold": 0.8}
        breaker = {"name": "breaker", "kind": "breaker_open"}
        stand.settings = type(stand.settings).model_validate(section(hook, rules=[budget, breaker]))
        stand.breakers = {"a/1": "open"}
        await stand.round()
        assert len(hook.requests) == 1
        assert stand.watch.problems() == ["the alert rule 'budget' cannot be judged: RuntimeError: no budgets today"]


def test_without_a_database_none_is_made(tmp_path: Path) -> None:
    empty = Database(f"sqlite:///{tmp_path}/llmops.db")
    watch = AlertWatch(empty, AlertSettings, Sources(), Watcher(dict, dict), ManualClock())
    watch.round()
    assert not empty.exists and watch.problems() == []
    empty.close()
