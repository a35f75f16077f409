"""The service that asks deployments which are out whether they are back, where the operator has asked for that.

About once a second it looks which are due; `probe` decides, ``ask`` makes the call. One probe at a time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from ..errors import LLMOpsError
from .fleet import Fleet
from .probe import ProbePlan, ProbeRules

_log = logging.getLogger(__name__)
_PERIOD_S = 1.0


class Prober:
    """Owns one task between ``start`` and ``aclose``. ``ask`` is told the model and the deployment; whatever becomes of
    that call, its breaker knows. ``rules`` are those in force now."""

    def __init__(
        self,
        fleet: Fleet,
        rules: Callable[[], ProbeRules],
        ask: Callable[[str, str], Awaitable[object]],
        now_s: Callable[[], float],
        *,
        period_s: float = _PERIOD_S,
    ) -> None:
        self._fleet = fleet
        self._rules = rules
        self._ask = ask
        self._now_s = now_s
        self._period_s = period_s
        self._plan = ProbePlan()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._go_on())

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def look(self) -> None:
        """Ask one deployment, if one is due and the budget has room."""
        rules = self._rules()
        if not rules.enabled:
            return
        due = self._due()
        chosen = self._plan.choose(due, rules, self._now_s())
        if chosen is not None:
            with suppress(LLMOpsError):  # recorded as every call is, and told to the breaker
                await self._ask(due[chosen], chosen)

    def _due(self) -> dict[str, str]:
        """What is out and may be tried, with a model that has it. Behind a pattern, only what has a name to ask for."""
        now_s = self._now_s()
        return {
            candidate.name: model
            for model, lane in self._fleet.lanes.items()
            for candidate in lane.candidates.values()
            if candidate.is_free(now_s) and candidate.breaker.is_due(now_s)
            if "*" not in lane.deployments[candidate.name].upstream_model(model)
        }

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(self._period_s)
            try:
                await self.look()
            except Exception:  # noqa: BLE001 - a border: a probe that fails must not end all of them
                _log.exception("a probe failed")
