"""``llmops config``: what it prints, what it refuses, and a reload of a gateway that runs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving import Server, free_port, llmops, running

GOOD = "models: {gpt: [{provider: openai, api_key: sk-very-secret, headers: {x-team: blue-secret}}]}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.yaml"
    path.write_text(GOOD)
    return path


def test_show_masks_every_secret(file: Path, tmp_path: Path) -> None:
    for arguments in (["--json"], []):
        asked = llmops("config", "show", "--config", str(file), *arguments, folder=tmp_path)
        assert asked.returncode == 0, asked.stderr
        assert "secret" not in asked.stdout and "**********" in asked.stdout
    shown = json.loads(llmops("config", "show", "--config", str(file), "--json", folder=tmp_path).stdout)
    assert shown["server"]["port"] == 8000


def test_the_contracts_variables_are_settings(tmp_path: Path) -> None:
    asked = llmops("config", "show", "--json", folder=tmp_path, env={"CACHE_ENABLED": "true", "RATE_LIMIT_QPS": "5"})
    shown = json.loads(asked.stdout)
    assert shown["limits"]["requests_per_second"] == 5 and shown["cache"]["enabled"] is True


def test_check_accepts_a_good_file(file: Path, tmp_path: Path) -> None:
    asked = llmops("config", "check", str(file), "--json", folder=tmp_path)
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout) == {"file": str(file), "ok": True, "problems": [], "models": ["gpt", "mock"]}
    assert not (tmp_path / "runs").exists(), "a check leaves nothing behind"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("serve: {}", "serve: unknown key; did you mean 'server'?"),
        ("server: {port: 99999}", "server.port: 99999: must be less than or equal to 65535"),
        ("models: {claude: [{provider: anthropic}]}", "set the variable ANTHROPIC_API_KEY"),
        ("server: [", "is not valid YAML"),
    ],
)
def test_check_names_key_value_and_remedy(content: str, problem: str, file: Path, tmp_path: Path) -> None:
    file.write_text(content)
    asked = llmops("config", "check", str(file), folder=tmp_path)
    assert asked.returncode == 1
    assert problem in asked.stderr and "Traceback" not in asked.stderr


def test_a_start_with_a_bad_file_stops_with_status_2(file: Path, tmp_path: Path) -> None:
    file.write_text("server: {port: eighty}")
    asked = llmops("serve", "--config", str(file), folder=tmp_path)
    assert asked.returncode == 2
    assert "server.port: 'eighty'" in asked.stderr and "Traceback" not in asked.stderr
    assert "there is no such file" in llmops("serve", "--config", "nowhere.yaml", folder=tmp_path).stderr


# --- reload -----------------------------------------------------------------------------------------------------


@pytest.fixture
def server(file: Path, tmp_path: Path) -> Iterator[Server]:
    port = free_port()
    command = ["-m", "llmops", "serve", "--config", str(file), "--port", str(port)]
    with running(command, tmp_path, port) as started:
        yield started


def test_reload_waits_for_the_new_configuration(server: Server, file: Path, tmp_path: Path) -> None:
    file.write_text("models: {added: [{provider: mock}]}")
    asked = llmops("config", "reload", "--json", folder=tmp_path)
    assert json.loads(asked.stdout) == {"ok": True, "pid": server.process.pid, "config_generation": 2, "error": None}
    assert server.chat("added").status == 200
    assert "server.port has changed" not in server.said, "what the command line says holds after a reload"


def test_reload_does_not_even_send_a_bad_file(server: Server, file: Path, tmp_path: Path) -> None:
    file.write_text("models: 7")
    asked = llmops("config", "reload", folder=tmp_path)
    assert asked.returncode == 2 and "models: 7" in asked.stderr
    assert server.get("/health")[1]["config_error"] is None


def test_reload_prints_why_the_gateway_refused(server: Server, file: Path, tmp_path: Path) -> None:
    file.write_text("models: {claude: [{provider: anthropic}]}")  # its credential is the gateway's to know
    for _ in range(2):
        asked = llmops("config", "reload", folder=tmp_path)
        assert asked.returncode == 1 and "ANTHROPIC_API_KEY" in asked.stderr
    assert server.get("/health")[1]["config_generation"] == 1


def test_reload_without_a_gateway_says_where_it_looked(tmp_path: Path) -> None:
    asked = llmops("config", "reload", folder=tmp_path)
    assert asked.returncode == 2
    assert "runs/gateway.pid.json: no running gateway" in asked.stderr


def test_a_file_that_has_gone_is_refused_and_not_replaced_by_defaults(tmp_path: Path) -> None:
    file, port = tmp_path / "configs/default.yaml", free_port()
    file.parent.mkdir()
    file.write_text("models: {mine: [{provider: mock}]}")
    with running(["-m", "llmops", "serve", "--port", str(port)], tmp_path, port) as server:
        file.unlink()
        asked = llmops("config", "reload", folder=tmp_path)
        assert "there is no such file" in asked.stderr
        assert server.chat("mine").status == 200
