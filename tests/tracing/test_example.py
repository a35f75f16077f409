"""The example of the docs, against a real gateway that stores its steps: one tree with the gateway's call as a leaf."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from llmops.settings import Settings
from tests.fakes.gateway import Gateway
from tests.serving import ROOT, environment
from tests.tracing.stored import stored


async def test_the_example_is_one_tree(settings: Callable[..., Settings], log_dir: Path, tmp_path: Path) -> None:
    async with Gateway(settings()) as gateway:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            ROOT / "examples/traced_rag.py",
            env=environment({"GATEWAY": gateway.url}),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        said, account = await process.communicate()
        assert process.returncode == 0, account.decode()
        spans = {span["name"]: span for span in await stored(log_dir, "spans", 4)}
        (call,) = await stored(log_dir, "calls", 1)
    assert said.strip()
    assert b"Tally(ended=4, exported=4, rejected=0, dropped=0, waiting=0)" in account
    root = spans.pop("answer")
    assert root["parent_id"] is None
    assert {name: (span["step"], span["parent_id"]) for name, span in spans.items()} == {
        "retrieve": ("retriever", root["span_id"]),
        "grade": ("evaluator", root["span_id"]),
        "generate": ("chain", root["span_id"]),
    }
    assert {(span["session"], span["user"], span["service"]) for span in spans.values()} == {
        ("example", "alice", "shop")
    }
    assert (call["trace_id"], call["parent_span_id"]) == (root["trace_id"], spans["generate"]["span_id"])
    assert (call["user"], call["session"]) == ("alice", "example")
