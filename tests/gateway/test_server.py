"""The gateway as a process: three ways of serving it, reloads by SIGHUP, draining on SIGTERM, several workers."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmops.errors import PortTaken
from llmops.gateway.server import bind
from llmops.gateway.state_file import GatewayState, find_running, noted
from llmops.gateway.supervisor import pause_s
from tests.serving import HOST, Server, free_port, llmops_process, running, until
from tests.store.redis_server import binary as redis_binary
from tests.store.redis_server import redis_server
from tests.store.required import missing

CONFIG = """
server: {drain_delay_seconds: 0.6}
models:
  mock: [{provider: mock}]
  slow: [{provider: mock, mock: {tokens_per_second: 25, words: 40}}]
"""
COMMANDS = {
    "llmops serve": ["-m", "llmops", "serve", "--config", "gateway.yaml", "--port", "{port}"],
    "uvicorn": ["-m", "uvicorn", "src.llmops.gateway:app", "--port", "{port}", "--log-level", "warning"],
    "granian": ["-m", "granian", "--interface", "asgi", "--port", "{port}", "llmops.gateway:app"],
}


def serving(way: str, folder: Path) -> Any:
    (folder / "gateway.yaml").write_text(CONFIG)
    port = free_port()
    command = [part.format(port=port) for part in COMMANDS[way]]
    return running(command, folder, port, {"LLMOPS_CONFIG": str(folder / "gateway.yaml")})


@pytest.fixture(params=list(COMMANDS))
def way(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def server(way: str, tmp_path: Path) -> Iterator[Server]:
    with serving(way, tmp_path) as started:
        yield started


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "runs/logs/gateway.jsonl").read_text().splitlines()]


def gateway_pid(server: Server, way: str) -> int:
    """granian's own process only supervises the one that holds the gateway."""
    return server.children()[-1] if way == "granian" else server.process.pid


def test_a_call_is_answered(server: Server) -> None:
    response = server.chat()
    assert response.status == 200
    assert response.headers["x-request-id"].startswith("req_")
    assert json.loads(response.body)["choices"][0]["message"]["content"]


def test_sighup_takes_a_good_file_and_refuses_a_bad_one(server: Server, way: str, tmp_path: Path) -> None:
    file, pid = tmp_path / "gateway.yaml", gateway_pid(server, way)
    file.write_text(CONFIG + "  added: [{provider: mock}]\n")
    os.kill(pid, signal.SIGHUP)
    until(lambda: server.get("/health")[1]["config_generation"] == 2, "the new configuration")
    assert server.chat("added").status == 200

    file.write_text("models: {added: [{provider: mokk}]}")
    os.kill(pid, signal.SIGHUP)
    health = until(lambda: (found := server.get("/health")[1])["config_error"] and found, "the refusal")
    assert "mokk" in health["config_error"]
    assert health["config_generation"] == 2 and health["status"] == "degraded"
    assert server.chat("added").status == 200


def test_sigterm_lets_an_open_stream_end_whole(server: Server, way: str, tmp_path: Path) -> None:
    with server.stream("slow", stream=True) as stream:
        assert stream.readline().startswith(b"data: ")
        server.signal(signal.SIGTERM)
        if way != "granian":  # which closes its port at once instead: as clear to a load balancer
            until(lambda: server.get("/ready")[0] == 503, "ready to say that it drains", 3)
            assert server.chat().status == 200, "calls are still taken while a load balancer turns away"
            refused = until(lambda: (answer := server.chat()).status == 503 and answer, "new calls to be refused", 3)
            assert refused.headers["retry-after"]
        assert stream.read().rstrip().endswith(b"data: [DONE]")
    status = server.wait()
    assert status == (-signal.SIGTERM if way == "uvicorn" else 0), server.said
    ended = [record for record in records(tmp_path) if record["model"] == "slow"]
    assert [(record["status"], record["finish_reason"]) for record in ended] == [(200, "stop")]


def test_the_second_signal_cuts_what_is_open_and_still_writes_the_log(tmp_path: Path) -> None:
    with serving("llmops serve", tmp_path) as server:
        with server.stream("slow", stream=True) as stream:
            assert stream.readline()
            server.signal(signal.SIGTERM)
            until(lambda: server.get("/ready")[0] == 503, "the drain")
            server.signal(signal.SIGTERM)
            assert server.wait(2) == 0, server.said
    assert [record["error_type"] for record in records(tmp_path)] == ["client_disconnected"]


