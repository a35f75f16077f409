"""Our gateway in front of the proxy, and the SDKs in front of it: three roads to the same models.

``direct``: an OpenAI-compatible upstream with everything native; ``chat``: Chat Completions alone, so that Responses
and Messages are translated; ``anthropic``: the proxy's Messages endpoint. ``alone`` are SDKs that ask the proxy itself:
what it cannot do without us is no failure of the chain.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from tests.fakes.gateway import Gateway, settings_for

from .proxy import KEY, MODELS


@dataclass(frozen=True)
class Chain:
    gateway: Gateway
    openai: AsyncOpenAI
    anthropic: AsyncAnthropic
    openai_alone: AsyncOpenAI
    anthropic_alone: AsyncAnthropic

    async def last_record(self) -> dict[str, Any]:
        return (await self.gateway.records())[-1]


@asynccontextmanager
async def chain_to(proxy_url: str, folder: Path) -> AsyncIterator[Chain]:
    there = {"provider": "openai", "base_url": f"{proxy_url}/v1", "api_key": KEY}
    roads = {
        "direct": there,
        "chat": {**there, "operations": ["chat", "embeddings"]},
        "anthropic": {"provider": "anthropic", "base_url": proxy_url, "api_key": KEY},
    }
    models = {
        f"{road}/{name}": [{**deployment, "model": name}] for road, deployment in roads.items() for name in MODELS
    }
    models["wrong-key"] = [{**there, "api_key": "sk-wrong", "model": "text"}]
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(Gateway(settings_for(folder / "logs", models)))
        clients: list[Any] = []
        for url, key in ((gateway.url, "sk-client"), (proxy_url, KEY)):
            clients.append(AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=30))
            clients.append(AsyncAnthropic(base_url=url, api_key=key, max_retries=0, timeout=30))
        for client in clients:
            stack.push_async_callback(client.close)
        yield Chain(gateway, *clients)
