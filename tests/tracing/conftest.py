"""A collector, and a process whose steps go to it."""

from collections.abc import Iterator

import pytest

from llmops import tracing
from tests.tracing.collector import Collector


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture
def traced(collector: Collector) -> Iterator[Collector]:
    tracing.configure(endpoint=collector.url, service="shop", interval_s=0.01)
    yield collector
    tracing.shutdown()
