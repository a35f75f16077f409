"""Deployments for tests of prices, built from settings as the gateway builds its own."""

from typing import Any

from llmops.clock import ManualClock
from llmops.deployments import build_models
from llmops.providers.transport import Transport
from llmops.settings import Settings
from llmops.types import Deployment


def deployment(public: str = "*", /, **wanted: Any) -> Deployment:
    """The deployment that ``models: {public: [wanted]}`` describes."""
    if wanted.get("provider") != "mock":
        wanted.setdefault("api_key", "sk-test")
    settings = Settings.model_validate({"models": {public: [wanted]}})
    models = build_models(settings, ManualClock(), Transport())
    return next(model for model in models if model.name == public).deployments[0]
