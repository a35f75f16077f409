"""The shape of the configuration: every section, key, default and bound, as checked values.

The reference table in ``docs/reference/settings.md`` is generated from these descriptions.
"""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from .alert_settings import AlertSettings
from .cache_settings import CacheSettings
from .eval_settings import EvalSettings
from .export_settings import ExportSettings
from .history_settings import HistorySettings
from .jwt_settings import JwtIssuerSettings
from .last_resort_settings import LastResortSettings
from .price_settings import PriceSettings
from .prompt_settings import PromptSettings
from .redis_settings import RedisSettings
from .resilience_settings import ResilienceSettings, StrategyName
from .rule_settings import BudgetSettings, LimitRuleSettings
from .slo_settings import SLOSettings
from .trace_settings import TraceSettings

ProviderName = Literal["mock", "openai", "azure", "anthropic", "gemini"]
PresetName = Literal["openai", "vllm", "ollama", "tgi", "llamacpp", "openrouter", "groq", "mistral", "deepseek"]
_PASSWORD = re.compile(r"(://[^:/@]*:|[?&](?:ssl)?password=)(?:(?<=:)[^@]*(?=@)|(?<==)[^&]*)")
OperationName = Literal["chat", "responses", "messages", "count_tokens", "embeddings"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(_Section):
    """The HTTP server and what it accepts."""

    host: str = Field("127.0.0.1", description="Address to bind. Any but loopback needs an administrator's key.")
    port: int = Field(8000, ge=1, le=65535, description="Port to bind.")
    workers: int = Field(1, ge=1, le=256, description="Processes that share the port.")
    body_limit_bytes: int = Field(10_000_000, ge=1024, le=1_000_000_000, description="Largest request body.")
    header_limit_bytes: int = Field(16_384, ge=1024, le=65_536, description="Largest single request header.")
    nesting_limit: int = Field(64, ge=8, le=500, description="Deepest nesting of a request's JSON.")
    trusted_proxies: list[str] = Field(
        ["127.0.0.0/8", "::1/128"],
        max_length=100,
        description="Networks whose X-Forwarded-For is believed: the proxies in front of the gateway.",
    )
    drain_seconds: float = Field(30.0, ge=0, le=3600, description="Time for calls under way after SIGTERM.")
    drain_delay_seconds: float = Field(
        1.0,
        ge=0,
        le=300,
        description="After SIGTERM, how long new calls are still "
        "taken while /ready already says 503, so that a load balancer can turn away.",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        for each in value:
            try:
                ip_network(each, strict=False)
            except ValueError as exc:
                raise ValueError(f"{each!r} is not an address or network such as 10.0.0.0/8") from exc
        return value


class LLMSettings(_Section):
    """The model that is there without a `models` table, and the limits of every upstream call."""

    provider: ProviderName = Field("mock", description="Provider of the default model.")
    model: str = Field("mock", min_length=1, max_length=200, description="The default model's name.")
    openai_base_url: str | None = Field(
        None, description="Base URL for the provider `openai` where a deployment names none."
    )
    timeout_seconds: float = Field(120.0, gt=0, le=3600, description="A call's total time.")
    connect_timeout_seconds: float = Field(5.0, gt=0, le=120, description="Time to connect to an upstream.")
    first_byte_timeout_seconds: float = Field(60.0, gt=0, le=3600, description="Time until an upstream answers.")
    idle_timeout_seconds: float = Field(30.0, gt=0, le=3600, description="Longest silence inside an upstream's answer.")
    max_retries: int = Field(
        2, ge=0, le=10, description="Further attempts of a call that failed before its first content."
    )
    json_repair_attempts: int = Field(
        0, ge=0, le=5, description="How often an answer that breaks its JSON contract is asked for again."
    )


class QueueSettings(_Section):
    """A waiting room for calls over a rate or a number of concurrent calls, instead of an immediate 429."""

    max_wait_seconds: float = Field(0.0, ge=0, le=300, description="Longest wait; 0: no queue.")
    max_waiting: int = Field(1000, ge=1, le=100_000, description="Calls that may wait; beyond, the least urgent goes.")


class LimitSettings(_Section):
    """Limits: two for all callers together, and rules for parts of them."""

    requests_per_second: float | None = Field(
        None, ge=0.001, le=1_000_000, description="Calls of all callers together."
    )
    tokens_per_minute: int | None = Field(
        None, ge=1, le=100_000_000, description="Tokens of all callers together, in and out."
    )
    rules: list[LimitRuleSettings] = Field([], max_length=1000, description="More limits; a call must fit into all.")
    assumed_output_tokens: int = Field(
        1000, ge=1, le=1_000_000, description="Output reserved for a model whose answers are not known yet."
    )
    queue: QueueSettings = QueueSettings()


class LedgerSettings(_Section):
    """The ledger of reservations and settlements."""

    enabled: bool = Field(
        True, description="Write a reservation before each call. Off: a crash loses what calls under way cost."
    )
    when_unwritable: Literal["serve", "refuse"] = Field(
        "serve", description="When a reservation cannot be written (full disk): carry calls on, or refuse them (503)."
    )


class DatabaseSettings(_Section):
    """Where control data is kept."""

    url: str = Field(
        "sqlite:///runs/llmops.db", min_length=1, description="SQLite (made on the first write) or PostgreSQL."
    )


class AuthSettings(_Section):
    """Who may call. While there is no key at all, this machine may, and no other."""

    rotation_grace_seconds: float = Field(
        3600.0, ge=0, le=30 * 86400, description="How long the old secret of a rotated key still works."
    )
    refresh_seconds: float = Field(
        0.5, ge=0.05, le=1, description="How often keys are looked up anew: a revocation takes this long at most."
    )
    jwt: list[JwtIssuerSettings] = Field(
        [], max_length=100, description="Issuers whose tokens are accepted; with one, everybody needs a token or a key."
    )

    @field_validator("jwt")
    @classmethod
    def _distinct(cls, value: list[JwtIssuerSettings]) -> list[JwtIssuerSettings]:
        for field in ("name", "issuer"):
            seen = [getattr(entry, field) for entry in value]
            if len(set(seen)) != len(seen):
                raise ValueError(f"two issuers have the same {field}")
        return value


class LogSettings(_Section):
    """The request log."""

    dir: Path = Field(Path("runs/logs"), description="Folder of `gateway.jsonl`.")
    rotate_megabytes: int = Field(256, ge=1, le=100_000, description="Size at which a new file is begun.")
    rotate_hours: float = Field(24.0, gt=0, le=8760, description="Age at which a new file is begun.")
    flush_milliseconds: int = Field(100, ge=1, le=1000, description="Longest time that a record waits in memory.")
    capture_messages: bool = Field(
        False, description="Keep the texts of all calls: `traces.capture.share: 1` for every tenant, listed or not."
    )


class MockSettings(_Section):
    """How the mock provider behaves."""

    seed: int = Field(0, description="The same seed and request give the same answer.")
    latency_ms: float = Field(0.0, ge=0, le=600_000, description="Time to the first token.")
    tokens_per_second: float = Field(0.0, ge=0, description="Speed after that; 0: all at once.")
    error_rate: float = Field(0.0, ge=0, le=1, description="Share of calls that fail.")
    reply: str | None = Field(None, description="A fixed text instead of a made-up one.")
    words: int = Field(
        24, ge=1, le=100_000, description="Length of a made-up text whose request does not ask for `about N words`."
    )
    spread: float = Field(
        0.0,
        ge=0,
        le=2,
        description="How much `latency_ms` scatters: the sigma of a log-normal around it; 0: not at all.",
    )


class DeploymentSettings(_Section):
    """One place that a model's calls can go."""

    name: str | None = Field(None, min_length=1, max_length=100, description="Unique; default `<model>/<n>`.")
    provider: ProviderName = Field(description="Which adapter.")
    preset: PresetName | None = Field(None, description="A known OpenAI-compatible server (provider `openai` only).")
    model: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="The model's name at the provider; default: the name the client asked for.",
    )
    base_url: str | None = Field(None, description="Default: the provider's or preset's own.")
    api_key: SecretStr | None = Field(None, description="The credential; better given by `api_key_env`.")
    api_key_env: str | None = Field(None, description="Variable that holds the credential.")
    api_version: str | None = Field(None, pattern=r"^[A-Za-z0-9.-]+$", description="Azure only; default `v1`.")
    headers: dict[str, str] = Field({}, description="More headers for this upstream, e.g. an organisation.")
    operations: list[OperationName] | None = Field(
        None, description="What it offers natively, where that differs from the provider's or preset's own."
    )
    weight: float = Field(1.0, gt=0, le=1_000_000, description="Share of calls under the strategy `weighted`.")
    rank: int = Field(
        0, ge=0, le=100, description="Gets calls only when none of a lower rank is to be had: a last resort."
    )
    timeout_seconds: float | None = Field(None, gt=0, le=3600, description="Default: `llm.timeout_seconds`.")
    price: PriceSettings | None = Field(
        None, description="What its calls cost; wins over `prices` and over the published price."
    )
    mock: MockSettings = Field(MockSettings(), description="Only for the provider `mock`.")

    @field_validator("base_url")
    @classmethod
    def _http_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        if value is not None and not (value.isascii() and value.isprintable() and " " not in value):
            raise ValueError("holds a character that cannot stand in a URL; percent-encode it")
        return value

    @field_validator("headers")
    @classmethod
    def _plain_headers(cls, value: dict[str, str]) -> dict[str, str]:
        for name, content in value.items():
            if not name.replace("-", "").isalnum() or not name.isascii():
                raise ValueError(f"{name!r} is not a header name")
            if not content.isprintable():
                raise ValueError(f"the value of {name!r} holds control characters")
            if not content.isascii():
                raise ValueError(f"the value of {name!r} holds characters outside ASCII, which no header can")
            if name.lower() in ("host", "content-length", "content-type", "transfer-encoding", "connection"):
                raise ValueError(f"{name!r} is the gateway's own")
        return value

    @model_validator(mode="after")
    def _fits_provider(self) -> "DeploymentSettings":
        if self.preset is not None and self.provider != "openai":
            raise ValueError(f"preset {self.preset!r} goes with provider 'openai', not {self.provider!r}")
        if self.api_key is not None and self.api_key_env is not None:
            raise ValueError("give api_key or api_key_env, not both")
        if self.provider == "azure" and self.base_url is None:
            raise ValueError("provider 'azure' needs base_url, e.g. https://<resource>.openai.azure.com")
        return self


class ModelSettings(_Section):
    """A public model name and its deployments."""

    strategy: StrategyName = Field(
        "ordered",
        description="`ordered`: the first that is well takes all; `weighted`: each takes its share; `least_busy`, "
        "`lowest_latency` (time to the first token), `cheapest`.",
    )
    deployments: list[DeploymentSettings] = Field(min_length=1, description="Where calls go.")
    last_resorts: list[LastResortSettings] = Field(
        [],
        max_length=10,
        description="What answers when all deployments have failed, in this order: `stale`, `{model: …}`, "
        "`{template: …}`.",
    )


class Settings(_Section):
    """The whole configuration; immutable once loaded."""

    server: ServerSettings = ServerSettings()
    llm: LLMSettings = LLMSettings()
    models: dict[str, ModelSettings] = Field({}, description="Public model names (or patterns with `*`).")
    prices: dict[str, PriceSettings] = Field(
        {}, description="Prices by public model name (or pattern with `*`); they win over published ones."
    )
    cache: CacheSettings = CacheSettings()
    limits: LimitSettings = LimitSettings()
    budgets: list[BudgetSettings] = Field([], max_length=1000, description="Bounds on money.")
    ledger: LedgerSettings = LedgerSettings()
    resilience: ResilienceSettings = ResilienceSettings()
    prompts: PromptSettings = PromptSettings()
    log: LogSettings = LogSettings()
    traces: TraceSettings = TraceSettings()
    alerts: AlertSettings = AlertSettings()
    evals: EvalSettings = EvalSettings()
    history: HistorySettings = HistorySettings()
    exports: list[ExportSettings] = Field([], max_length=20, description="Other tools that get traces and scores.")
    slos: list[SLOSettings] = Field([], max_length=100, description="Objectives (SLOs), each with an error budget.")
    database: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    auth: AuthSettings = AuthSettings()

    @model_validator(mode="after")
    def _counts_in_one_place(self) -> "Settings":
        if self.server.workers > 1 and self.redis.url is None:
            raise ValueError(
                f"server.workers: {self.server.workers}: several workers would each count limits and budgets by "
                "themselves and let pass that many times as much; give them one Redis to count in "
                "(LLMOPS_REDIS_URL=redis://…), or use one worker"
            )
        return self

    @field_validator("models", mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        """``model: [deployment, …]`` is short for ``model: {deployments: […]}``."""
        if not isinstance(value, dict):
            return value
        return {name: {"deployments": entry} if isinstance(entry, list) else entry for name, entry in value.items()}

    @field_validator("exports")
    @classmethod
    def _distinct_exports(cls, value: list[ExportSettings]) -> list[ExportSettings]:
        names = [each.name for each in value]
        if len(set(names)) != len(names):
            raise ValueError("two exports have the same name")
        return value

    @field_validator("slos")
    @classmethod
    def _named_once(cls, value: list[SLOSettings]) -> list[SLOSettings]:
        names = [each.name for each in value]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two objectives are called {name!r}")
        return value

    @field_validator("prices")
    @classmethod
    def _priced_names(cls, value: dict[str, PriceSettings]) -> dict[str, PriceSettings]:
        for model in value:
            if not model or len(model) > 200 or not model.isprintable():
                raise ValueError(f"{model!r} is not a usable model name")
        return value

    @field_validator("models")
    @classmethod
    def _sound_names(cls, value: dict[str, ModelSettings]) -> dict[str, ModelSettings]:
        names: set[str] = set()
        for model, entry in value.items():
            if not model or len(model) > 200 or not model.isprintable():
                raise ValueError(f"{model!r} is not a usable model name")
            for deployment in entry.deployments:
                if deployment.name is not None and deployment.name in names:
                    raise ValueError(f"two deployments are called {deployment.name!r}")
                names.add(deployment.name or "")
        return value


def masked(settings: Settings) -> dict[str, Any]:
    """The settings as plain data, secrets shown as ``**********``."""
    shown: dict[str, Any] = settings.model_dump(mode="json")
    for model in shown["models"].values():
        for deployment in model["deployments"]:
            deployment["headers"] = {name: "**********" for name in deployment["headers"]}
    for export in shown["exports"]:
        export["headers"] = {name: "**********" for name in export["headers"]}
    shown["database"]["url"] = masked_url(settings.database.url)
    if settings.redis.url is not None:
        shown["redis"]["url"] = masked_url(settings.redis.url)
    return shown


def masked_url(url: str) -> str:
    """A server's address with its password, before the host or in the query, shown as ``**********``."""
    return _PASSWORD.sub(r"\1**********", url)
