"""Overload put together: what is measured of this process, and which calls are then turned away."""

from ..app import Stack
from ..gateway.load_sampler import LoadSampler, Memory
from ..opening import overload_rules
from ..resilience.overload import Overload
from ..resilience.shedder import Shedder
from .service import Service


class Shedding:
    """Of a running gateway, over its stack."""

    def __init__(self, stack: Stack) -> None:
        parts, settings = stack.parts, stack.settings
        overload = Overload(overload_rules(settings), parts.clock.monotonic_s())
        self._stack = stack
        self._overload = overload
        self._shedder = Shedder(overload, parts.luck, parts.metrics.shed)
        self._sampler = LoadSampler(
            lambda now_s, lag_s, share: overload.sample(now_s, lag_s, parts.metrics.in_flight, share),
            parts.clock.monotonic_s,
            Memory(processes=settings.server.workers).share,
        )

    @property
    def shedder(self) -> Shedder | None:
        """None where resilience is switched off."""
        return self._shedder if self._stack.settings.resilience.enabled else None

    @property
    def service(self) -> Service:
        return Service(self._sampler.start, self._sampler.aclose, self._shedder.problems)

    def reload(self) -> None:
        self._overload.rules = overload_rules(self._stack.settings)
