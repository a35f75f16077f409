"""``llmops serve --workers 2`` on a real Redis: whichever worker is scraped, it says what the log says; a worker
that is killed takes no counts with it, and none is counted twice.
"""

import http.client
import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.serving import HOST, Server, free_port, running, until
from tests.store.redis_server import binary, redis_server
from tests.store.required import missing
from tests.telemetry.test_metrics import Samples, samples

CONFIG = """
resilience: {enabled: false}
limits: {rules: [{name: few, requests_per_minute: 30, where: {model: "few"}}]}
models:
  few: [{provider: mock}]
  priced: [{provider: mock, price: {input: 1, output: 2}}]
  broken: [{provider: mock, mock: {error_rate: 1.0}}]
"""
OF_ALL = ("llm_requests_total", "llm_cost_usd_total", "llm_latency_seconds_count", "llm_tokens_total")


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "gateway.yaml").write_text(CONFIG)
    port, program = free_port(), binary()
    if program is None:
        missing("Redis", "redis-server")
    command = ["-m", "llmops", "serve", "--config", "gateway.yaml", "--port", str(port), "--workers", "2"]
    with redis_server(program) as server, running(command, tmp_path, port, {"LLMOPS_REDIS_URL": server.url}) as found:
        until(lambda: len(scraped_by(found)) == 2, "two workers that answer")
        yield found


def scrape(server: Server) -> tuple[int, Samples]:
    """Which worker was asked, and what it said."""
    connection = http.client.HTTPConnection(HOST, server.port, timeout=5)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read()
        return worker_at(server, connection.sock.getsockname()[1]), samples(text)
    finally:
        connection.close()


_CLOSED = "0"
"""The inode of a connection that waits for its end: ports are used again."""


def worker_at(server: Server, client_port: int) -> int:
    """The process that holds the other end of our connection."""
    ends = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    wanted = (f":{server.port:04X}", f":{client_port:04X}")
    (inode,) = {end[9] for end in ends if end[1].endswith(wanted[0]) and end[2].endswith(wanted[1])} - {_CLOSED}
    for pid in server.children():
        if f"socket:[{inode}]" in _links(Path(f"/proc/{pid}/fd")):
            return pid
    raise AssertionError("no worker has the connection")


def _links(folder: Path) -> set[str]:
    """What a process has open; it goes on opening and closing meanwhile."""
    found = set()
    for each in folder.iterdir():
        with suppress(FileNotFoundError):
            found.add(os.readlink(each))
    return found


def scraped_by(server: Server, times: int = 16) -> dict[int, Samples]:
    """What each worker says: the kernel chooses who is asked."""
    return dict(scrape(server) for _ in range(times))


def total(found: Samples, name: str) -> float:
    return sum(value for (each, _), value in found.items() if each == name)


def logged(folder: Path) -> list[dict[str, object]]:
    """The whole lines that are there by now."""
    file = folder / "runs/logs/gateway.jsonl"
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def agrees(found: Samples, lines: list[dict[str, object]]) -> bool:
    """Whether a scrape says what the log says."""
    by_status = Counter(str(line["status"]) for line in lines)
    cost_nanousd = sum(int(str(line["cost_nanousd"] or 0)) for line in lines)
    counted: Counter[str] = Counter()
    for (name, labels), value in found.items():
        if name == "llm_requests_total":
            counted[dict(labels)["status"]] += int(value)
    return (
        counted == by_status
        and total(found, "llmops_log_records_written_total") == len(lines)
        and total(found, "llmops_log_records_waiting") == 0
        and round(total(found, "llm_cost_usd_total") * 1e9) == cost_nanousd
        and total(found, "llm_limiter_refusals_total") == by_status["429"]
    )


def everybody_agrees(server: Server, folder: Path, calls: int) -> dict[int, Samples] | None:
    lines, said = logged(folder), scraped_by(server)
    whole = len(lines) == calls and len(said) == 2 and all(agrees(found, lines) for found in said.values())
    return said if whole else None


def test_every_worker_says_the_same_also_when_one_was_killed(workers: Server, tmp_path: Path) -> None:
    def call(count: int) -> None:
        for number in range(count):
            workers.chat(("priced", "broken", "few")[number % 3])

    call(120)
    said = until(lambda: everybody_agrees(workers, tmp_path, 120), "both workers to say what the log says")
    first, second = said.values()
    for name in OF_ALL:
        assert total(first, name) == total(second, name) > 0
    assert total(first, "llm_limiter_refusals_total") >= 5

    before = workers.children()
    os.kill(before[0], signal.SIGKILL)
    until(lambda: len(now := workers.children()) == 2 and now != before, "the replacement")
    until(lambda: everybody_agrees(workers, tmp_path, 120), "the dead worker's counts to be there, once")
    call(60)
    until(lambda: everybody_agrees(workers, tmp_path, 180), "the new worker's counts to be added")
