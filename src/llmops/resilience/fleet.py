"""All deployments of this process with their health, and for each model the order in which they are asked.

Health outlives a reload for a deployment that stays what it is; a credential that was refused is tried again after one.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import msgspec

from ..types import Deployment
from .announcement import announce
from .balancer import Balancer, Strategy
from .breaker import Breaker
from .candidate import Candidate
from .pool import AdaptivePool
from .retry_budget import RetryBudget
from .rules import BreakerRules, PoolRules, RetryRules
from .tally import AttemptTally, LaneTally

_FIRST_WAIT_S = 1.0


class Model(Protocol):
    """A public name and where its calls may go."""

    @property
    def name(self) -> str: ...
    @property
    def strategy(self) -> Strategy: ...
    @property
    def deployments(self) -> Sequence[Deployment]: ...


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers behind all decisions."""

    retries: RetryRules = RetryRules()
    breaker: BreakerRules = BreakerRules()
    pools: PoolRules = PoolRules()


class Lane(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One model: its deployments by name, their order for a call, and what it may spend on retries."""

    deployments: dict[str, Deployment]
    candidates: dict[str, Candidate]
    balancer: Balancer
    budget: RetryBudget
    tally: LaneTally


class Fleet:
    """``lanes`` are exchanged as a whole by `set_out`; a call goes on with the one that it began with."""

    def __init__(self) -> None:
        self.rules = Rules()
        self.first_rules = _for_the_first(self.rules)
        self.lanes: dict[str, Lane] = {}
        self._known: dict[tuple[str, str, str, str], Candidate] = {}
        self._tallies: dict[str, AttemptTally] = {}
        self.shared = False
        """Whether other processes know of what happens here, and the other way round."""

    @property
    def candidates(self) -> list[Candidate]:
        """Every deployment, whichever models have it."""
        return list(self._known.values())

    def by_identity(self) -> dict[str, Candidate]:
        """The same by what processes that share their health call them: name and fingerprint."""
        return {f"{name}|{fingerprint}": candidate for (name, _, _, fingerprint), candidate in self._known.items()}

    def set_out(
        self,
        models: Iterable[Model],
        rules: Rules,
        now_s: float,
        price_of: Callable[[Deployment], float | None] = lambda _: None,
    ) -> None:
        """Take these models and rules from now on. ``price_of`` is asked where the cheapest deployment is wanted."""
        known: dict[tuple[str, str, str, str], Candidate] = {}
        lanes: dict[str, Lane] = {}
        for model in models:
            candidates = {}
            for deployment in model.deployments:
                identity = (deployment.name, deployment.provider.name, deployment.base_url, deployment.fingerprint)
                candidate = known.get(identity) or self._candidate(deployment, self._known.get(identity), rules, now_s)
                candidate.tally = self._tallies.setdefault(deployment.name, candidate.tally)
                candidate.on_change = announce
                if model.strategy == "cheapest":
                    candidate.price = price_of(deployment)
                known[identity] = candidates[deployment.name] = candidate
            before = self.lanes.get(model.name)
            lanes[model.name] = Lane(
                deployments={deployment.name: deployment for deployment in model.deployments},
                candidates=candidates,
                balancer=Balancer(list(candidates.values()), model.strategy),
                budget=before.budget if before and rules == self.rules else RetryBudget(rules.retries, now_s),
                tally=before.tally if before else LaneTally(),
            )
        self.rules, self.lanes, self._known = rules, lanes, known
        self.first_rules = _for_the_first(rules)

    def shown(self, now_s: float) -> list[dict[str, Any]]:
        """Every deployment as an operator sees it."""
        return [
            {
                "name": candidate.name,
                "provider": provider,
                "base_url": base_url,
                "models": sorted(name for name, lane in self.lanes.items() if candidate.name in lane.candidates),
                "breaker": msgspec.to_builtins(candidate.breaker.view(now_s)),
                "calls_under_way": candidate.pool.in_use,
                "places": int(candidate.pool.size),
                "shared": self.shared,
                "ttft_ms": round(candidate.latency.cost_s(now_s) * 1000, 3),
            }
            for (_, provider, base_url, _), candidate in self._known.items()
        ]

    def problems(self, now_s: float) -> list[str]:
        """What somebody has to do something about."""
        views = [(candidate.name, candidate.breaker.view(now_s)) for candidate in self._known.values()]
        return [f"the deployment {name!r} is of no use: {view.reason}" for name, view in views if view.alert]

    def _candidate(self, deployment: Deployment, known: Candidate | None, rules: Rules, now_s: float) -> Candidate:
        before = known if rules == self.rules else None
        breaker = before.breaker if before is not None else Breaker(rules.breaker, now_s)
        if known is not None and known.breaker.state.phase == "dead":
            breaker.pardon(now_s)  # and no mere forgetting, or those who share it would say the same again
        candidate = Candidate(
            deployment.name,
            breaker,
            before.pool if before is not None else AdaptivePool(rules.pools),
            weight=deployment.weight,
            rank=deployment.rank,
        )
        if before is not None:
            candidate.latency = before.latency
        return candidate


def _for_the_first(rules: Rules) -> RetryRules:
    """The rules for a first attempt: where everything cools down for long, a call is told so instead of piling up."""
    return msgspec.structs.replace(rules.retries, max_wait_s=min(_FIRST_WAIT_S, rules.retries.max_wait_s))
