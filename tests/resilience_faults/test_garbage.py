"""What a call leaves behind goes with it: nothing waits for the cycle collector, which a busy gateway runs seldom."""

import gc
import json
from collections.abc import Callable, Iterator

import pytest

from llmops.app import Stack
from llmops.dev.faults import FaultServer
from llmops.errors import LLMOpsError
from llmops.settings import Settings
from llmops.types import Call, Reply

MODEL = "conversation"
CALM = {"first_byte_timeout_seconds": 0.2, "idle_timeout_seconds": 0.2, "timeout_seconds": 0.5}


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("fault", ["none", "http-500", "rst-before-headers", "stall-after-tokens", "garbage-json"])
@pytest.mark.parametrize("stream", [False, True])
async def test_calls_leave_nothing_for_the_collector(
    settings: Callable[..., Settings], uncollected: None, fault: str, stream: bool
) -> None:
    async with FaultServer() as upstream:
        url = upstream.url if fault == "none" else upstream.url_for(fault)
        models = {MODEL: {"deployments": [{"name": "a", "provider": "openai", "base_url": url}]}}

        async with Stack(settings(models=models, llm=CALM, resilience={}, cache={"enabled": False})) as stack:
            for _ in range(2):
                await ask(stack, stream)
            await stack.parts.log.flush()
            held = [each for each in gc.get_objects() if isinstance(each, Call | Reply)]
            assert held == []


async def ask(stack: Stack, stream: bool) -> None:
    body = {"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": "Hello"}]}
    try:
        reply = await stack.call("chat", json.dumps(body).encode())
        if reply.stream is not None:
            async for _ in reply.stream:
                pass
    except LLMOpsError:
        return
