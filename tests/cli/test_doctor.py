"""``llmops doctor``: each thing that can be wrong is found, named and given a remedy."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from llmops.cli.checks import Finding, examine
from llmops.cli.checks.configuration import check_configuration
from llmops.cli.checks.machine import check_clock, check_log_folder, check_packages
from llmops.cli.checks.network import check_port, check_upstream
from llmops.providers.transport import Origin
from tests.serving import HOST, free_port, llmops, running


@asynccontextmanager
async def upstream(date_s: float | None, *, silent: bool = False) -> AsyncIterator[Origin]:
    """An HTTP server whose clock shows ``date_s``."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        if not silent:
            date = f"Date: {formatdate(date_s, usegmt=True)}\r\n" if date_s is not None else ""
            writer.write(f"HTTP/1.1 404 Not Found\r\n{date}Content-Length: 0\r\n\r\n".encode())
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, HOST, 0) as server:
        yield Origin("http", HOST, server.sockets[0].getsockname()[1])


async def finding_for(date_s: float | None, **how: Any) -> Finding:
    async with upstream(date_s, **how) as origin:
        return await check_upstream(origin)


async def test_clocks_are_compared_with_the_upstreams_date() -> None:
    import time

    now_s = time.time()
    assert (await finding_for(now_s)).verdict == "ok"
    behind = await finding_for(now_s + 90)
    assert behind.verdict == "warning" and "behind" in behind.meaning and "NTP" in behind.advice
    assert "ahead of" in (await finding_for(now_s - 90)).meaning


@pytest.mark.parametrize("how", [{}, {"silent": True}])
async def test_an_upstream_without_a_date_is_still_reachable(how: dict[str, bool]) -> None:
    found = await finding_for(None, **how)
    assert found.verdict == "ok" and "could not be compared" in found.meaning


async def test_an_upstream_that_is_not_there_is_an_error() -> None:
    refused = await check_upstream(Origin("http", HOST, free_port()))
    assert refused.verdict == "error" and "cannot be reached" in refused.meaning and refused.advice
    unknown = await check_upstream(Origin("http", "no-such-host.invalid", 80))
    assert unknown.verdict == "error"


async def test_plain_http_behind_an_https_url_is_a_tls_error() -> None:
    async with upstream(None) as origin:
        found = await check_upstream(Origin("https", origin.host, origin.port))
    assert found.verdict == "error" and "TLS" in found.meaning


async def test_an_upstream_that_does_not_accept_is_given_up_after_the_limit() -> None:
    with socket.socket() as full:
        full.bind((HOST, 0))
        full.listen(0)
        fillers = []
        try:
            for _ in range(8):
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex(full.getsockname())
                fillers.append(filler)
            found = await check_upstream(Origin("http", HOST, full.getsockname()[1]), 0.2)
        finally:
            for filler in fillers:
                filler.close()
    assert found.verdict == "error" and "within 0.2 s" in found.meaning


def test_a_log_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert [found.verdict for found in check_log_folder(tmp_path / "file")] == ["error"]
    assert check_log_folder(tmp_path / "new" / "logs")[0].meaning.count("GB free") == 1
    assert not (tmp_path / "new").exists()


def test_a_port_that_something_else_has_is_an_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        assert check_port(HOST, taken.getsockname()[1], tmp_path)[0].verdict == "error"
    assert check_port(HOST, free_port(), tmp_path)[0].verdict == "ok"


def test_this_machine_has_what_serving_needs() -> None:
    assert all(found.verdict == "ok" for found in [*check_packages(), check_clock()])


async def test_every_missing_credential_is_named(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(
        "models: {a: [{provider: anthropic, api_key_env: NO_SUCH_A}], b: [{provider: gemini, api_key_env: NO_SUCH_B}]}"
    )
    errors = [found for found in await examine(file, offline=True) if found.verdict == "error"]
    assert [name for name in ("NO_SUCH_A", "NO_SUCH_B") for found in errors if name in found.meaning]
    assert len(errors) == 2 and all(found.advice for found in errors)


def test_the_command_prints_json_and_ends_with_1_on_errors(tmp_path: Path) -> None:
    asked = llmops("doctor", "--json", folder=tmp_path, env={"LLMOPS_SERVER__PORT": str(free_port())})
    report = json.loads(asked.stdout)
    assert (asked.returncode, report["ok"], report["errors"]) == (0, True, 0), asked.stdout
    bad = llmops("doctor", folder=tmp_path, env={"LLM_TIMEOUT_SECONDS": "soon"})
    assert bad.returncode == 1 and "llm.timeout_seconds" in bad.stdout and "Traceback" not in bad.stderr


def test_a_running_gateway_on_the_port_is_fine(tmp_path: Path) -> None:
    port = free_port()
    with running(["-m", "llmops", "serve", "--port", str(port)], tmp_path, port) as server:
        asked = llmops("doctor", "--json", folder=tmp_path, env={"LLMOPS_SERVER__PORT": str(port)})
    said = [found["meaning"] for found in json.loads(asked.stdout)["findings"] if found["what"] == "port"]
    assert len(said) == 1 and f"(pid {server.process.pid})" in said[0]


@pytest.mark.parametrize(
    ("cache", "because"),
    [
        ("{enabled: false, stale_seconds: 9}", "cache.enabled"),
        ("{enabled: true}", "cache.stale_seconds"),
        ("{enabled: true, stale_seconds: 9}", None),
    ],
)
def test_a_last_resort_that_never_has_an_answer_is_told(cache: str, because: str | None, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"cache: {cache}\nmodels: {{m: {{deployments: [{{provider: mock}}], last_resorts: [stale]}}}}\n")
    _, _, findings = check_configuration(file)
    told = [found.meaning for found in findings if found.verdict == "warning"]
    assert [because in meaning for meaning in told] == ([] if because is None else [True])
