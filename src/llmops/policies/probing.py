"""Probing: one attempt at one deployment that is out, to find out whether it is back; its breaker is told.

It stands where resilience stands for everybody's calls. Nothing is repeated and nobody else is asked.
"""

import random

import msgspec

from ..clock import Clock
from ..errors import LLMOpsError, UpstreamUnavailable
from ..resilience.candidate import Candidate
from ..resilience.deadline import Deadline
from ..resilience.failure import FULL, failure_of
from ..types import Call, Deployment, Handler, Policy, Reply

TENANT = "llmops"
"""Who pays for probes."""
TAG = "llmops.probe"


class OneModel(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The model that is found under every name: the one whose deployment is asked."""

    name: str
    deployments: tuple[Deployment, ...]

    def find(self, name: str) -> "OneModel":
        return self


def probe_body(model: str) -> bytes:
    """The smallest call there is. Newer names of the limit are not known everywhere, and there the answer would have
    no end; whoever refuses the old one is well."""
    return msgspec.json.encode({"model": model, "messages": [{"role": "user", "content": "ping"}], "max_tokens": 1})


def probing(
    deployment: Deployment, candidate: Candidate, clock: Clock, luck: random.Random, timeout_s: float
) -> Policy:
    """Set ``call.deployment``, make the one attempt and tell the breaker how it went; raises its error."""

    def policy(handle: Handler) -> Handler:
        async def probed(call: Call) -> Reply:
            began_s = clock.monotonic_s()
            ticket = candidate.begin(began_s)
            if not ticket:
                raise UpstreamUnavailable(FULL.message)
            call.deployment, call.attempts, call.attempted_s = deployment, 1, began_s
            call.timeouts = Deadline.after(began_s, timeout_s).limits(deployment.timeouts, began_s)
            try:
                reply = await handle(call)
            except LLMOpsError as error:
                # Its time-out is the deployment's fault: the patience was ours, and there was enough of it.
                now_s = clock.monotonic_s()
                candidate.fail(ticket, failure_of(error), began_s=began_s, now_s=now_s, luck=luck.random())
                raise
            except BaseException:
                candidate.abandon(ticket)
                raise
            else:
                now_s = clock.monotonic_s()
                candidate.succeed(ticket, now_s, now_s - began_s)
            finally:
                candidate.leave()
            return reply

        return probed

    return policy
