"""Routing: from the public model name to the deployment that takes the call.

A model's deployments are ordered (the first takes all) or weighted (each takes its share). Which deployment is next
after a failure is the resilience policy's question, not this one's.
"""

import random
from collections.abc import Awaitable, Iterable
from itertools import accumulate
from typing import Literal

import msgspec

from ..errors import UnknownModel
from ..name_pattern import name_matcher
from ..resilience.resort import Resort
from ..types import Call, Deployment, Handler, Policy, Reply

Strategy = Literal["ordered", "weighted", "least_busy", "lowest_latency", "cheapest"]


class Model(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A public name, or a pattern with ``*``, and where its calls go."""

    name: str
    strategy: Strategy = "ordered"
    deployments: tuple[Deployment, ...]
    generation: bytes = b""
    """Changes with what stands behind the name: other deployments may answer otherwise."""
    last_resorts: tuple[Resort, ...] = ()

    def choose(self, luck: float) -> Deployment:
        """The deployment for a call; ``luck`` is uniform in [0, 1)."""
        if self.strategy == "ordered" or len(self.deployments) == 1:
            return self.deployments[0]
        bounds = list(accumulate(deployment.weight for deployment in self.deployments))
        point = luck * bounds[-1]
        return next(deployment for deployment, bound in zip(self.deployments, bounds, strict=True) if point < bound)


class ModelTable:
    """The configured models. An exact name wins over patterns; among patterns the longest wins."""

    def __init__(self, models: Iterable[Model]) -> None:
        self.models = tuple(models)
        self.deployments = {each.name: each for model in self.models for each in model.deployments}
        self._exact = {model.name: model for model in self.models if "*" not in model.name}
        patterns = sorted((model for model in self.models if "*" in model.name), key=lambda model: -len(model.name))
        self._patterns = [(name_matcher(model.name), model) for model in patterns]

    def find(self, name: str) -> Model:
        """The model of that name; `UnknownModel`, which lists the names there are, otherwise."""
        found = self._exact.get(name)
        if found is not None:
            return found
        for pattern, model in self._patterns:
            if pattern.fullmatch(name):
                return model
        names = ", ".join(sorted(model.name for model in self.models)) or "none"
        raise UnknownModel(f"the model {name[:100]!r} does not exist here; configured: {names}", param="model")


def routing(table: ModelTable, luck: random.Random) -> Policy:
    """Set ``call.model`` and ``call.deployment``, and count the attempt."""

    def policy(handle: Handler) -> Handler:
        def routed(call: Call) -> Awaitable[Reply]:
            model = table.find(call.view.model)
            call.model = model.name
            call.deployment = model.choose(luck.random())
            call.attempts += 1
            return handle(call)

        return routed

    return policy


def provider_call(call: Call) -> Awaitable[Reply]:
    """The innermost handler: ask the chosen deployment's provider."""
    assert call.deployment is not None
    return call.deployment.provider.send(call)
