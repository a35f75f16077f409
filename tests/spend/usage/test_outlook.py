"""The month's outlook over a real database: days, forecast, days out of the ordinary."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llmops.errors import InvalidRequest
from llmops.spend.usage.outlook import outlook
from llmops.spend.usage.report import tags_of
from llmops.spend.usage.repository.sums import UsageFilter, UsageRepository
from llmops.store.database import Database
from tests.spend.usage.logs import LogFolder, ingest, line

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
USD = 1_000_000_000


@pytest.fixture
def sums(tmp_path: Path) -> Iterator[UsageRepository]:
    """Twenty days of two dollars each; ten times as much on the 15th; half a dollar this morning."""
    log = LogFolder(tmp_path)
    written = []
    for number in range(21):
        at = NOW - timedelta(days=number)
        cost = {0: USD // 2, 6: 20 * USD}.get(number, 2 * USD)
        tags = {"feature": "search"} if number % 2 else {}
        stamp = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        written.append(line(number, timestamp=stamp, cost_nanousd=cost, tags=tags))
    log.append(b"".join(written))
    database = Database(f"sqlite:///{tmp_path / 'llmops.db'}")
    ingest(log, database)
    yield UsageRepository(database)
    database.close()


def test_the_month_so_far_and_its_end(sums: UsageRepository) -> None:
    found = outlook(sums, UsageFilter(), NOW.timestamp())
    assert found["month"] == "2026-11" and found["days_known"] == 20
    assert found["spent_nanousd"] == sum(each["nanousd"] for each in found["days"]) == (19 * 2 + 20) * USD + USD // 2
    assert len(found["days"]) == 21 and len(found["ahead"]) == 10
    ahead = found["forecast"]
    assert found["spent_nanousd"] < ahead["low_nanousd"] < ahead["expected_nanousd"] < ahead["high_nanousd"]
    assert ahead["expected_nanousd"] == found["ahead"][-1]["expected_nanousd"]
    assert found["spent_usd"] == "58.50"


def test_a_day_out_of_the_ordinary_is_named(sums: UsageRepository) -> None:
    found = outlook(sums, UsageFilter(), NOW.timestamp())["unusual"]
    assert found == [{"day": "2026-11-15", "nanousd": 20 * USD, "usual_nanousd": 2 * USD}]


def test_it_can_be_narrowed_and_says_when_it_knows_too_little(sums: UsageRepository) -> None:
    nobody = outlook(sums, UsageFilter(tenant="other"), NOW.timestamp())
    assert nobody["forecast"] is None and nobody["spent_nanousd"] == 0 and nobody["ahead"] == []
    half = outlook(sums, UsageFilter(tags={"feature": "search"}), NOW.timestamp())
    assert 0 < half["spent_nanousd"] < 58 * USD and half["forecast"] is not None
    early = outlook(sums, UsageFilter(), (NOW - timedelta(days=18)).timestamp())
    assert early["forecast"] is None and early["days_known"] == 2


def test_names_of_tags(sums: UsageRepository) -> None:
    assert sums.tag_names() == ["feature"]
    assert sums.tag_names(UsageFilter(tenant="other")) == []
    with pytest.raises(InvalidRequest):
        tags_of(["feature"])
