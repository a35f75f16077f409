"""The providers under contract: how each is configured, and the fake upstream it is run against."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmops.app import Stack

from ..fakes.anthropic import FakeAnthropic
from ..fakes.gateway import settings_for
from ..fakes.gemini import FakeGemini
from ..fakes.openai import FakeAzure, FakeCompatible, FakeDatedAzure, FakeOpenAI
from ..fakes.upstream import Upstream
from ..fakes.wires import FakeProvider


@dataclass(frozen=True)
class Provider:
    """One way to configure a provider. ``native`` are the conversational dialects that pass through."""

    name: str
    fake: type[FakeProvider]
    deployment: dict[str, Any]
    path: str = ""
    native: tuple[str, ...] = ()

    def deployment_at(self, url: str) -> dict[str, Any]:
        secret = {"api_key": self.fake.secret} if self.fake.secret else {}
        return {**self.deployment, "base_url": url + self.path, "model": "upstream-model", **secret}


_BOTH = ("chat", "responses")
PROVIDERS = (
    Provider("openai", FakeOpenAI, {"provider": "openai", "preset": "openai"}, "/v1", _BOTH),
    Provider("compatible", FakeCompatible, {"provider": "openai", "preset": "ollama"}, "/v1", ("chat",)),
    Provider("azure", FakeAzure, {"provider": "azure"}, "", _BOTH),
    Provider("azure-dated", FakeDatedAzure, {"provider": "azure", "api_version": "2025-04-01-preview"}, "", _BOTH),
    Provider("anthropic", FakeAnthropic, {"provider": "anthropic"}, "", ("messages",)),
    Provider("gemini", FakeGemini, {"provider": "gemini"}),
)


@dataclass
class Bench:
    """A provider's stack and the upstream behind it."""

    provider: Provider
    stack: Stack
    fake: FakeProvider
    upstream: Upstream


@asynccontextmanager
async def bench(provider: Provider, log_dir: Path, **sections: Any) -> AsyncIterator[Bench]:
    """The pipeline in-process, with the model ``m`` at a fresh fake upstream."""
    fake = provider.fake()
    async with Upstream(fake) as upstream:
        settings = settings_for(log_dir, {"m": [provider.deployment_at(upstream.url)]}, **sections)
        async with Stack(settings, seed=1) as stack:
            yield Bench(provider, stack, fake, upstream)
