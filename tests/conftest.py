"""Fixtures for all tests: settings that read neither files nor the environment, over a log folder of the test's
own, and databases on both engines.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmops.settings import Settings
from tests.fakes.gateway import settings_for
from tests.store.engines import database, postgres, redis_alone, redis_always, url  # noqa: F401 - fixtures
from tests.store.template import Template, copies_of_one


@pytest.fixture(scope="session", autouse=True)
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    """New SQLite databases are copies of one, except in the store's own tests."""
    with copies_of_one(tmp_path_factory.mktemp("template")) as made:
        yield made


@pytest.fixture
def log_dir(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@pytest.fixture
def settings(log_dir: Path) -> Callable[..., Settings]:
    """``settings(models, section={…})``: see `settings_for`."""

    def build(*args: object, **sections: object) -> Settings:
        return settings_for(log_dir, *args, **sections)  # type: ignore[arg-type]

    return build
