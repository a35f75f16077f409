"""The health of deployments and models at one moment, as numbers that add up over processes.

Counters add. So do places, calls under way and credits, since each process has its own. Of breakers the worst state
counts: a deployment that one worker leaves alone needs somebody's attention. What the states mean is `resilience`'s
business; names come from the configuration, so there is a bounded number of each.
"""

import msgspec

STATES = ("closed", "cooling", "half_open", "open", "dead")
"""Of a breaker, from the best to the worst."""


class DeploymentHealth(msgspec.Struct, kw_only=True):
    """``attempts`` by outcome and ``changes`` by kind, both since the start; ``cut``: streams that broke on the way."""

    attempts: dict[str, int] = {}
    cut: int = 0
    changes: dict[str, int] = {}
    state: str = "closed"
    calls: int = 0
    places: int = 0

    def add(self, other: "DeploymentHealth") -> None:
        _add(self.attempts, other.attempts)
        _add(self.changes, other.changes)
        self.cut += other.cut
        self.calls += other.calls
        self.places += other.places
        self.state = max(self.state, other.state, key=STATES.index)


class ModelHealth(msgspec.Struct, kw_only=True):
    """``retries`` where the call had failed and ``failovers`` elsewhere since the start; ``credits`` for more now."""

    retries: int = 0
    failovers: int = 0
    credits: float = 0.0

    def add(self, other: "ModelHealth") -> None:
        self.retries += other.retries
        self.failovers += other.failovers
        self.credits += other.credits


class Health(msgspec.Struct, kw_only=True):
    """Of all deployments and models, by name."""

    deployments: dict[str, DeploymentHealth] = {}
    models: dict[str, ModelHealth] = {}

    def add(self, other: "Health") -> None:
        for name, deployment in other.deployments.items():
            self.deployments.setdefault(name, DeploymentHealth()).add(deployment)
        for name, model in other.models.items():
            self.models.setdefault(name, ModelHealth()).add(model)

    def rest(self) -> None:
        """Of a process that has ended: its counters stay, its load and its opinions are gone."""
        for deployment in self.deployments.values():
            deployment.state, deployment.calls, deployment.places = STATES[0], 0, 0
        for model in self.models.values():
            model.credits = 0.0


def _add(counts: dict[str, int], others: dict[str, int]) -> None:
    for name, count in others.items():
        counts[name] = counts.get(name, 0) + count
