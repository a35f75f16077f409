"""Applications that others have instrumented land correctly: the official OpenAI client against a real gateway, seen by
the real packages of OpenLLMetry and OpenInference, whose spans come in as OTLP.
"""

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmops.settings import Settings
from llmops.telemetry.spans.conventions import facts_of
from llmops.telemetry.spans.facts import Facts
from llmops.telemetry.spans.otlp_read import read
from llmops.telemetry.spans.span import Span
from tests.fakes.gateway import Gateway
from tests.interop.environment import interop_python
from tests.serving import ROOT
from tests.tracing.collector import Collector
from tests.tracing.stored import stored

APPS = {"openllmetry": "traceloop_sdk", "openinference": "openinference_instrumentation_openai"}
LIMIT_S = 100


@pytest.mark.timeout(120)
@pytest.mark.parametrize("convention", APPS)
async def test_an_instrumented_application_lands(
    convention: str, settings: Callable[..., Settings], tmp_path: Path
) -> None:
    with Collector() as collector:
        async with Gateway(settings()) as gateway:
            await run(convention, gateway.url, collector.url, tmp_path)
            records = await gateway.records()
    spans = [span for body in collector.bodies for span in read(body)]
    check(convention, [(span, facts_of(span)) for span in spans], records)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("convention", APPS)
async def test_it_is_stored_as_one_tree_with_the_gateways_calls(
    convention: str, settings: Callable[..., Settings], log_dir: Path, tmp_path: Path
) -> None:
    async with Gateway(settings()) as gateway:
        await run(convention, gateway.url, gateway.url, tmp_path)
        spans = await stored(log_dir, "spans", 5)
        calls = await stored(log_dir, "calls", 3)
    assert len(spans) == 5
    assert sorted(span["step"] for span in spans) == ["chain", "embedding", "llm", "llm", "tool"]
    asked = [span for span in spans if span["step"] in ("llm", "embedding")]
    assert {(each["convention"], each["model"], each["session"], each["user"]) for each in asked} == {
        (convention, "mock", "s-1", "alice")
    }
    assert {call["trace_id"] for call in calls} == {span["trace_id"] for span in spans}
    assert {call["parent_span_id"] for call in calls} == {span["span_id"] for span in asked}
    assert sum(call["prompt_tokens"] for call in calls) == sum(span["input_tokens"] for span in asked)


async def run(convention: str, gateway: str, collector: str, folder: Path) -> None:
    """The application, to its end; skips where its environment is not there."""
    process = await asyncio.create_subprocess_exec(
        interop_python(APPS[convention]),
        ROOT / f"tests/interop/apps/{convention}_app.py",
        gateway,
        collector,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), LIMIT_S)
    assert process.returncode == 0, output.decode()


def check(convention: str, spans: list[tuple[Span, Facts]], records: list[dict[str, Any]]) -> None:
    """One tree: workflow, a tool, two chats and an embedding, the gateway's calls below those."""
    assert {facts.convention for _, facts in spans} == {convention}
    assert {facts.service for _, facts in spans} == {"shop"}
    assert {(facts.session, facts.user) for _, facts in spans if facts.step in ("llm", "embedding")} == {
        ("s-1", "alice")
    }
    (root,) = [span for span, facts in spans if facts.step == "chain"]
    assert root.parent_id is None
    assert {span.parent_id for span, _ in spans if span is not root} == {root.span_id}
    (tool,) = [facts for _, facts in spans if facts.step == "tool"]
    assert (tool.tool, tool.operation, "Mild." in (tool.output_text or "")) == ("search", "execute_tool", True)
    asked = [(span, facts) for span, facts in spans if facts.step in ("llm", "embedding")]
    assert (
        [facts.operation for _, facts in asked]
        == ["chat", "chat", "embeddings"]
        == [record["operation"] for record in records]
    )
    for (span, facts), record in zip(asked, records, strict=True):
        assert (record["trace_id"], record["parent_span_id"]) == (span.trace_id, span.span_id)
        assert (facts.provider, facts.model) == ("openai", "mock")
        assert facts.input_tokens == record["token_usage"]["prompt"]
        assert facts.output_tokens in (record["token_usage"]["completion"], None)
    (_, whole), (_, streamed), (_, embedded) = asked
    assert whole.input_text == streamed.input_text == "Weather in Paris?"
    assert whole.output_text == streamed.output_text and whole.output_text
    assert whole.finish_reason == streamed.finish_reason == "stop"
    assert (whole.ttft_us, streamed.ttft_us is not None) == (None, True)
    assert (embedded.input_text, embedded.output_text) == ("Paris", None)
