"""The proof that log and database agree: it holds when they do, and names what differs when they do not."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from llmops.spend.usage.directory import UsageDirectory
from llmops.spend.usage.reconciliation import SHOWN
from llmops.store.counters.meter import Quota
from llmops.store.database import Database
from llmops.store.tables import calls, log_files, usage_days
from tests.spend.usage.logs import LogFolder, ingest, line, lines, stored, summed


@pytest.fixture
def log(tmp_path: Path) -> LogFolder:
    log = LogFolder(tmp_path / "logs")
    log.append(b"".join(line(number, tenant=f"t-{number % 3}", tags={"n": str(number % 4)}) for number in range(40)))
    log.rotate()
    log.append(lines(40, 41) + b"garbage\n" + line(41) + line(42, cost_nanousd=None, status=500, error_type="x"))
    return log


@pytest.fixture
def usage(log: LogFolder, database: Database) -> UsageDirectory:
    usage = UsageDirectory(database, log.path)
    assert usage.catch_up()
    return usage


def change(database: Database, statement: Any) -> None:
    with database.write("usage") as connection:
        connection.execute(statement)


def test_they_agree(usage: UsageDirectory) -> None:
    seen: list[tuple[int, int]] = []
    found = usage.reconcile(lambda done, all_: seen.append((done, all_)))
    assert found.equal and found.call_differences == found.day_differences == []
    assert (found.log_lines, found.log_calls, found.repeated_lines, found.unreadable_lines) == (44, 43, 1, 1)
    assert found.log == found.calls == found.usage_days and found.log.calls == 43 and found.log.nanousd == 42_000
    assert seen and seen[-1][0] == seen[-1][1]


def test_nothing_agrees_with_nothing(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/llmops.db")
    usage = UsageDirectory(database, tmp_path / "logs/gateway.jsonl")
    assert usage.catch_up() and usage.reconcile().equal and list(tmp_path.iterdir()) == []


def test_calls_that_are_missing_or_changed_are_named(usage: UsageDirectory, database: Database) -> None:
    change(database, delete(calls).where(calls.c.request_id == f"req_{5:032x}"))
    change(database, update(calls).where(calls.c.request_id == f"req_{6:032x}").values(cost_nanousd=999))
    row = {"request_id": "req_forged", "started_at_ms": 0, "tenant": "t-0"}
    with database.read() as connection:
        first = dict(connection.execute(select(calls).limit(1)).mappings().one())
    change(database, insert(calls).values(**{**first, **row}))
    found = usage.reconcile()
    assert not found.equal and found.different_calls == 3
    assert {each.request_id: each.what for each in found.call_differences} == {
        f"req_{5:032x}": "not in the database",
        f"req_{6:032x}": "cost_nanousd: '1000' in the log, '999' in the database",
        "req_forged": "not in the log",
    }
    assert {(each.tenant, each.places) for each in found.day_differences} == {
        ("t-2", "log and calls"),
        ("t-0", "log and calls"),
        ("t-0", "calls and usage_days"),
        ("t-2", "calls and usage_days"),
        ("t-0", "calls and rollups"),
        ("t-2", "calls and rollups"),
    }


def test_sums_that_are_wrong_are_named(usage: UsageDirectory, database: Database) -> None:
    change(database, update(usage_days).where(usage_days.c.tenant == "t-1").values(prompt_tokens=0))
    change(database, delete(usage_days).where(usage_days.c.tenant == "acme"))
    found = usage.reconcile()
    assert found.different_calls == 0
    assert [(each.tenant, each.places, each.second.prompt_tokens) for each in found.day_differences] == [
        ("acme", "calls and usage_days", 0),
        ("t-1", "calls and usage_days", 0),
    ]


def test_a_repair_makes_them_agree(usage: UsageDirectory, database: Database) -> None:
    before = summed(database)
    change(database, delete(calls).where(calls.c.request_id <= f"req_{9:032x}"))
    change(database, update(calls).where(calls.c.tenant == "t-1").values(user="somebody else", tags="{}"))
    change(database, delete(usage_days).where(usage_days.c.tenant == "t-2"))
    assert not usage.reconcile().equal
    assert usage.repair().different_calls == 20
    assert usage.reconcile().equal and summed(database) == before and stored(database) == list(range(43))
    assert usage.repair().equal


def test_only_the_first_differences_are_listed(usage: UsageDirectory, database: Database) -> None:
    change(database, delete(calls))
    found = usage.reconcile()
    assert found.different_calls == 43 and len(found.call_differences) == SHOWN


def test_calls_whose_log_is_gone_or_elsewhere_are_no_difference(
    usage: UsageDirectory, log: LogFolder, tmp_path: Path, database: Database
) -> None:
    next(log.path.parent.glob("gateway-*")).unlink()
    elsewhere = LogFolder(tmp_path / "another-machine")
    elsewhere.append(lines(100, 101))
    ingest(elsewhere, database)
    found = usage.reconcile()
    assert found.equal and (found.log.calls, found.calls.calls) == (3, 45)


def test_what_is_written_meanwhile_is_no_difference(usage: UsageDirectory, log: LogFolder, database: Database) -> None:
    """A gateway goes on: its newest lines are in the database before the comparison has seen them, or not yet."""
    written = iter(range(1000, 2000))

    def go_on(_done: int, _all: int) -> None:
        log.append(line(next(written)))
        ingest(log, database)
        log.append(line(next(written)))

    assert usage.reconcile(go_on).equal


def test_positions_that_were_lost_are_no_difference(usage: UsageDirectory, database: Database) -> None:
    change(database, delete(log_files))
    assert usage.catch_up() and usage.reconcile().equal


def test_counters_are_compared_where_there_are_any(usage: UsageDirectory) -> None:
    from decimal import Decimal

    from llmops.rule_settings import BudgetSettings
    from llmops.spend.rule import rules_of

    rules = rules_of([], [BudgetSettings(per=["tenant"], usd=Decimal(1), window="total", name="b")])

    def counted(quotas: Any) -> list[int]:
        assert all(isinstance(quota, Quota) for quota in quotas)
        return [13_000 if "t-1" in quota.name else 0 for quota in quotas]

    found = usage.reconcile(rules=rules, counted=counted)
    assert not found.equal
    assert sorted((each.stored, each.counted) for each in found.counter_differences) == [
        (2000, 0),
        (13_000, 0),
        (14_000, 0),
    ]
