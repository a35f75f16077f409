"""Is the configuration usable, is all of it in effect, and has every deployment its credential?"""

from pathlib import Path

from ...app import check
from ...config import default_file, load_settings
from ...errors import ConfigError
from ...policies.routing import Model
from ...resilience.resort import Stale
from ...settings import Settings
from .finding import Finding


def check_configuration(file: Path | None) -> tuple[Settings | None, list[Model], list[Finding]]:
    """The settings and models, as far as they can be had, and what there is to say about them."""
    source = file or default_file()
    try:
        settings = load_settings(source)
    except ConfigError as exc:
        return (
            None,
            [],
            [
                Finding(
                    "error",
                    "configuration",
                    problem,
                    "correct it; `llmops config check FILE` tells whether it is right",
                )
                for problem in exc.problems
            ],
        )
    findings = [
        Finding("ok", "configuration", f"read from {source}" if source else "no file: defaults and environment")
    ]
    try:
        models = check(settings)
    except ConfigError as exc:
        advice = "set the variable, or describe the deployment otherwise: docs/how-to/connect-providers.md"
        return settings, [], findings + [Finding("error", "deployment", problem, advice) for problem in exc.problems]
    findings += [
        Finding("ok", f"deployment {deployment.name}", _credential(deployment.provider.name, deployment.has_secret))
        for model in models
        for deployment in model.deployments
    ]
    return settings, models, [*findings, *_useless_resorts(settings, models)]


def _useless_resorts(settings: Settings, models: list[Model]) -> list[Finding]:
    """Last resorts that can never answer."""
    cache = settings.cache
    if cache.enabled and cache.stale_seconds > 0:
        return []
    key = "cache.stale_seconds" if cache.enabled else "cache.enabled"
    return [
        Finding(
            "warning",
            f"model {model.name}",
            f"its last resort `stale` never has an answer, because of {key}",
            "switch the cache on, and give cache.stale_seconds a value" if not cache.enabled else f"give {key} a value",
        )
        for model in models
        if Stale() in model.last_resorts
    ]


def _credential(provider: str, has_secret: bool) -> str:
    if provider == "mock":
        return "mock provider: no credential and no network needed"
    return f"{provider}: a credential is set" if has_secret else f"{provider}: called without a credential"
