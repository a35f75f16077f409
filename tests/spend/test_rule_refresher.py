"""Rules in force follow the database; while it is away, or has lost them, those that were known last stay in force."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from llmops.clock import ManualClock
from llmops.errors import StoreUnavailable
from llmops.rule_settings import BudgetSettings, LimitRuleSettings
from llmops.spend.repository_rules import RuleRepository
from llmops.spend.rule import Rule
from llmops.spend.rule_directory import RuleDirectory
from llmops.spend.stored_rule import StoredRule
from llmops.store.database import Database

LIMIT = LimitRuleSettings(concurrent_calls=1)
ODD = StoredRule(id="f" * 12, kind="limit", tenant=None, settings={"calls_per_moon": 1}, created_at_s=0)


async def until(condition: Callable[[], bool], limit_s: float = 5.0) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.01)


class House:
    """A gateway's rules over a database file, and a shell's beside them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = Database(f"sqlite:///{path}")
        self.shell = Database(f"sqlite:///{path}")
        self.applied: list[Sequence[Rule]] = []
        self.rules = RuleDirectory(
            self.database, ManualClock(), is_tenant=lambda _: True, apply=self.applied.append, refresh_s=0.02
        )
        self.registry = RuleDirectory(self.shell, ManualClock(), is_tenant=lambda _: True).registry

    @property
    def in_force(self) -> set[str]:
        return {rule.id.removeprefix("db:") for rule in self.applied[-1]} if self.applied else set()

    async def add(self) -> str:
        return (await asyncio.to_thread(self.registry.add, LIMIT)).id

    async def aclose(self) -> None:
        await self.rules.aclose()
        self.shell.close()
        self.database.close()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    built = House(tmp_path / "llmops.db")
    await built.rules.refresher.start()
    yield built
    await built.aclose()


async def test_a_gateway_without_a_database_makes_none(house: House) -> None:
    await asyncio.sleep(0.1)
    assert house.in_force == set() and house.rules.refresher.failing is None
    assert not house.path.exists()


async def test_changes_by_another_process_are_followed(house: House) -> None:
    first = await house.add()
    await until(lambda: house.in_force == {first})
    second = (await asyncio.to_thread(house.registry.add, BudgetSettings.model_validate({"usd": 1}))).id
    await until(lambda: house.in_force == {first, second})
    assert [rule.id for rule in house.rules.known] == [rule.id for rule in house.applied[-1]]
    await asyncio.to_thread(house.registry.remove, "limit", first)
    await until(lambda: house.in_force == {second})
    await asyncio.to_thread(house.registry.remove, "budget", second)
    await until(lambda: house.in_force == set())
    count = len(house.applied)
    await asyncio.sleep(0.1)
    assert len(house.applied) == count, "what has not changed is not applied again"
    assert house.rules.refresher.failing is None, "the last rule may be removed"


@pytest.mark.parametrize("loss", ["gone", "empty", "garbage"])
async def test_a_lost_database_leaves_the_known_rules_in_force(
    loss: str, house: House, caplog: pytest.LogCaptureFixture
) -> None:
    rule = await house.add()
    await until(lambda: house.in_force == {rule})
    caplog.set_level(logging.INFO)
    house.shell.close()
    for file in house.path.parent.iterdir():
        file.unlink()
    if loss == "empty":
        empty = Database(f"sqlite:///{house.path}")
        await asyncio.to_thread(empty.ensure)
        empty.close()
    elif loss == "garbage":
        await asyncio.to_thread(house.path.write_text, "not a database " * 100)
    await until(lambda: house.rules.refresher.failing is not None)
    words = {"gone": "is gone", "empty": "has lost its limits and budgets", "garbage": "does not work"}[loss]
    assert words in (house.rules.refresher.failing or "")
    await asyncio.sleep(0.1)
    assert house.in_force == {rule}
    assert len([line for line in caplog.records if "cannot be refreshed" in line.message]) == 1, "told once"

    for file in house.path.parent.iterdir():
        file.unlink()
    database = Database(f"sqlite:///{house.path}")
    again = RuleDirectory(database, ManualClock(), is_tenant=lambda _: True).registry
    other = (await asyncio.to_thread(again.add, LIMIT)).id
    await until(lambda: house.in_force == {other})
    await until(lambda: house.rules.refresher.failing is None)
    assert "limits and budgets are refreshed again" in caplog.text
    database.close()


async def test_a_rule_that_this_version_does_not_understand_changes_nothing(house: House) -> None:
    known = await house.add()
    await until(lambda: house.in_force == {known})
    await asyncio.to_thread(RuleRepository(house.shell).add, ODD)
    await until(lambda: house.rules.refresher.failing is not None)
    assert f"llmops limits remove {ODD.id}" in (house.rules.refresher.failing or "")
    assert house.in_force == {known}
    await asyncio.to_thread(house.registry.remove, "limit", ODD.id)
    await until(lambda: house.rules.refresher.failing is None)


async def test_a_gateway_that_cannot_read_its_limits_does_not_begin(tmp_path: Path) -> None:
    path = tmp_path / "llmops.db"
    await asyncio.to_thread(path.write_text, "not a database " * 100)
    house = House(path)
    with pytest.raises(StoreUnavailable, match="does not work"):
        await house.rules.refresher.start()
    assert house.applied == []
    await house.aclose()


async def test_rules_that_cannot_be_applied_are_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A defect where they are applied must not freeze them for good."""
    house = House(tmp_path / "llmops.db")
    broken = True

    def apply(rules: Sequence[Rule]) -> None:
        if rules and broken:
            raise RuntimeError("cannot")
        house.applied.append(rules)

    directory = RuleDirectory(house.database, ManualClock(), is_tenant=lambda _: True, apply=apply, refresh_s=0.02)
    await directory.refresher.start()
    rule = await house.add()
    await until(lambda: directory.refresher.failing == "RuntimeError: cannot")
    assert house.in_force == set()
    broken = False
    await until(lambda: house.in_force == {rule} and directory.refresher.failing is None)
    assert "limits and budgets cannot be refreshed" in caplog.text
    await directory.aclose()
    await house.aclose()
