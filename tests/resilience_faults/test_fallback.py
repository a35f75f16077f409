"""Every fault with one healthy deployment behind it: before the commit point the client notices nothing, after it the
client is told, in time and with no word twice. In the long run a thousand calls for each.
"""

from pathlib import Path

import pytest

from llmops.dev.faults import FaultServer, Rehearsal
from tests.fakes.gateway import Gateway, settings_for
from tests.fakes.upstream import eventually

from .caller import Caller
from .case import Play, play_all
from .models import IDLE_S, LIMITS, NEVER_EJECTS, models


@pytest.mark.parametrize(
    ("calls", "at_once", "slack_s"),
    [(10, 2, 1.0), pytest.param(1000, 16, 0.1, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])],
)
async def test_every_fault_with_a_healthy_fallback(calls: int, at_once: int, slack_s: float, log_dir: Path) -> None:
    async with FaultServer(Rehearsal(drip_s=0.1)) as server:
        resilience = {"breaker": NEVER_EJECTS}
        settings = settings_for(log_dir, models(server, fallback=True), llm=LIMITS, resilience=resilience)
        async with Gateway(settings) as gateway:
            caller = Caller(f"{gateway.url}/v1")
            play = Play(caller, server, IDLE_S, calls=calls, at_once=at_once, slack_s=slack_s)
            results = await play_all(play, together=4)
            assert [problem for result in results for problem in result.problems(fallback=True)] == []
            assert [result.name for result in results if result.struck == 0] == [
                "dns-failure, stream",
                "dns-failure, complete",
            ]
            records = await gateway.records()
            assert len(records) == sum(result.calls for result in results)
            assert not [line for line in records if line["error_type"] == "internal_error"]
            assert (await gateway.status())["in_flight"] == 0
        assert await eventually(lambda: server.tally.open == 0), "no connection outlives the gateway"
