"""Following the database: changes are noticed, and its failures leave the last known keys in force and are told."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from llmops.clock import SystemClock
from llmops.errors import StoreUnavailable, Unauthenticated
from llmops.identity.directory import IdentityDirectory
from llmops.store.database import Database
from tests.identity.rings import PEPPER


async def until(condition: Callable[[], bool], limit_s: float = 5.0) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.01)


def directory_of(path: Path) -> IdentityDirectory:
    return IdentityDirectory(Database(f"sqlite:///{path}"), PEPPER, SystemClock(), refresh_s=0.02)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "llmops.db"


@pytest.fixture
async def running(path: Path) -> AsyncIterator[IdentityDirectory]:
    directory = directory_of(path)
    await directory.refresher.start()
    yield directory
    await directory.aclose()


def takes(directory: IdentityDirectory, credential: object) -> bool:
    try:
        directory.keyring.identify(str(credential), SystemClock().now_s())
    except Unauthenticated:
        return False
    return True


async def test_a_gateway_without_a_database_is_open_and_makes_none(running: IdentityDirectory, path: Path) -> None:
    await asyncio.sleep(0.1)
    assert running.keyring.open and running.refresher.failing is None
    assert os.listdir(path.parent) == []


async def test_changes_by_another_process_are_followed(running: IdentityDirectory, path: Path) -> None:
    shell = directory_of(path)
    key, credential = await asyncio.to_thread(shell.registry.create_key, name="n")
    await until(lambda: takes(running, credential))
    await asyncio.to_thread(shell.registry.set_disabled, "default", True)
    await until(lambda: not takes(running, credential))
    await asyncio.to_thread(shell.registry.set_disabled, "default", False)
    await until(lambda: takes(running, credential))
    await asyncio.to_thread(shell.registry.revoke, key.id)
    await until(lambda: not takes(running, credential))
    assert not running.keyring.open, "the last key's end does not open the door"
    shell.close()


@pytest.mark.parametrize("loss", ["gone", "empty", "emptied"])
async def test_a_lost_database_leaves_the_known_keys_in_force(
    loss: str, running: IdentityDirectory, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shell = directory_of(path)
    _, credential = await asyncio.to_thread(shell.registry.create_key, name="n")
    await until(lambda: takes(running, credential))
    shell.close()
    caplog.set_level(logging.INFO)
    if loss == "emptied":
        emptied = Database(f"sqlite:///{path}")
        with emptied.write("identity") as connection:
            connection.exec_driver_sql("DELETE FROM api_keys")
        emptied.close()
    else:
        for file in path.parent.iterdir():
            file.unlink()
        if loss == "empty":
            empty = Database(f"sqlite:///{path}")
            empty.ensure()
            empty.close()
    await until(lambda: running.refresher.failing is not None)
    assert running.refresher.failing is not None
    assert ("is gone" if loss == "gone" else "has lost its keys") in running.refresher.failing
    assert takes(running, credential) and not running.keyring.open
    await asyncio.sleep(0.1)
    assert len([line for line in caplog.records if "cannot be refreshed" in line.message]) == 1, "told once"

    again = directory_of(path)
    _, other = await asyncio.to_thread(again.registry.create_key, name="made anew")
    await until(lambda: takes(running, other))
    await until(lambda: running.refresher.failing is None)
    assert not takes(running, credential), "what is in the database now counts"
    assert "keys are refreshed again" in caplog.text
    again.close()


async def test_a_gateway_that_cannot_read_its_keys_does_not_begin(path: Path) -> None:
    await asyncio.to_thread(path.write_text, "not a database " * 100)
    directory = directory_of(path)
    with pytest.raises(StoreUnavailable, match="does not work"):
        await directory.refresher.start()
    assert not directory.keyring.open and not takes(directory, "anything")
    await directory.aclose()


async def test_an_unexpected_failure_does_not_end_the_following(
    running: IdentityDirectory, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A row that this version cannot read must not freeze the keys for good."""
    shell = directory_of(path)
    await asyncio.to_thread(shell.registry.create_key, name="n")
    await until(lambda: not running.keyring.open)
    database = Database(f"sqlite:///{path}")
    with database.write("identity") as connection:
        connection.exec_driver_sql("UPDATE api_keys SET models = 'not JSON'")
    await until(lambda: running.refresher.failing is not None)
    with database.write("identity") as connection:
        connection.exec_driver_sql("UPDATE api_keys SET models = '[]'")
    await until(lambda: running.refresher.failing is None)
    assert "keys cannot be refreshed" in caplog.text
    database.close()
    shell.close()
