"""From settings to models and deployments: the one place that names the providers.

Part of the composition root (`app.py`), in a file of its own because it changes for other reasons: a new provider or
preset, not a new policy.
"""

import os
from hashlib import blake2b
from typing import Any

import msgspec

from .clock import Clock
from .dialects.chat import ChatDialect
from .dialects.dialect import UpstreamDialect
from .dialects.gemini import GeminiDialect
from .dialects.messages import MessagesDialect
from .dialects.registry import CONVERSATIONAL, DIALECTS
from .errors import ConfigError
from .last_resort_settings import LastResortSettings
from .policies.routing import Model, ModelTable
from .price_settings import PriceSettings
from .providers.anthropic import AnthropicProvider
from .providers.azure import AzureProvider
from .providers.gemini import GeminiProvider
from .providers.http_provider import HttpProvider
from .providers.mock import MockOptions, MockProvider
from .providers.openai import PRESETS, OpenAIProvider
from .providers.transport import Transport
from .resilience.resort import OtherModel, Resort, Stale, Template, check
from .settings import DeploymentSettings, ModelSettings, Settings
from .spend.price_book import PriceBook
from .types import Deployment, Provider, Rates, Timeouts

_HTTP_PROVIDERS: dict[str, type[HttpProvider]] = {
    "openai": OpenAIProvider,
    "azure": AzureProvider,
    "anthropic": AnthropicProvider,
    "gemini": GeminiProvider,
}
_TARGETS: dict[str, UpstreamDialect] = {"anthropic": MessagesDialect(), "gemini": GeminiDialect()}


def build_models(settings: Settings, clock: Clock, transport: Transport) -> list[Model]:
    """The models that the settings describe; `ConfigError` with every problem. Opens nothing, connects to nothing."""
    problems: list[str] = []
    table = dict(settings.models)
    if settings.llm.model not in table:
        default = DeploymentSettings(provider=settings.llm.provider, name=f"{settings.llm.model}/default")
        if settings.llm.provider != "azure":  # which cannot be called without an address of its own
            table[settings.llm.model] = ModelSettings(deployments=[default])
        elif not table:
            problems.append("llm.provider: 'azure': needs a base_url; describe it under models")
    models = []
    for name, entry in table.items():
        deployments = []
        for number, deployment in enumerate(entry.deployments):
            try:
                deployments.append(_deployment(name, number, deployment, settings, clock, transport))
            except ValueError as exc:
                problems.append(f"models.{name}.deployments.{number}: {exc}")
        model = Model(
            name=name,
            strategy=entry.strategy,
            deployments=tuple(deployments),
            generation=_generation(entry),
            last_resorts=tuple(map(_resort, entry.last_resorts)),
        )
        models.append(model)
    problems += check({model.name: model.last_resorts for model in models}, ModelTable(models).find)
    if problems:
        raise ConfigError(problems)
    return models


def _resort(wanted: LastResortSettings) -> Resort:
    if wanted.model is not None:
        return OtherModel(wanted.model)
    return Template(wanted.template) if wanted.template is not None else Stale()


def _generation(entry: ModelSettings) -> bytes:
    """A digest of what the answers of a model depend on."""
    shaping = {"provider", "preset", "model", "base_url", "api_version", "headers", "mock"}
    behind = [deployment.model_dump(mode="json", include=shaping) for deployment in entry.deployments]
    return blake2b(msgspec.json.encode(behind), digest_size=16).digest()


def build_prices(settings: Settings) -> PriceBook:
    """The prices that the settings give, before the published ones. A reload needs a new book."""
    return PriceBook({name: _rates(price) for name, price in settings.prices.items()})


def _rates(price: PriceSettings) -> Rates:
    return msgspec.convert(price.model_dump(), Rates)


def _deployment(
    model: str, number: int, wanted: DeploymentSettings, settings: Settings, clock: Clock, transport: Transport
) -> Deployment:
    provider: Provider
    if wanted.provider == "mock":
        options = msgspec.convert(wanted.mock.model_dump(), MockOptions)
        provider = MockProvider(
            options, dialects=DIALECTS, conversational=CONVERSATIONAL, monotonic_s=clock.monotonic_s
        )
        base_url, secret = "", None
    else:
        provider, base_url, secret = _http_provider(wanted, settings, clock, transport)
    name = wanted.name or f"{model}/{number}"
    return Deployment(
        name=name,
        provider=provider,
        model=wanted.model or (None if "*" in model else model),
        base_url=base_url,
        has_secret=secret is not None,
        fingerprint=_fingerprint(
            name, provider.name, base_url, secret or "", *map(repr, sorted(wanted.headers.items()))
        ),
        weight=wanted.weight,
        rank=wanted.rank,
        timeouts=_timeouts(wanted, settings),
        rates=_rates(wanted.price) if wanted.price else None,
    )


def _fingerprint(*parts: str) -> str:
    """One way: the secret is among the parts, and the fingerprint leaves the process."""
    return blake2b("\0".join(parts).encode(), digest_size=8, person=b"llmops").hexdigest()


def _timeouts(wanted: DeploymentSettings, settings: Settings) -> Timeouts:
    llm = settings.llm
    return Timeouts(
        connect_s=llm.connect_timeout_seconds,
        first_byte_s=llm.first_byte_timeout_seconds,
        idle_s=llm.idle_timeout_seconds,
        total_s=wanted.timeout_seconds or llm.timeout_seconds,
    )


def _http_provider(
    wanted: DeploymentSettings, settings: Settings, clock: Clock, transport: Transport
) -> tuple[Provider, str, str | None]:
    kind = _HTTP_PROVIDERS[wanted.provider]
    preset = PRESETS[wanted.preset] if wanted.preset else None
    base_url = wanted.base_url or (preset.base_url if preset else None)
    if base_url is None and wanted.provider == "openai":
        base_url = settings.llm.openai_base_url
    secret_env = wanted.api_key_env or (preset.secret_env if preset else kind.secret_env)
    secret = wanted.api_key.get_secret_value() if wanted.api_key else os.environ.get(secret_env or "", "") or None
    official = base_url is None or (preset is not None and wanted.base_url is None and preset.secret_env is not None)
    if secret is None and (official or wanted.api_key_env or wanted.provider in ("azure", "anthropic", "gemini")):
        raise ValueError(f"no credential: set the variable {secret_env}, or name another one in api_key_env")
    if secret is not None and not (secret.isprintable() and secret.isascii()):
        raise ValueError("the credential holds control characters (a line break at its end?) or is not ASCII")
    newer = base_url is None or wanted.provider == "azure"
    chat = ChatDialect(
        preset.max_tokens_field if preset else "max_completion_tokens" if newer else "max_tokens",
        asks_usage=preset.asks_usage if preset else True,
    )
    target = _TARGETS.get(wanted.provider, chat)
    native = frozenset(wanted.operations) if wanted.operations is not None else preset.native if preset else None
    resolved = base_url or kind.default_base_url or ""
    common: dict[str, Any] = {
        "base_url": resolved,
        "secret": secret,
        "transport": transport,
        "dialects": DIALECTS,
        "conversational": CONVERSATIONAL,
        "target": target,
        "monotonic_s": clock.monotonic_s,
        "native": native,
        "extra_headers": wanted.headers,
        "asks_usage": preset.asks_usage if preset else True,
        "timeouts": _timeouts(wanted, settings),
    }
    if wanted.provider == "azure":
        return AzureProvider(api_version=wanted.api_version or "v1", **common), resolved, secret
    return kind(**common), resolved, secret
