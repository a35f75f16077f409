"""Fixtures for all tests: settings that read neither files nor the environment, over a log folder of the test's
own, and databases on both engines.

Properties are tried on the same examples in every run, so that a change is judged by what it changes;
``HYPOTHESIS_PROFILE=random`` looks for new ones, as `make soak` does.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from llmops.settings import Settings
from tests.fakes.gateway import settings_for
from tests.store.engines import database, postgres, redis_alone, redis_always, url  # noqa: F401 - fixtures
from tests.store.template import Template, copies_of_one

hypothesis.settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis.settings.register_profile("random", deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


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
