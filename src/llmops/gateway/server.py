"""Serving the application in this process: the listening socket, uvicorn on uvloop, and the way out.

SIGTERM and SIGINT drain first (`lifecycle`), then reach the server here; the second one cuts what is still open. In
both cases the request log is flushed before the process ends.
"""

import asyncio
import errno
import os
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from ..errors import PortTaken
from .application import Endpoint
from .connection import connection_class

BACKLOG = 4096
_ACCEPTS_IN_A_TURN = 16
_KEEP_ALIVE_S = 75
_AFTER_DRAIN_S = 2
"""For what is not a call: calls had their time in the drain."""


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A socket bound to the address, not listening yet; `PortTaken` when somebody else has it.

    ``shared`` lets several processes listen on it, among which the kernel spreads new connections evenly.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((host, port))
    except OSError as exc:
        bound.close()
        raise PortTaken(_explain(exc, host, port)) from exc
    return bound


def _explain(exc: OSError, host: str, port: int) -> str:
    if exc.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use by another program; choose another with --port, e.g. --port {port + 1}"
    if exc.errno == errno.EACCES:
        return f"port {port} on {host} may not be bound by this user; choose one above 1023 with --port"
    return f"{host} port {port} cannot be bound: {exc.strerror or exc}"


class GatewayServer(uvicorn.Server):
    """uvicorn, set up for the data plane. ``on_started`` is called once connections are accepted."""

    def __init__(self, app: Endpoint, *, on_started: Callable[[], None] | None, parent: int | None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="uvloop",
                http=connection_class(),
                ws="none",
                lifespan="on",
                interface="asgi3",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # the gateway reads them itself, by its own setting
                date_header=True,
                timeout_keep_alive=_KEEP_ALIVE_S,
                backlog=BACKLOG,
                timeout_graceful_shutdown=_AFTER_DRAIN_S,
            )
        )
        self._on_started = on_started
        self._parent = parent

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._parent is not None:
            asyncio.get_running_loop().add_reader(self._parent, self._follow_parent, self._parent)
        if self._on_started is not None:
            self._on_started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The drain is over, or somebody is impatient. (uvicorn's own would leave the log unflushed the second time.)

        The signal is not raised again at the end, so an orderly stop is exit status 0.
        """
        if self.should_exit:
            self.config.timeout_graceful_shutdown = 0
        self.should_exit = True

    def _follow_parent(self, pipe: int) -> None:
        """The pipe has ended, as nothing is ever written to it: leave as on SIGTERM."""
        asyncio.get_running_loop().remove_reader(pipe)
        os.kill(os.getpid(), signal.SIGTERM)


def serve(
    app: Endpoint, bound: socket.socket, *, on_started: Callable[[], None] | None = None, parent: int | None = None
) -> None:
    """Serve until a signal ends it, or the parent does: ``parent`` is a pipe of which it holds the other end."""
    # A configuration reload that is asked for before there is a gateway must not end the process.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # The loop takes one connection from a socket in each of its turns, which would be few a second when turns are long.
    listening = [bound, *(bound.dup() for _ in range(_ACCEPTS_IN_A_TURN - 1))]
    GatewayServer(app, on_started=on_started, parent=parent).run(sockets=listening)
