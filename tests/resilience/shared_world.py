"""Processes that share their breakers over a board in a list, under one true time and clocks of their own."""

import asyncio
import itertools
from collections.abc import Sequence
from typing import NamedTuple

from llmops.errors import StoreUnavailable
from llmops.policies.routing import Model
from llmops.providers.mock import MockOptions, MockProvider
from llmops.resilience.breaker import Breaker
from llmops.resilience.failure import Failure
from llmops.resilience.fleet import Fleet, Rules
from llmops.resilience.rules import BreakerRules
from llmops.resilience.sharing import Sharing
from llmops.types import Deployment

DOWN = Failure(kind="transient", message="no connection")
EPOCH_S = 1_800_000_000.0


class World:
    """The true time, and what is on the board."""

    def __init__(self) -> None:
        self.now_s = EPOCH_S
        self.notes: list[tuple[int, str, bytes]] = []
        self.generation = 0
        self.is_there = True
        self.spoilt = 0
        self.writes = 0

    def wipe(self) -> None:
        self.notes.clear()
        self.generation += 1


class News(NamedTuple):
    now_s: float
    renewed: bool
    spoilt: int
    posted: list[tuple[str, bytes]]


class PlainBoard:
    """As `BreakerBoard`, in a list."""

    _numbers = itertools.count()

    def __init__(self, world: World) -> None:
        self._world = world
        self._me = next(self._numbers)
        self._generation = -1
        self._seen = 0

    async def exchange(self, notes: dict[str, bytes]) -> News:
        world = self._world
        if not world.is_there:
            raise StoreUnavailable("no connection")
        renewed, self._generation = world.generation != self._generation, world.generation
        seen = 0 if renewed else self._seen
        posted = [(identity, note) for who, identity, note in world.notes[seen:] if who != self._me]
        world.notes += [(self._me, identity, note) for identity, note in notes.items()]
        world.writes += len(notes)
        self._seen = len(world.notes)
        spoilt, world.spoilt = world.spoilt, 0
        return News(world.now_s, renewed, spoilt, posted)

    def reread(self) -> None:
        self._seen = 0

    async def aclose(self) -> None: ...


PROVIDER = MockProvider(MockOptions(), dialects={}, conversational={}, monotonic_s=lambda: 0.0)


def models(*names: str, fingerprint: str = "1") -> list[Model]:
    deployments = tuple(Deployment(name=name, provider=PROVIDER, model=None, fingerprint=fingerprint) for name in names)
    return [Model(name="m", strategy="ordered", deployments=deployments)]


class Process:
    """A gateway process that was started when its machine had been up for ``uptime_s``."""

    def __init__(self, world: World, uptime_s: float = 0.0, names: Sequence[str] = ("a", "b"), **rules: float) -> None:
        self._world = world
        self._started_s = world.now_s - uptime_s
        self.slept_s = 0.0
        self.rules = Rules(breaker=BreakerRules(**rules))  # type: ignore[arg-type]
        self.fleet = Fleet()
        self.set_out(models(*names))
        self.sharing = Sharing(self.fleet, PlainBoard(world), self.now_s)

    def now_s(self) -> float:
        return self._world.now_s - self._started_s - self.slept_s

    def set_out(self, models_: list[Model]) -> None:
        self.fleet.set_out(models_, self.rules, self.now_s())

    def breaker(self, name: str = "a", fingerprint: str = "1") -> Breaker:
        return self.fleet.by_identity()[f"{name}|{fingerprint}"].breaker

    def fails(self, failure: Failure = DOWN, times: int = 5, name: str = "a", luck: float = 0.5) -> None:
        for _ in range(times):
            self.breaker(name).fail(self.breaker(name).begin(self.now_s()), failure, self.now_s(), luck)

    def succeeds(self, times: int = 3, name: str = "a") -> None:
        for _ in range(times):
            self.breaker(name).succeed(self.breaker(name).begin(self.now_s()), self.now_s())

    def state(self, name: str = "a") -> str:
        return self.breaker(name).shown(self.now_s())


def exchange(*processes: Process, rounds: int = 3) -> None:
    async def run() -> None:
        for _ in range(rounds):
            for process in processes:
                await process.sharing.exchange()

    asyncio.run(run())
