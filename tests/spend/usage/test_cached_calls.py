"""What the cache saved is stored with its calls, summed up with them, and survives repairs and older versions."""

from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import inspect, select, update

from llmops.spend.usage.directory import UsageDirectory
from llmops.store import migrate
from llmops.store.database import Database
from llmops.store.tables import calls, usage_days
from tests.spend.usage.logs import LogFolder, line

HIT = {"provider": "cache", "cached": True, "cost_nanousd": 0, "prompt": 0, "completion": 0}


@pytest.fixture
def usage(tmp_path: Path, database: Database) -> UsageDirectory:
    log = LogFolder(tmp_path / "logs")
    log.append(
        line(1, cache="miss")
        + line(2, cache="hit", saved_nanousd=1000, **HIT)
        + line(3, cache="shared", saved_nanousd=500, **HIT)
        + line(4)
    )
    usage = UsageDirectory(database, log.path)
    assert usage.catch_up()
    return usage


def sums(database: Database) -> list[Any]:
    columns = usage_days.c
    with database.read() as connection:
        wanted = select(columns.calls, columns.cached_calls, columns.saved_nanousd, columns.cost_nanousd)
        return [tuple(map(int, row)) for row in connection.execute(wanted)]


def test_calls_and_days_have_what_was_saved(usage: UsageDirectory, database: Database) -> None:
    with database.read() as connection:
        rows = connection.execute(
            select(calls.c.cached, calls.c.cache, calls.c.saved_nanousd).order_by(calls.c.request_id)
        ).all()
    assert [tuple(row) for row in rows] == [
        (False, "miss", 0),
        (True, "hit", 1000),
        (True, "shared", 500),
        (False, None, 0),
    ]
    assert sums(database) == [(4, 2, 1500, 2000)]
    assert usage.reconcile().equal


def test_a_repair_brings_it_back(usage: UsageDirectory, database: Database) -> None:
    with database.write("usage") as connection:
        connection.execute(update(calls).where(calls.c.cache == "hit").values(cost_nanousd=7, saved_nanousd=0))
        connection.execute(update(usage_days).values(cached_calls=0, saved_nanousd=0, cost_nanousd=9))
    assert not usage.reconcile().equal
    usage.repair()
    assert usage.reconcile().equal and sums(database) == [(4, 2, 1500, 2000)]


def test_a_database_from_before_the_cache_is_taken_over(url: str, usage: UsageDirectory, database: Database) -> None:
    with database.engine.begin() as connection:
        command.downgrade(migrate._config(connection), "0005")
        for table in ("calls", "usage_days"):
            assert "saved_nanousd" not in {column["name"] for column in inspect(connection).get_columns(table)}
    before = Database(url)
    before.ensure()
    assert sums(before) == [(4, 0, 0, 2000)]
    before.close()
