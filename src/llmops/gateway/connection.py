"""A client's connection under uvicorn, with three changes: keep-alive limits are kept by a shared, coarse timer,
responses are written by `GatewayResponse`, and what is refused at overload is answered before it is a task.

uvicorn sets an event-loop timer after every response and cancels it with the next request. On a busy gateway that is
two of the dearest things a call does, for a limit that is nearly never reached.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ..ticker import Ticker
from .asgi import Response, Scope
from .response import GatewayResponse

RefuseAtOnce = Callable[[Scope], Response | None]


class _CoarseTimer:
    """Stands for an event-loop timer: calls back up to a tick late, costs a set insertion."""

    __slots__ = ("_callback", "_due_s", "_ticker")

    def __init__(self, ticker: Ticker, due_s: float, callback: Callable[[], object]) -> None:
        self._ticker = ticker
        self._due_s = due_s
        self._callback = callback
        ticker.add(self)

    def tick(self, now_s: float) -> None:
        if now_s >= self._due_s:
            self._ticker.remove(self)
            self._callback()

    def cancel(self) -> None:
        self._ticker.remove(self)


class _CoarseLoop:
    """The event loop as a connection sees it: everything is the loop's own but ``call_later``."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ticker: Ticker) -> None:
        self._loop = loop
        self._ticker = ticker
        self.create_task = loop.create_task

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> _CoarseTimer:
        return _CoarseTimer(self._ticker, self._loop.time() + delay_s, callback)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


class GatewayConnection(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol on a `_CoarseLoop`. Made by `connection_class`, which gives it its ticker."""

    ticker: Ticker

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.loop = _CoarseLoop(self.loop, self.ticker)  # type: ignore[assignment]

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        GatewayResponse.take_over(cycle)
        refuse_at_once: RefuseAtOnce | None = getattr(app, "refuse_at_once", None)
        if refuse_at_once is not None and not self.pipeline:  # an answer here starts the next one of a pipeline
            refusal = refuse_at_once(cast(Scope, cycle.scope))
            if refusal is not None:
                cast(GatewayResponse, cycle).send_at_once(refusal)
                return
        super()._start_asgi_task(cycle, app)


def connection_class() -> type[GatewayConnection]:
    """The protocol for one server: its connections share one ticker, which belongs to that server's event loop."""
    return type("GatewayConnection", (GatewayConnection,), {"ticker": Ticker(period_s=1.0)})
