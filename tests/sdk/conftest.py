"""The roads that an SDK's call can take: to the mock itself, or over HTTP to a second gateway that runs the mock.

``fast`` passes bytes through to an OpenAI-compatible upstream, ``chat`` is one that offers Chat Completions alone
(other dialects are translated to it), ``messages`` is an Anthropic upstream. All of it is real: two servers, sockets,
clients.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from llmops.settings import Settings
from tests.fakes.gateway import Gateway, settings_for

MODEL = "mock"


@dataclass(frozen=True)
class Road:
    """A gateway with the two SDKs' clients, and the behaviour of the model at the road's end."""

    name: str
    gateway: Gateway
    openai: AsyncOpenAI
    anthropic: AsyncAnthropic

    @property
    def offers_chat(self) -> bool:
        """What only Chat Completions knows (``n``, JSON mode …) arrives."""
        return self.name != "messages"


def deployment(road: str, url: str) -> dict[str, Any]:
    """How the first gateway reaches the second."""
    if road == "messages":
        return {"provider": "anthropic", "base_url": url, "api_key": "sk-upstream"}
    native = {"operations": ["chat", "embeddings"]} if road == "chat" else {}
    return {"provider": "openai", "base_url": f"{url}/v1", "api_key": "sk-upstream", **native}


async def start(stack: AsyncExitStack, settings: Settings) -> tuple[Gateway, AsyncOpenAI, AsyncAnthropic]:
    gateway = await stack.enter_async_context(Gateway(settings))
    openai = AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="sk-client", max_retries=0, timeout=20)
    anthropic = AsyncAnthropic(base_url=gateway.url, api_key="sk-client", max_retries=0, timeout=20)
    stack.push_async_callback(openai.close)
    stack.push_async_callback(anthropic.close)
    return gateway, openai, anthropic


async def lay(stack: AsyncExitStack, name: str, folder: Path, mock: dict[str, Any]) -> Road:
    """Start what the road needs; ``mock`` are the options of the model at its end."""
    end = {MODEL: [{"provider": "mock", "mock": mock}]}
    if name != "mock":
        upstream = await stack.enter_async_context(Gateway(settings_for(folder / "upstream", end)))
        end = {MODEL: [deployment(name, upstream.url)]}
    return Road(name, *await start(stack, settings_for(folder / "front", end)))


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as entered:
        yield entered


@pytest.fixture(params=("mock", "fast", "chat", "messages"))
async def road(request: pytest.FixtureRequest, stack: AsyncExitStack, tmp_path: Path) -> Road:
    return await lay(stack, request.param, tmp_path, {})


@pytest.fixture
def front(stack: AsyncExitStack, tmp_path: Path) -> Callable[..., Any]:
    """``await front({"provider": …}, server={…})``: one gateway whose only deployment is the one given."""

    async def start_front(found: dict[str, Any], **sections: dict[str, Any]) -> Road:
        settings = settings_for(tmp_path / "front", {MODEL: [found]}, **sections)
        return Road("front", *await start(stack, settings))

    return start_front
