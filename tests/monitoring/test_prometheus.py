"""A real gateway whose model fails, a real Prometheus that scrapes it by the generated rules, and a real Alertmanager:
the alert reaches whoever is to be woken.

Every length of time is a sixtieth, so that an hour of burning takes a minute to look back on and fires within seconds.
"""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import yaml

from llmops.monitoring.prometheus.configuration import alertmanager, prometheus
from llmops.monitoring.prometheus.rule import as_file
from llmops.monitoring.prometheus.slo_rules import slo_groups
from llmops.settings import Settings
from tests.fakes.gateway import CHAT, Gateway
from tests.serving import free_port

from .prometheus.tools import alertmanager_program, tool, write_yaml

SCALE = 60
LIMIT_S = 50
SLOS = [
    {"name": "chat-up", "objective": "availability", "target": 0.99, "per": "model", "minimum_events": 20},
    {"name": "chat-fast", "objective": "latency", "target": 0.9, "threshold_seconds": 30},
]


class Receiver:
    """Takes webhooks: what an on-call service would be sent."""

    def __init__(self) -> None:
        self.alerts: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = int(head.split("content-length: ", 1)[1].split("\r\n", 1)[0])
            body = json.loads(await reader.readexactly(length))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            for alert in body["alerts"]:
                self.alerts.put_nowait({**alert, "receiver": body["receiver"]})
        writer.close()


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[tuple[Receiver, str]]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.take, "127.0.0.1", 0, family=socket.AF_INET)
    async with server:
        yield receiver, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@contextlib.asynccontextmanager
async def running(folder: Path, *command: str) -> AsyncIterator[None]:
    """A program until the end; what it said is in ``<program>.log``."""
    with (folder / f"{Path(command[0]).name}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=log, stderr=log)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def said(folder: Path) -> str:
    return "\n".join(file.read_text()[-3000:] for file in folder.glob("*.log"))


def configured(folder: Path, gateway: str, ports: tuple[int, int], hook: str) -> None:
    """The generated configurations, with nothing changed but lengths of time and addresses."""
    watched = prometheus(gateway, with_key=False, alertmanager=f"127.0.0.1:{ports[1]}")
    watched["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
    write_yaml(folder / "prometheus.yml", watched)
    write_yaml(folder / "rules/slo.yml", as_file(slo_groups(SCALE, interval_s=0.5)))
    sending = alertmanager(f"{hook}/page", f"{hook}/ticket")
    sending["route"] |= {"group_wait": "0s", "group_interval": "1s"}
    write_yaml(folder / "alertmanager.yml", sending)


async def test_an_alert_of_a_failing_model_is_delivered(settings: Callable[..., Settings], tmp_path: Path) -> None:
    programs = tool("prometheus"), alertmanager_program()
    ports = free_port(), free_port()
    failing = {"broken": [{"provider": "mock", "mock": {"error_rate": 1.0}}]}
    async with receiving() as (receiver, hook), Gateway(settings(failing, slos=SLOS)) as gateway:
        configured(tmp_path, gateway.url.removeprefix("http://"), ports, hook)
        prometheus_runs = running(
            tmp_path,
            programs[0],
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            f"--web.listen-address=127.0.0.1:{ports[0]}",
        )
        alertmanager_runs = running(
            tmp_path,
            programs[1],
            "--config.file=alertmanager.yml",
            "--storage.path=silences",
            f"--web.listen-address=127.0.0.1:{ports[1]}",
            "--cluster.listen-address=",
        )
        async with alertmanager_runs, prometheus_runs:
            calling = asyncio.create_task(keep_calling(gateway))
            try:
                alert = await asyncio.wait_for(the_page(receiver), LIMIT_S)
            except TimeoutError:
                raise AssertionError(f"no page within {LIMIT_S} s\n{said(tmp_path)}") from None
            finally:
                calling.cancel()
    assert alert["labels"] | {"long": "", "short": ""} == {
        "alertname": "LLMErrorBudgetBurn",
        "severity": "page",
        "slo": "chat-up",
        "model": "broken",
        "long": "",
        "short": "",
    }
    assert (alert["receiver"], alert["status"]) == ("page", "firing")
    assert (
        "100 times as fast" in alert["annotations"]["description"] and "broken" in alert["annotations"]["description"]
    )


async def keep_calling(gateway: Gateway) -> None:
    """Calls of two models, one of which fails; the other must fire nothing."""
    while True:
        for model in ("broken", "mock"):
            await gateway.post("/v1/chat/completions", {**CHAT, "model": model})
        await asyncio.sleep(0.02)


async def the_page(receiver: Receiver) -> dict[str, Any]:
    """The first page; an alert about what is well would be a failure of the test."""
    while True:
        alert = await receiver.alerts.get()
        assert alert["labels"].get("model") == "broken", alert
        if alert["labels"]["severity"] == "page":
            return alert


def test_the_generated_configuration_is_the_one_that_is_tested(tmp_path: Path) -> None:
    """The scale changes lengths of time and nothing else."""
    real, scaled = (yaml.safe_dump(as_file(slo_groups(scale))) for scale in (1, SCALE))
    for long, short in (("[5m]", "[5s]"), ("[30m]", "[30s]"), ("[1h]", "[1m]"), ("[30d]", "[12h]")):
        assert long in real and short in scaled
