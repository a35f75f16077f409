"""A model over deployments that fail as they are told, behind the policy of resilience."""

import random
from typing import Any

from llmops.clock import SystemClock
from llmops.errors import LLMOpsError, UpstreamBroken
from llmops.policies.resilience import resilience
from llmops.policies.routing import Model, ModelTable
from llmops.resilience.fleet import Fleet, Rules
from llmops.resilience.rules import RetryRules
from llmops.types import Call, Deployment, Outcome, Reply, RequestView

CLOCK = SystemClock()


class Place:
    """A provider that gives its answers in turn, the last one for ever."""

    name = "fake"

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.limits: list[float | None] = []

    async def send(self, call: Call) -> Reply:
        self.asked += 1
        self.limits.append(call.timeouts.total_s if call.timeouts is not None else None)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        if callable(answer):
            await answer()
        return Reply(body=b"{}", outcome=Outcome(first_content_s=CLOCK.monotonic_s()))


class House:
    """A model ``m`` over places."""

    def __init__(self, *places: Place, strategy: Any = "ordered", **rules: Any) -> None:
        self.places = places
        deployments = tuple(
            Deployment(name=f"d{number}", provider=place, model=None) for number, place in enumerate(places)
        )
        self.table = ModelTable([Model(name="m", strategy=strategy, deployments=deployments)])
        self.fleet = Fleet()
        retries = RetryRules(**{"backoff_s": 0.001, "throttled_backoff_s": 0.001, **rules})
        self.fleet.set_out(self.table.models, Rules(retries=retries), CLOCK.monotonic_s())

        async def ask(call: Call) -> Reply:
            assert call.deployment is not None
            return await call.deployment.provider.send(call)

        self.handle = resilience(self.table, self.fleet, CLOCK, random.Random(1), 600.0)(ask)

    async def call(
        self, *, user: str | None = None, cache_key: str | None = None, **fields: Any
    ) -> tuple[Call, Reply | LLMOpsError]:
        call = Call(
            operation="chat",
            body=b"{}",
            view=RequestView(model="m", user=user, cache_key=cache_key),
            request_id="req_1",
            trace_id="0" * 32,
            span_id="0" * 16,
            started_at_s=CLOCK.now_s(),
            started_s=CLOCK.monotonic_s(),
            **fields,
        )
        try:
            return call, await self.handle(call)
        except LLMOpsError as error:
            return call, error

    @property
    def asked(self) -> list[int]:
        return [place.asked for place in self.places]

    @property
    def under_way(self) -> int:
        return sum(shown["calls_under_way"] for shown in self.fleet.shown(CLOCK.monotonic_s()))


def broken() -> UpstreamBroken:
    return UpstreamBroken("garbage")
