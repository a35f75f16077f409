"""``llmops cache`` beside a running gateway and without one."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving import HOST, Server, free_port, llmops, running


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    port = free_port()
    with running(["-m", "llmops", "serve", "--port", str(port)], tmp_path, port, {"CACHE_ENABLED": "true"}) as started:
        yield started


def test_show_and_clear(server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        assert server.chat().status == 200
    shown = llmops("cache", "show", folder=tmp_path)
    assert shown.returncode == 0, shown.stderr
    head, row = (line.split() for line in shown.stdout.splitlines())
    assert dict(zip(head[:2], row[:2], strict=True)) == {"kind": "process", "entries": "1"}
    missed = llmops("cache", "clear", "--tag", "a=1", "--json", folder=tmp_path)
    assert json.loads(missed.stdout) == {"selector": {"tag": "a=1"}, "gone": 0}
    cleared = llmops("cache", "clear", "--model", "mock", "--url", server.url + "/", folder=tmp_path)
    assert (cleared.returncode, cleared.stderr) == (0, "1 answers are let go of\n")
    assert json.loads(llmops("cache", "show", "--json", folder=tmp_path).stdout)["entries"] == 0
    refused = llmops("cache", "clear", folder=tmp_path)
    assert refused.returncode == 1 and "or say all=true" in refused.stderr
    assert llmops("cache", "clear", "--all", folder=tmp_path).returncode == 0
    assert llmops("keys", "create", "root", "--role", "admin", folder=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no running gateway has left its note there; name one with --url"),
        (["--url", f"http://{HOST}:9"], f"no gateway answers at http://{HOST}:9"),
        (["--url", "localhost"], "must begin with http"),
        (["--url", f"http://{HOST}:x"], "no gateway answers"),
    ],
)
def test_without_a_gateway(arguments: list[str], message: str, tmp_path: Path) -> None:
    asked = llmops("cache", "show", *arguments, folder=tmp_path)
    assert (asked.returncode, asked.stdout) == (1, "") and message in asked.stderr, asked.stderr
    assert "Traceback" not in asked.stderr
