"""Limits, budgets and the ledger's reservation, before anything is done for a call.

The settlement is not here: it happens where the call is recorded, which every call is exactly once (`spend.ledger`).
"""

from collections.abc import Awaitable, Sequence
from typing import Protocol

from ..spend.admission import Admission
from ..types import Call, Deployment, Handler, Policy, Reply


class Target(Protocol):
    """A public model and where its calls may go."""

    @property
    def name(self) -> str: ...
    @property
    def deployments(self) -> Sequence[Deployment]: ...


class Targets(Protocol):
    """Finds a model by the name that a client asks for."""

    def find(self, name: str) -> Target: ...


def limits(targets: Targets, admission: Admission) -> Policy:
    """Set ``call.model`` and ``call.headroom``, or raise `UnknownModel`, `LimitReached` or `BudgetExceeded`."""

    def policy(handle: Handler) -> Handler:
        async def after(admitted: Awaitable[None], call: Call) -> Reply:
            await admitted
            return await handle(call)

        def limited(call: Call) -> Awaitable[Reply]:
            model = targets.find(call.view.model)
            call.model = model.name
            waiting = admission.admit(call, model.deployments)
            return handle(call) if waiting is None else after(waiting, call)

        return limited

    return policy
