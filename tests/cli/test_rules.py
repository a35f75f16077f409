"""``llmops limits`` and ``llmops budgets``: the commands, what they refuse, and that a running gateway follows."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.serving import free_port, llmops, running, until

ID = re.compile(r"[0-9a-f]{12}\n")


def add(folder: Path, *arguments: str) -> str:
    """A new rule's id: all that the command prints to stdout."""
    asked = llmops(*arguments, folder=folder)
    assert asked.returncode == 0, asked.stderr
    assert ID.fullmatch(asked.stdout), asked.stdout
    return asked.stdout.strip()


def listed(folder: Path, kind: str) -> list[dict[str, Any]]:
    asked = llmops(kind, "list", "--json", folder=folder)
    assert asked.returncode == 0, asked.stderr
    found: list[dict[str, Any]] = json.loads(asked.stdout)
    return found


def test_the_life_of_a_limit(tmp_path: Path) -> None:
    assert "no limits; add one" in llmops("limits", "list", folder=tmp_path).stderr
    assert llmops("tenants", "create", "acme", folder=tmp_path).returncode == 0
    rule = add(
        tmp_path, "limits", "add", "--requests-per-second", "10", "--burst", "20", "--tokens-per-day", "1000000",
        "--per", "key", "--per", "tag:env", "--where", "tenant=acme", "--where", "model=gpt-*", "--shadow",
        "--name", "trial",
    )  # fmt: skip
    (shown,) = listed(tmp_path, "limits")
    expected = {
        "id": rule,
        "source": "database",
        "name": "trial",
        "per": ["key", "tag:env"],
        "where": {"tenant": "acme", "model": "gpt-*"},
        "requests_per_second": 10.0,
        "burst": 20,
        "tokens_per_day": 1_000_000,
        "shadow": True,
    }
    assert shown.items() >= expected.items() and "used" not in shown, "a shell does not know what is used"
    table = llmops("limits", "list", folder=tmp_path).stdout
    assert "requests per second 10, burst 20, tokens per day 1000000, shadow" in table and rule in table
    assert listed(tmp_path, "budgets") == []

    assert llmops("budgets", "remove", rule, folder=tmp_path).returncode == 1
    removed = llmops("limits", "remove", rule, folder=tmp_path)
    assert removed.returncode == 0 and "is removed" in removed.stderr
    assert listed(tmp_path, "limits") == []


def test_the_life_of_a_budget(tmp_path: Path) -> None:
    hard = add(tmp_path, "budgets", "add", "--usd", "100.10", "--per", "tenant")
    made = llmops("budgets", "add", "--usd", "0.5", "--window", "total", "--soft", "--json", folder=tmp_path)
    soft = json.loads(made.stdout)
    assert (soft["usd"], soft["window"], soft["hard"]) == ("0.5", "total", False)
    (first, _) = shown = listed(tmp_path, "budgets")
    assert {budget["id"] for budget in shown} == {hard, soft["id"]}
    assert (first["usd"], first["window"], first["hard"], first["per"]) == ("100.10", "month", True, ["tenant"])
    table = llmops("budgets", "list", folder=tmp_path).stdout
    assert "$100.10 per month " in table and "$0.5 in all, soft" in table
    removed = llmops("budgets", "remove", hard, "--json", folder=tmp_path)
    assert json.loads(removed.stdout)["id"] == hard


def test_the_configurations_rules_are_listed_with_it(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/default.yaml").write_text(
        "limits: {requests_per_second: 50, rules: [{per: key, concurrent_calls: 4, name: few}]}\n"
        "budgets: [{usd: 7, window: week}]\n"
    )
    rule = add(tmp_path, "limits", "add", "--concurrent-calls", "9")
    assert [(each["source"], each["id"]) for each in listed(tmp_path, "limits")] == [
        ("configuration", "limit:requests_per_second per all"),
        ("configuration", "limit:few"),
        ("database", rule),
    ]
    assert [each["id"] for each in listed(tmp_path, "budgets")] == ["budget:hard week per all"]
    refused = llmops("limits", "remove", "limit:few", folder=tmp_path)
    assert refused.returncode == 1 and "changed in its file" in refused.stderr


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("limits add", "limits nothing: give one of requests_per_second"),
        ("limits add --requests-per-second -1", "requests_per_second: '-1': must be greater than or equal to 0.001"),
        ("limits add --requests-per-second many", "requests_per_second: 'many': must be a valid number"),
        ("limits add --tokens-per-day 1e30", "tokens_per_day: '1e30': must be a valid integer"),
        ("limits add --concurrent-calls 0", "concurrent_calls: '0': must be greater than or equal to 1"),
        ("limits add --concurrent-calls 1 --per planet", "'planet' is none of tenant, key, user, ip, model, tag:"),
        ("limits add --concurrent-calls 1 --where planet=x", "where.planet: 'planet': must be 'tenant', 'key'"),
        ("limits add --concurrent-calls 1 --where acme", "--where is written WHAT=VALUE, such as tenant=acme"),
        ("limits add --concurrent-calls 1 --where ip=", "--where is written WHAT=VALUE"),
        ("limits add --concurrent-calls 1 --where ip=1 --where ip=2", "--where ip is given twice"),
        ("limits add --concurrent-calls 1 --where tenant=nobody", "there is no tenant 'nobody'; create it first"),
        ("budgets add --usd 0", "usd: '0': must be greater than 0"),
        ("budgets add --usd -3", "usd: '-3': must be greater than 0"),
        ("budgets add --usd 1e9", "usd: '1e9': must be less than or equal to 1000000"),
        ("budgets add --usd nan", "usd: 'nan': must be a finite number"),
        ("budgets add --usd 1 --window year", "window: 'year': must be 'day', 'week', 'month' or 'total'"),
        ("budgets remove nothing", "there is no budget 'nothing' in the database"),
        ("limits remove 0123456789ab", "there is no limit '0123456789ab' in the database"),
    ],
)
def test_a_command_that_cannot_be_done_says_why_in_one_line(command: str, message: str, tmp_path: Path) -> None:
    asked = llmops(*command.split(" "), folder=tmp_path)
    assert asked.returncode == 1 and asked.stdout == ""
    assert asked.stderr.startswith("error: ") and message in asked.stderr and asked.stderr.count("\n") == 1


def test_a_database_that_cannot_be_used_is_a_clear_error(tmp_path: Path) -> None:
    env = {"LLMOPS_DATABASE_URL": "sqlite:////proc/llmops.db", "LLMOPS_KEY_PEPPER": "p" * 32}
    asked = llmops("budgets", "add", "--usd", "1", folder=tmp_path, env=env)
    assert (asked.returncode, asked.stdout) == (1, "")
    assert "the database sqlite:////proc/llmops.db does not work" in asked.stderr and "Traceback" not in asked.stderr


def test_a_running_gateway_follows_the_shell_within_a_second(tmp_path: Path) -> None:
    port = free_port()
    with running(["-m", "llmops", "serve", "--port", str(port)], tmp_path, port) as server:
        assert server.chat().status == 200
        rule = add(tmp_path, "limits", "add", "--requests-per-minute", "1", "--name", "slow")
        added_s = time.monotonic()
        until(lambda: server.chat().status == 429, "the limit", 2)
        assert time.monotonic() - added_s < 2
        assert b"'slow' of 1 requests per minute" in server.chat().body
        assert llmops("limits", "remove", rule, folder=tmp_path).returncode == 0
        until(lambda: server.chat().status == 200, "its end", 2)
        add(tmp_path, "budgets", "add", "--usd", "0.000000001", "--window", "total")
        until(lambda: server.chat().status == 402, "the budget", 2)
