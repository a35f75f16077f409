"""The bound for the slowest and dearest calls on both engines: a guess leaves out none that a plain sort has."""

import random
from typing import Any

import pytest

from llmops.store.database import Database
from llmops.store.tables import calls
from llmops.telemetry.traces.repository.call_threshold import Threshold, Wish, threshold
from tests.telemetry.traces.shelf import NOW_US, Shelf

HOUR_US = 3_600_000_000


@pytest.fixture
def luck() -> random.Random:
    return random.Random(7)


def stored(database: Database, luck: random.Random, *, burst: int = 0) -> list[float]:
    """Calls over a day, and so many very slow ones within a second."""
    rows: list[dict[str, Any]] = [
        {"number": number, "at_us": NOW_US - luck.randrange(24 * HOUR_US), "latency_ms": luck.lognormvariate(5, 1)}
        for number in range(1, 701)
    ]
    rows += [
        {"number": 1000 + number, "at_us": NOW_US - HOUR_US + number, "latency_ms": 9e6 + number}
        for number in range(burst)
    ]
    Shelf(database).calls(*rows)
    return sorted((row["latency_ms"] for row in rows), reverse=True)


def asked(database: Database, count: int, many: int = 100, sample: int = 400, **bounds: float) -> Threshold | None:
    with database.read() as connection:
        return threshold(connection, Wish(calls.c.latency_ms, [], count, **bounds), many, sample)


def test_a_guess_says_which_are_the_largest_and_when_they_began(database: Database, luck: random.Random) -> None:
    latencies = stored(database, luck)
    found = asked(database, 10)
    assert found is not None and found.moments is not None
    assert found.least == pytest.approx(latencies[9]) and len(found.moments) == 10
    below = asked(database, 10, up_to=latencies[20])
    assert below is not None and below.least == pytest.approx(latencies[29])


def test_a_burst_that_no_guess_sees_is_not_overlooked(database: Database, luck: random.Random) -> None:
    """More calls lie above the guess than are looked at: the bound is worked out exactly."""
    latencies = stored(database, luck, burst=300)
    found = asked(database, 10, sample=20)
    assert found is not None and found.moments is None and found.least == pytest.approx(latencies[9])


@pytest.mark.parametrize("many", [100, 100_000])
def test_fewer_than_wanted_have_no_bound(database: Database, luck: random.Random, many: int) -> None:
    stored(database, luck)
    assert asked(database, 701, many) is None
    assert asked(database, 1, many, above=1e9) is None
