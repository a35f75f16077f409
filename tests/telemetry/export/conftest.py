"""A lab for exports, on both engines."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.store.database import Database
from tests.telemetry.export.lab import Lab


@pytest.fixture
def lab(tmp_path: Path, database: Database) -> Iterator[Lab]:
    database.ensure()
    opened = Lab(tmp_path, database)
    yield opened
    opened.close()
