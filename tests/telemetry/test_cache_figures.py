"""The cache's figures: counted from records, read from the store, added up over processes."""

from collections.abc import Callable

from llmops.settings import Settings
from llmops.telemetry.cache_figures import CacheFigures
from llmops.telemetry.exposition import exposition
from llmops.telemetry.metrics import Metrics, merge
from llmops.telemetry.record import record_of
from llmops.types import CacheNote
from tests.fakes.gateway import CHAT, Gateway

from .calls import a_reply, finished
from .test_metrics import samples


def observed(*states: str) -> Metrics:
    metrics = Metrics()
    replies = [a_reply(cache=CacheNote(state=state)) for state in states]  # type: ignore[arg-type]
    metrics.observe([record_of(finished(reply=reply), b"k" * 32) for reply in [*replies, a_reply()]])
    return metrics


def test_processes_add_up_and_one_that_has_ended_keeps_its_counts() -> None:
    living = observed("hit", "hit", "miss").snapshot(
        cache=CacheFigures(entries=2, bytes=10, flights=1, removed={"evicted": 1}, unreadable=1)
    )
    ended = observed("hit", "bypass").snapshot(
        cache=CacheFigures(entries=5, bytes=50, flights=3, removed={"evicted": 2, "expired": 4}, too_large=1)
    )
    ended.rest()
    found = samples(exposition(merge([living, ended])))
    calls = {state: found["llm_cache_calls_total", (("model", "m"), ("state", state))] for state in ("hit", "miss")}
    assert calls == {"hit": 3, "miss": 1}
    assert found["llmops_cache_removed_total", (("why", "evicted"),)] == 3
    assert found["llmops_cache_removed_total", (("why", "expired"),)] == 4
    assert [found[f"llmops_cache_{name}", ()] for name in ("entries", "bytes", "flights")] == [2, 10, 1]
    assert found["llmops_cache_unreadable_total", ()] == found["llmops_cache_too_large_total", ()] == 1


async def test_a_scrape_and_the_log_agree(settings: Callable[..., Settings]) -> None:
    async with Gateway(settings(cache={"enabled": True})) as gateway:
        for _ in range(5):
            await gateway.post("/v1/chat/completions", CHAT)
        found, lines = samples((await gateway.get("/metrics")).body), await gateway.records()
    saved = sum(line["saved_nanousd"] for line in lines)
    assert found["llm_cache_saved_usd_total", (("model", "mock"),)] == saved / 1e9 > 0
    assert found["llm_cache_calls_total", (("model", "mock"), ("state", "hit"))] == 4
    assert found["llm_cache_calls_total", (("model", "mock"), ("state", "miss"))] == 1
    assert found["llmops_cache_entries", ()] == 1 and found["llmops_cache_bytes", ()] > 0
