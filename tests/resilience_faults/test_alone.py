"""A gateway whose only deployment fails in every way of the table: each client is told, or gets its whole answer.

Never a hang, never a silent truncation, never a word twice; and afterwards nothing is left of it.
"""

from pathlib import Path

import pytest

from llmops.dev.faults import FaultServer, Rehearsal
from tests.fakes.gateway import Gateway, settings_for
from tests.fakes.upstream import eventually

from .caller import Caller
from .case import Play, play_all
from .models import IDLE_S, LIMITS, models


@pytest.mark.timeout(120)
async def test_every_fault_without_a_fallback(log_dir: Path) -> None:
    async with FaultServer(Rehearsal(drip_s=0.1)) as server:
        limits = {**LIMITS, "max_retries": 0}
        async with Gateway(settings_for(log_dir, models(server, fallback=False), llm=limits)) as gateway:
            play = Play(Caller(f"{gateway.url}/v1"), server, IDLE_S, calls=3, at_once=3, slack_s=1.0)
            results = await play_all(play)
            assert [problem for result in results for problem in result.problems(fallback=False)] == []
            assert [result.name for result in results if result.struck == 0] == [
                "dns-failure, stream",
                "dns-failure, complete",
            ]

            slow = {result.name: round(max(result.seconds), 1) for result in results if max(result.seconds) > 3}
            assert slow == {}, "a fault is noticed by the limit that is meant for it, not by the call's whole time"
            records = await gateway.records()
            assert len(records) == sum(result.calls for result in results)
            assert all(
                usage >= 0 for line in records for usage in line["token_usage"].values() if isinstance(usage, int)
            )
            assert (await gateway.status())["in_flight"] == 0
            assert not [line for line in records if line["error_type"] == "internal_error"]
        assert await eventually(lambda: server.tally.open == 0), "no connection outlives the gateway"
