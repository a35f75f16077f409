"""The real Langfuse SDK against our prompt registry: what it publishes, reads, caches and is told when it errs."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.interop.environment import interop_python
from tests.serving import environment, free_port, llmops_process, running

APP = Path(__file__).parent / "apps" / "langfuse_prompts.py"


@pytest.mark.timeout(120)
def test_langfuses_sdk_reads_and_writes_our_prompts(tmp_path: Path) -> None:
    python = interop_python("langfuse")
    made = llmops_process("keys", "create", "editor", "--role", "editor", "--json", folder=tmp_path)
    key, port = json.loads(made.stdout)["key"], free_port()
    with running(["-m", "llmops", "serve", "--port", str(port), "--no-dashboard"], tmp_path, port) as server:
        there = {"LANGFUSE_SECRET_KEY": key, "LANGFUSE_BASE_URL": server.url}
        ran = subprocess.run(
            [str(python), str(APP)],
            env={**environment(there), "PYTHONPATH": ""},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=90,
        )
        assert ran.returncode == 0, ran.stderr
        versions = server.get("/api/prompts/versions?name=movies/critic", key=key)[1]
    saw = json.loads(ran.stdout)
    config = {"model": "mock", "languages": ["en"]}
    assert saw["made"] == ["movies/critic", 1, ["production", "latest"], ["film"], config, "first"]
    assert saw["text"] == "As a strict critic, do you like Dune {{level}}?"
    assert sorted(saw["variables"]) == ["level", "movie"]
    assert [each["content"] for each in saw["chat"]] == ["You are a kind critic", "before", "Alien?"]
    assert (saw["second"], saw["cached"], saw["staged"], saw["fresh"]) == (2, 1, 2, 2), "its cache holds, ours follows"
    assert saw["numbered"] == [1, False] and saw["raw"] == "Shorter: {{movie}}"
    assert saw["listed"] == ["movies/critic", [1, 2], ["latest", "production", "staging"], ["film"]]
    assert saw["fallback"] == "plain 1"
    assert saw["missing"]["error"] == "NotFoundError" and "no prompt 'none'" in saw["missing"]["said"]
    assert saw["refused"]["error"] == "Error" and "line 1, column 1" in saw["refused"]["said"]
    assert saw["denied"]["error"] == "UnauthorizedError"
    assert versions["labels"] == {"production": 2, "staging": 2}
