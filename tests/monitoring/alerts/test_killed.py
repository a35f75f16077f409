"""A gateway that is killed owes nobody a message: the next one on the same database delivers it."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.monitoring.alerts.stand import HttpReceiver
from tests.serving import Server, free_port, running


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


async def until_known(server: Server) -> None:
    """Until the gateway has written down that the message was not taken."""
    async with asyncio.timeout(20):
        while not (await asyncio.to_thread(server.get, "/health"))[1]["problems"]:
            await asyncio.sleep(0.02)


async def test_a_message_survives_kill_9(tmp_path: Path) -> None:
    async with HttpReceiver(503) as hook:
        (tmp_path / "gateway.yaml").write_text(
            f"""
models: {{bad: [{{provider: mock, mock: {{error_rate: 1}}}}]}}
alerts:
  interval_seconds: 0.2
  receivers: [{{name: hook, kind: webhook, url: "{hook.url}"}}]
  rules: [{{name: failing, kind: success_rate, per: model, threshold: 0.9, min_events: 3}}]
"""
        )
        port = free_port()
        command = ["-m", "llmops", "serve", "--config", "gateway.yaml", "--port", str(port)]
        with running(command, tmp_path, port) as first:
            for _ in range(4):
                first.chat("bad")
            await until(lambda: hook.requests)
            await until_known(first)
            first.signal(signal.SIGKILL)
            await asyncio.to_thread(first.process.wait)
        hook.statuses = [200]
        with running(command, tmp_path, port) as second:
            await until(lambda: len(hook.requests) > 1 and hook.statuses == [200])
            await asyncio.sleep(0.5)
            _, history = second.get("/api/alerts/history")
        ids = {headers["webhook-id"] for _, headers, _ in hook.requests}
        assert len(ids) == 1 and [event["change"] for event in history] == ["firing"]
