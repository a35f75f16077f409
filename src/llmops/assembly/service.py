"""What runs beside the calls, as a list.

Services start in its order and stop in the reverse; a gateway that cannot start one of them does not begin to serve.
What is wrong with one while it runs is shown by ``/health``.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

from ..telemetry.figures import Figure


async def _nothing() -> None:
    pass


class Service(NamedTuple):
    """Something that runs beside the calls. ``problems`` are what an operator should know of it now."""

    start: Callable[[], Awaitable[None]] = _nothing
    stop: Callable[[], Awaitable[None]] = _nothing
    problems: Callable[[], Sequence[str]] = tuple
    figures: Callable[[], Iterable[Figure]] = tuple
    """What it counts, for the metrics; asked in other threads too, so it only reads."""


class Services:
    """Services in the order in which they start; they stop in the reverse."""

    def __init__(self) -> None:
        self._services: list[Service] = []
        self._running: list[Service] = []

    def add(self, *services: Service) -> None:
        """Put these behind those that are there. Before the start."""
        self._services += services

    async def start(self) -> None:
        for service in self._services:
            self._running.append(service)  # one that fails on its way still has to be stopped
            await service.start()

    async def stop(self) -> None:
        while self._running:
            await self._running.pop().stop()

    def problems(self) -> list[str]:
        return [problem for service in self._services for problem in service.problems()]

    def figures(self) -> list[Figure]:
        return [figure for service in self._services for figure in service.figures()]


def failing(what: str, why: str | None) -> list[str]:
    """The problem of something that is refreshed now and then."""
    return [f"{what} cannot be refreshed: {why}"] if why else []
