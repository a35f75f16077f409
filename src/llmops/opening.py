"""From settings to the parts of a pipeline: what is opened, and the numbers that rules go by.

Part of the composition root (`app.py`): here are the stores and the keys, in `deployments` the providers. Opening
connects to nothing; what is of no use is a `ConfigError`. Libraries that only Redis or tokens need are imported where
they are configured.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from .caching.cache import CacheRules
from .clock import Clock, SystemClock
from .errors import ConfigError, InvalidRequest
from .identity.directory import IdentityDirectory
from .identity.keyring import Keyring
from .identity.secret import load_pepper
from .prompts.hot import HotPrompts
from .prompts.prompt import PRODUCTION, Selector, selector_of
from .prompts.render import Caps
from .prompts.sandboxed import JinjaRenderer
from .resilience.fleet import Fleet, Rules
from .resilience.probe import ProbeRules
from .resilience.rules import BreakerRules, OverloadRules, PoolRules, RetryRules
from .resilience.sharing import Sharing
from .rule_settings import LimitRuleSettings
from .settings import Settings
from .spend.rule import Rule, rules_of
from .store.answers.local import LocalAnswers
from .store.database import Database
from .telemetry.hash_key import load_hash_key
from .telemetry.log_file import LogFile
from .telemetry.metrics import Metrics
from .telemetry.redaction import Redactor
from .telemetry.request_log import RequestLog

if TYPE_CHECKING:
    from .identity.jwt import TokenVerifier
    from .store.answers.redis import RedisAnswers
    from .store.counters.redis import RedisCounters

LOG_NAME = "gateway.jsonl"
PER_TENANT = "resilience.pools.per_tenant"
_LEASE_RESERVE_S = 60.0
_LEAST_KEPT_S = 3600.0


def open_identity(settings: Settings, clock: Clock | None = None) -> IdentityDirectory:
    """The tenants and keys of these settings' database, which is not read or made before it is asked for.

    The pepper lies beside an embedded database, since one is worth nothing without the other.
    """
    database = Database(settings.database.url)
    return IdentityDirectory(
        database,
        open_pepper(settings, database.folder),
        clock or SystemClock(),
        refresh_s=settings.auth.refresh_seconds,
        may_open=not settings.auth.jwt,
    )


def has_database(settings: Settings) -> bool:
    """Whether there may be something to read; makes nothing."""
    database = Database(settings.database.url)
    try:
        return database.exists
    finally:
        database.close()


def open_pepper(settings: Settings, folder: Path | None) -> bytes:
    try:
        return load_pepper(folder or settings.log.dir.parent)
    except (OSError, ValueError) as exc:
        raise ConfigError([f"the pepper of the API keys cannot be used: {exc}"]) from exc


def open_tokens(settings: Settings, keyring: Keyring, clock: Clock | None = None) -> "TokenVerifier | None":
    """What judges tokens; None where no issuer is configured, and then its libraries are not imported either.

    `ConfigError` for an issuer's file that is of no use; nothing is fetched before the start.
    """
    if not settings.auth.jwt:
        return None
    from .identity.jwt import TokenVerifier, load_sources

    return TokenVerifier(load_sources(settings.auth.jwt, clock or SystemClock()), keyring)


def build_rules(settings: Settings) -> list[Rule]:
    """The limits and budgets of the configuration; `ConfigError` for two of the same name."""
    everybody = [
        LimitRuleSettings.model_validate({name: bound})
        for name in ("requests_per_second", "tokens_per_minute")
        if (bound := getattr(settings.limits, name)) is not None
    ]
    places = settings.resilience.pools.per_tenant if settings.resilience.enabled else None
    if places is not None:
        everybody.append(LimitRuleSettings(name=PER_TENANT, per=["tenant"], concurrent_calls=places))
    return rules_of([*everybody, *settings.limits.rules], settings.budgets)


def resilience_rules(settings: Settings) -> Rules:
    """The numbers behind retries, breakers and pools."""
    section = settings.resilience
    retries = msgspec.convert(section.retries.model_dump(), RetryRules)
    return Rules(
        retries=msgspec.structs.replace(retries, max_attempts=settings.llm.max_retries + 1),
        breaker=msgspec.convert(section.breaker.model_dump(), BreakerRules),
        pools=msgspec.convert(section.pools.model_dump(), PoolRules),
    )


def probe_rules(settings: Settings) -> ProbeRules:
    """How often deployments that are out are asked; `ConfigError` where a worker would have no probe."""
    section, workers = settings.resilience.probes, settings.server.workers
    if section.enabled and section.per_hour < workers:
        raise ConfigError(
            [f"resilience.probes.per_hour: {section.per_hour}: each of {workers} workers needs one at least"]
        )
    return ProbeRules(
        enabled=section.enabled and settings.resilience.enabled,
        per_hour=section.per_hour // workers,
        timeout_s=section.timeout_seconds,
    )


def overload_rules(settings: Settings) -> OverloadRules:
    """The numbers behind shedding."""
    return msgspec.convert(settings.resilience.overload.model_dump(), OverloadRules)


def cache_rules(settings: Settings) -> CacheRules:
    """How long answers are given out, and how large they may be."""
    section = settings.cache
    return CacheRules(
        ttl_s=section.ttl_seconds, stale_s=section.stale_seconds, max_entry_bytes=section.max_entry_kilobytes * 1000
    )


def redactor_of(settings: Settings) -> Redactor:
    """What is taken out of kept texts."""
    section = settings.traces.capture
    return Redactor(section.redact, known=section.redact_known, max_chars=section.max_kilobytes * 1000)


def open_sandbox(settings: Settings) -> JinjaRenderer:
    """Where Jinja templates are rendered; no process is started before one is."""
    return JinjaRenderer(limit_s=settings.prompts.jinja_seconds)


def open_prompts(settings: Settings, clock: Clock, database: Database, sandbox: JinjaRenderer) -> HotPrompts:
    return HotPrompts(database, clock, sandbox=sandbox, period_s=settings.auth.refresh_seconds)


def prompt_selector(settings: Settings) -> Selector:
    """What is meant where a request names a prompt and no version. `PROMPT_VERSION` may be any text; one that is
    neither a number nor a label is only stamped."""
    try:
        return selector_of(settings.prompts.version or PRODUCTION)
    except InvalidRequest:
        return Selector(label=PRODUCTION)


def prompt_fallback(settings: Settings) -> Selector | None:
    return selector_of(settings.prompts.fallback) if settings.prompts.fallback is not None else None


def prompt_caps(settings: Settings) -> Caps:
    return Caps(settings.prompts.max_value_characters, settings.prompts.max_rendered_characters)


def open_local_answers(settings: Settings, clock: Clock) -> LocalAnswers:
    return LocalAnswers(settings.cache.max_entries, settings.cache.max_megabytes * 1_000_000, clock.now_s)


def open_shared_answers(settings: Settings, clock: Clock) -> "RedisAnswers | None":
    """Answers in Redis where there is one; without, its library is not imported either."""
    if settings.redis.url is None:
        return None
    from .store.answers.redis import RedisAnswers

    return RedisAnswers(settings.redis, now_s=clock.now_s, monotonic_s=clock.monotonic_s)


def open_shared_counters(settings: Settings, clock: Clock) -> "RedisCounters | None":
    """Counters in Redis where there is one; without, its library is not imported either."""
    if settings.redis.url is None:
        return None
    from .store.counters.redis import RedisCounters

    longest_s = max(
        settings.llm.timeout_seconds,
        *(each.timeout_seconds or 0 for model in settings.models.values() for each in model.deployments),
        0,
    )
    return RedisCounters(
        settings.redis,
        lease_s=longest_s + settings.limits.queue.max_wait_seconds + _LEASE_RESERVE_S,
        now_s=clock.now_s,
        monotonic_s=clock.monotonic_s,
        processes=settings.server.workers,
    )


def open_sharing(settings: Settings, fleet: Fleet, clock: Clock) -> Sharing | None:
    """What tells other processes of these breakers, where there is a Redis to meet at."""
    if settings.redis.url is None:
        return None
    from .store.breaker_board import BreakerBoard

    rules = resilience_rules(settings).breaker
    longest_s = max(rules.max_ejection_s * (1 + rules.ejection_jitter), rules.credential_probe_s, rules.max_cooldown_s)
    board = BreakerBoard(settings.redis, keep_s=max(_LEAST_KEPT_S, 2 * longest_s))
    return Sharing(fleet, board, clock.monotonic_s)


def open_log(settings: Settings) -> LogFile:
    """The request log's file; nothing is opened before the first line is appended."""
    log = settings.log
    return LogFile(
        log.dir / LOG_NAME, rotate_bytes=log.rotate_megabytes * 1_000_000, rotate_age_s=log.rotate_hours * 3600
    )


def open_request_log(settings: Settings, clock: Clock, metrics: Metrics) -> RequestLog:
    log = settings.log
    file = open_log(settings)
    try:
        hash_key = load_hash_key(log.dir)
    except OSError as exc:
        raise ConfigError([f"log.dir: {str(log.dir)!r}: cannot be used: {exc}"]) from exc
    return RequestLog(
        file,
        clock=clock,
        hash_key=hash_key,
        capture=log.capture_messages,
        redactor=redactor_of(settings),
        flush_interval_s=log.flush_milliseconds / 1000,
        on_batch=metrics.observe,
    )
