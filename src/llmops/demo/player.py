"""Plays the traffic: visits begin when the shape says so, by tenants as the cast and the plot say, each a task.

The same seed sends the same visits in the same order; how long each takes is the gateway's doing. It never waits for
an answer before the next visit begins, as the users of a service do not wait for each other.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..clock import Clock
from ..errors import LLMOpsError
from . import script
from .cast import BY_ID, TENANTS, Tenant
from .client import Answer, Client
from .script import Act
from .shape import Arrival
from .visits import Leave, Visitor, play

CALLS_A_VISIT = 1.9
"""On average over the cast."""
_CROWD_S = 12.0
"""Within which the further visits of a busier tenant come."""
_MOST_AT_A_TIME = 400
_DATA_PLANE = "/v1/"
_NO_MONEY, _HUNG_UP = 402, 499
_TRY_ANYWAY = 0.1


class Player:
    """Belongs to one event loop. ``apply`` puts the acts of the moment into force; ``keys`` are by tenant."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        keys: Mapping[str, str],
        apply: Callable[[Sequence[Act]], None],
        seed: int,
        is_released: Callable[[], bool] = lambda: False,
    ) -> None:
        self.acts: list[Act] = []
        self.statuses: Counter[int] = Counter()
        """Of calls, by HTTP status; 0: no answer, 499: given up at the end."""
        self.left_out = 0
        self._client = client
        self._clock = clock
        self._keys = keys
        self._apply = apply
        self._seed = seed
        self._is_released = is_released
        self._visits: set[asyncio.Task[None]] = set()
        self._leaving = asyncio.Event()
        self._refused: set[str] = set()
        """Tenants whose money is spent: most of their people have given up."""

    # --- what a visit sees ---

    def now_s(self) -> float:
        return self._clock.now_s()

    @property
    def is_frowned_at(self) -> bool:
        return any(script.is_frowned_at(act.prompt_version) for act in self.acts)

    @property
    def is_released(self) -> bool:
        return self._is_released()

    async def pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._leaving.wait(), seconds)
        if self._leaving.is_set():
            raise Leave

    async def post(self, path: str, body: Any, tenant: str, headers: Mapping[str, str]) -> Answer:
        try:
            answer = await self._client.post(path, body, self._keys[tenant], headers)
        except LLMOpsError:
            answer = Answer(0, b"", "")
        except asyncio.CancelledError:
            self._count(path, _HUNG_UP)
            raise
        self._count(path, answer.status)
        if answer.status == _NO_MONEY:
            self._refused.add(tenant)
        if not answer.status:
            raise Leave
        return answer

    def _count(self, path: str, status: int) -> None:
        if path.startswith(_DATA_PLANE) and path != "/v1/traces":
            self.statuses[status] += 1

    @property
    def calls(self) -> int:
        return self.statuses.total()

    # --- the play ---

    async def run(self, arrivals: Iterator[Arrival], minutes: float) -> None:
        """Play without end; the plot is over after ``minutes``."""
        luck = random.Random(f"{self._seed}/cast")
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        turning = loop.create_task(self._turn_pages(begun_s, minutes))
        try:
            for number, arrival in enumerate(arrivals):
                await self._until(begun_s + arrival.at_s)
                tenant = choose(luck)
                self._begin(tenant, arrival, number)
                factor = script.busier(self.acts, tenant.id)
                for further in range(int(factor - 1 + luck.random())):
                    self._begin(tenant, arrival, number, further + 1, luck.uniform(0.0, _CROWD_S))
        except Leave:
            pass
        finally:
            turning.cancel()
            with suppress(asyncio.CancelledError):
                await turning

    async def leave(self, within_s: float = 3.0) -> None:
        """Begin nothing more, and wait for the calls under way."""
        self._leaving.set()
        if self._visits:
            await asyncio.wait(self._visits, timeout=within_s)
        for visit in list(self._visits):
            visit.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)

    def _begin(self, tenant: Tenant, arrival: Arrival, number: int, further: int = 0, delay_s: float = 0.0) -> None:
        if len(self._visits) >= _MOST_AT_A_TIME:
            self.left_out += 1
            return
        luck = random.Random(f"{self._seed}/{number}/{further}")
        if tenant.id in self._refused and luck.random() > _TRY_ANYWAY:
            return
        visitor = Visitor(self, tenant, arrival, luck, number + further * 1_000_000)
        visit = asyncio.get_running_loop().create_task(self._visit(visitor, delay_s))
        self._visits.add(visit)
        visit.add_done_callback(self._visits.discard)

    async def _visit(self, visitor: Visitor, delay_s: float) -> None:
        with suppress(Leave):
            if delay_s:
                await self.pause(delay_s)
            await play(visitor)

    async def _turn_pages(self, begun_s: float, minutes: float) -> None:
        stretch_s = minutes * 60 / script.HOUR_MINUTES
        for minute in script.turns():
            await asyncio.sleep(begun_s + minute * stretch_s - asyncio.get_running_loop().time())
            self.acts = script.playing(minute)
            self._apply(self.acts)

    async def _until(self, due_s: float) -> None:
        wait_s = due_s - asyncio.get_running_loop().time()
        if wait_s > 0:
            await self.pause(wait_s)
        elif self._leaving.is_set():
            raise Leave
        else:
            await asyncio.sleep(0)


def choose(luck: random.Random) -> Tenant:
    """Whose visit it is."""
    return BY_ID[luck.choices([tenant.id for tenant in TENANTS], [tenant.share for tenant in TENANTS])[0]]
