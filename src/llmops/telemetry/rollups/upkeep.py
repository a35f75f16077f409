"""What rollups need done beside the calls: hours folded, and what is older than it is to be kept taken away.

Any process may do it, and several together do no harm: each step is one transaction.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from ...errors import LLMOpsError
from ...history_settings import HistorySettings
from .repository.folding import FoldingRepository
from .rollup import DAY_S

_log = logging.getLogger(__name__)
_EVERY_S = 60.0
_REST_S = 0.05
"""Between two steps: others write as well."""


class Upkeep:
    """Owns its task between ``start`` and ``aclose``. ``rules`` gives the settings in force."""

    def __init__(
        self, repository: FoldingRepository, rules: Callable[[], HistorySettings], now_s: Callable[[], float]
    ) -> None:
        self.failing: str | None = None
        self._repository = repository
        self._rules = rules
        self._now_s = now_s
        self._task: asyncio.Task[None] | None = None

    def problems(self) -> list[str]:
        return [f"figures cannot be summed up by hour: {self.failing}"] if self.failing else []

    async def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def step(self) -> bool:
        """One transaction or a few; False when nothing is left to do for now. Blocks."""
        now_s, rules = self._now_s(), self._rules()
        if self._repository.fold_hour(now_s):
            return True
        self._repository.drop_minutes(now_s - rules.minutes_days * DAY_S)
        self._repository.drop_hours(now_s - rules.hours_days * DAY_S)
        before_s = now_s - rules.calls_days * DAY_S
        too_many_s = self._repository.begin_of_last(rules.max_calls)
        return self._repository.drop_calls(max(before_s, too_many_s or 0))

    async def _keep(self) -> None:
        while True:
            try:
                more = await asyncio.to_thread(self.step)
            except (LLMOpsError, OSError) as exc:
                more, self.failing = False, str(exc)
            except Exception as exc:  # noqa: BLE001 - a border: what fails once must not end all upkeep
                _log.exception("the upkeep of the rollups failed; it is tried again")
                more, self.failing = False, f"{type(exc).__name__}: {exc}"
            else:
                self.failing = None
            await asyncio.sleep(_REST_S if more else _EVERY_S)