def test_the_state_file_lives_as_long_as_the_gateway(tmp_path: Path) -> None:
    path = tmp_path / "runs/gateway.pid.json"
    with serving("llmops serve", tmp_path) as server:
        state = find_running(path)
        assert state is not None
        assert (state.pid, state.url) == (server.process.pid, server.url)
        assert state.config == str(tmp_path / "gateway.yaml")
    assert not path.exists()


def test_a_note_of_a_dead_gateway_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "gateway.pid.json"
    state = GatewayState(pid=2**22 + 1, url="http://127.0.0.1:1", config=None, started_at="2026-01-01T00:00:00+00:00")
    with noted(path, state):
        assert find_running(path) is None
        path.write_text("garbage")
        assert find_running(path) is None


def test_the_start_says_what_to_try(tmp_path: Path) -> None:
    with serving("llmops serve", tmp_path) as server:
        for hint in (
            f"curl {server.url}/v1/chat/completions",
            "from openai import OpenAI",
            f"{server.url}/docs",
            "runs/logs/gateway.jsonl",
            "mock, slow",
        ):
            assert hint in server.said


# --- several workers --------------------------------------------------------------------------------------------


def requests_counted(server: Server) -> float:
    """What a scrape says, over all workers."""
    lines = server.get("/metrics")[1].splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("llm_requests_total"))


@pytest.fixture
def two_workers(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "gateway.yaml").write_text(CONFIG)
    port = free_port()
    command = ["-m", "llmops", "serve", "--config", "gateway.yaml", "--port", str(port), "--workers", "2"]
    program = redis_binary()
    if program is None:
        missing("Redis", "redis-server")
    with (
        redis_server(program) as counters,
        running(command, tmp_path, port, {"LLMOPS_REDIS_URL": counters.url}) as server,
    ):
        until(lambda: len(server.children()) == 2, "two workers")
        until(lambda: "answers on" in server.said, "the announcement")
        yield server


def test_workers_share_the_port_and_their_metrics(two_workers: Server, tmp_path: Path) -> None:
    for _ in range(20):
        assert two_workers.chat().status == 200
    until(lambda: requests_counted(two_workers) == 20, "the scrape to add up")
    assert "workers  2" in two_workers.said
    two_workers.signal(signal.SIGTERM)
    assert two_workers.wait() == 0, two_workers.said
    assert len(records(tmp_path)) == 20


def test_workers_without_redis_are_refused_with_the_reason(tmp_path: Path) -> None:
    refused = llmops_process("serve", "--workers", "2", folder=tmp_path)
    assert refused.returncode == 2
    assert "LLMOPS_REDIS_URL" in refused.stderr and "count" in refused.stderr


def test_a_worker_that_dies_is_replaced(two_workers: Server) -> None:
    before = two_workers.children()
    os.kill(before[0], signal.SIGKILL)
    until(lambda: len(now := two_workers.children()) == 2 and now != before, "the replacement")
    assert "worker 0 ended unexpectedly (killed by SIGKILL)" in two_workers.said
    assert two_workers.chat().status == 200


def test_workers_do_not_outlive_their_parent(two_workers: Server) -> None:
    until(lambda: all(two_workers.get("/ready")[0] == 200 for _ in range(20)), "both workers")
    two_workers.process.kill()
    two_workers.wait()
    until(lambda: two_workers.get("/ready")[0] == 0, "the port to be free")


def test_a_reload_reaches_every_worker(two_workers: Server, tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(CONFIG + "  added: [{provider: mock}]\n")
    asked = llmops_process("config", "reload", folder=tmp_path)
    assert asked.returncode == 0, asked.stderr
    assert [two_workers.chat("added").status for _ in range(12)] == [200] * 12


# --- addresses --------------------------------------------------------------------------------------------------


def test_a_port_in_use_is_said_plainly(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        for workers in ("1", "2"):
            counting = {"LLMOPS_REDIS_URL": "redis://127.0.0.1:1/0"}  # not reached before the port is refused
            asked = llmops_process("serve", "--port", str(port), "--workers", workers, folder=tmp_path, env=counting)
            assert asked.returncode == 1
            assert asked.stderr.startswith(f"error: port {port} on 127.0.0.1 is in use")
        with pytest.raises(PortTaken):
            bind(HOST, port)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com"])
def test_a_public_address_is_refused(host: str, tmp_path: Path) -> None:
    asked = llmops_process("serve", "--host", host, folder=tmp_path)
    assert asked.returncode == 2
    assert "there is no administrator's key yet" in asked.stderr and "Traceback" not in asked.stderr


def test_failed_starts_are_retried_ever_more_slowly() -> None:
    assert [pause_s(failures) for failures in (0, 1, 2, 3, 20)] == [0, 0.5, 1, 2, 30]
