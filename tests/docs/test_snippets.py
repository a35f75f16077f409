"""What the pages tell a reader to type works: calls run against a server, configurations are loaded."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.config import load_settings
from tests.serving import ROOT, Server, environment, free_port, running

PRINTED = "http://127.0.0.1:8000"
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def snippets(language: str) -> list[object]:
    found = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*/*.md"))]:
        blocks = [code for kind, code in _FENCE.findall(page.read_text()) if kind == language]
        found += [pytest.param(code, id=f"{page.relative_to(ROOT)}-{number}") for number, code in enumerate(blocks, 1)]
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port = free_port()
    with running(["-m", "llmops", "serve", "--port", str(port)], tmp_path_factory.mktemp("gateway"), port) as started:
        yield started


@pytest.mark.parametrize("code", snippets("bash"))
def test_a_command_of_the_docs_works(code: str, server: Server, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed here")
    asked = subprocess.run(
        [
            "bash",
            "-euc",
            code.replace("curl ", "curl --fail-with-body --silent --show-error ").replace(PRINTED, server.url),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert asked.stdout.startswith("{")


@pytest.mark.parametrize("code", snippets("python"))
def test_a_program_of_the_docs_works(code: str, server: Server, tmp_path: Path) -> None:
    asked = subprocess.run(
        [sys.executable, "-c", code.replace(PRINTED, server.url)],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert asked.returncode == 0, asked.stderr


@pytest.mark.parametrize("code", snippets("yaml"))
def test_a_configuration_of_the_docs_can_be_loaded(code: str, tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(code)
    load_settings(file)


def test_the_shipped_configuration_can_be_loaded_also_with_its_examples(tmp_path: Path) -> None:
    shipped = (ROOT / "configs/default.yaml").read_text()
    load_settings(ROOT / "configs/default.yaml")
    with_examples = shipped.replace("models: {}", "models:").replace("\n  # ", "\n  ")
    assert with_examples != shipped
    file = tmp_path / "gateway.yaml"
    file.write_text(with_examples)
    assert {"gpt-4o", "claude", "house-model"} <= set(load_settings(file).models)


def test_every_target_that_the_readme_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    pages = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"[`$] ?make ([a-z-]+)", pages))
    assert {"serve", "test"} <= named
    assert [target for target in sorted(named) if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []
