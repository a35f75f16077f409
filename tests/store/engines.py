"""Both engines under one fixture: ``url`` is a new database without rows, in a file or on a real PostgreSQL server. Its
tables are a copy's (`template`), except in the store's own tests, where it is empty. Redis has two: one server that is
always there, and one for a test alone, to be killed.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.store.database import Database
from tests.store.postgres import PostgresServer, binaries, postgres_server
from tests.store.redis_server import RedisServer, binary, redis_server
from tests.store.required import missing
from tests.store.template import Template


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    programs = binaries()
    if programs is None:
        missing("PostgreSQL", "postgresql")
    with postgres_server(programs) as server:
        yield server


@pytest.fixture(scope="session")
def redis_always() -> Iterator[RedisServer]:
    """Shared by all tests: each takes a namespace of its own."""
    program = binary()
    if program is None:
        missing("Redis", "redis-server")
    with redis_server(program) as server:
        yield server


@pytest.fixture
def redis_alone() -> Iterator[RedisServer]:
    """Durable, and this test's alone."""
    program = binary()
    if program is None:
        missing("Redis", "redis-server")
    with redis_server(program, durable=True) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path, template: Template) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/data/llmops.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.migrated() if template.wanted else server.fresh()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()
