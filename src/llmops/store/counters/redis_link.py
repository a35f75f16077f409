"""The counters' script in Redis: operations out, answers in.

A server that answers, but says of single operations that it is read-only or full, is as lost as one that does not.
"""

from collections.abc import Callable
from importlib.resources import files

from ...redis_settings import RedisSettings
from ..redis_script import Lost, RedisScript
from .redis_wire import Answer, Op, decode_answer, encode, failure

_UNFIT = ("READONLY", "OOM", "MISCONF", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "NOREPLICAS", "NOPERM", "BUSY")
"""Errors of single operations that are about the server and not about the operation."""


class RedisLink:
    """Used by one task. Connects by itself on the first ``run`` after a loss."""

    def __init__(self, settings: RedisSettings, lease_s: float, simulated_us: Callable[[], int] | None = None) -> None:
        """``simulated_us`` replaces Redis' clock."""
        self._simulated_us = simulated_us
        self._prefix = f"{{{settings.namespace}}}:"
        self._lease_us = int(lease_s * 1_000_000)
        self._script = RedisScript(settings, (files(__package__) / "counters.lua").read_text(encoding="utf-8"))

    async def run(self, ops: list[Op]) -> Answer:
        """Carry the operations out, in their order. Raises `Lost`."""
        arguments = (1, f"{self._prefix}marker", self._prefix, self._lease_us, encode(ops), *self._simulated())
        said = await self._script.run(*arguments)
        try:
            answer = decode_answer(said)
        except ValueError as exc:
            await self.close()
            raise Lost(f"an answer that makes no sense: {exc}") from exc
        for result in answer.results:
            failed = failure(result)
            if failed is not None and str(failed).lstrip("-").startswith(_UNFIT):
                raise Lost(str(failed).lstrip("-"))
        return answer

    async def close(self) -> None:
        """Close the connection; the next ``run`` opens another."""
        await self._script.close()

    def _simulated(self) -> tuple[int, ...]:
        return divmod(self._simulated_us(), 1_000_000) if self._simulated_us is not None else ()
