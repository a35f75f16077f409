"""An answer that falls silent in the middle: how soon its client is told, as a figure beside the result.

The promise is the limit on silence and 100 ms, measured by ``python -m benchmarks.faults``; here only a hang fails.
"""

from collections.abc import Callable
from pathlib import Path

from llmops.dev.faults import FAULTS, FaultServer
from tests.fakes.gateway import Gateway, settings_for

from .caller import Caller
from .case import Play
from .models import IDLE_S, LIMITS, models


async def test_silence_after_words_is_told_soon(log_dir: Path, record_property: Callable[[str, object], None]) -> None:
    async with FaultServer() as server:
        async with Gateway(settings_for(log_dir, models(server, fallback=True), llm=LIMITS, resilience={})) as gateway:
            play = Play(Caller(f"{gateway.url}/v1"), server, IDLE_S, calls=3, at_once=3, slack_s=10.0)
            result = await play.case(FAULTS["stall-after-tokens"], stream=True)
    assert result.given == {"error": 3} and list(result.problems(fallback=True)) == []
    late_ms = [round((silence_s - IDLE_S) * 1000, 1) for silence_s in result.silences]
    record_property("told_after_the_limit_ms", late_ms)
    print(f"told {late_ms} ms after the limit on silence")
    assert len(late_ms) == 3 and min(late_ms) > -IDLE_S * 1000 / 2, "not before it, either"
