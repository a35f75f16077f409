"""Programs that export spans at a steady rate, whatever becomes of the gateway, and remember what they were told.

An export is a trace of its own, so that the database can say of each what became of it.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Literal, Self

from tests.fakes.gateway import Connection, http_request
from tests.serving import HOST
from tests.telemetry.traces.exports import many

from .load import Caller

SPANS = 50
_LONGEST_S = 30.0
Fate = Literal["taken", "refused", "unknown"]


class Senders:
    """``async with``: ``rate`` exports a second; ``fates`` by trace. Unknown: no answer, or not the whole of it."""

    def __init__(self, port: int, callers: Sequence[Caller], rate: float) -> None:
        self.fates: dict[str, Fate] = {}
        self.statuses: Counter[int] = Counter()
        self._port = port
        self._callers = callers
        self._rate = rate
        self._under_way: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._pacing = asyncio.create_task(self._pace())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pacing.cancel()
        await asyncio.gather(self._pacing, *self._under_way, return_exceptions=True)

    def count(self, fate: Fate) -> int:
        return sum(found == fate for found in self.fates.values())

    async def _pace(self) -> None:
        begun_s, number = time.monotonic(), 0
        while True:
            number += 1
            await asyncio.sleep(max(0.0, begun_s + number / self._rate - time.monotonic()))
            task = asyncio.create_task(self._send(number))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _send(self, number: int) -> None:
        trace = f"{number:032x}"
        self.fates[trace] = "unknown"
        caller = self._callers[number % len(self._callers)]
        headers = {"Content-Type": "application/x-protobuf", "authorization": f"Bearer {caller.key}"}
        try:
            async with asyncio.timeout(_LONGEST_S):
                async with Connection(*await asyncio.open_connection(HOST, self._port)) as connection:
                    await connection.send(http_request("POST", "/v1/traces", many(SPANS, trace=number), headers))
                    answer = await connection.read_answer()
        except ConnectionRefusedError:
            self.fates[trace] = "refused"
            return
        except (OSError, EOFError, TimeoutError):
            return
        self.statuses[answer.status] += 1
        # An empty answer says that all of them were taken.
        self.fates[trace] = "taken" if answer.status == 200 and not answer.body else "refused"
