"""The road to upstreams: connection pools by origin, connecting, TLS, and one retry over a stale connection.

The most recently used connection is taken first, so that idle ones age and are closed. Redirects are never followed
and the system's proxy variables are not read: a call goes where the configuration says and nowhere else.
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec

from ..errors import UpstreamTimeout, UpstreamUnreachable
from ..ticker import Ticker
from ..types import Timeouts
from .http1 import Connection, Exchange, StaleConnection
from .names import Names

_IDLE_LIMIT_S = 55.0  # below the 60 s after which common servers and load balancers hang up


class Origin(msgspec.Struct, frozen=True):
    """Scheme, host and port of an upstream."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Origin":
        """The origin of an absolute http(s) URL; `ValueError` for anything else."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not an http:// or https:// URL")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("a base URL carries no credentials, query or fragment")
        return cls(parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        return host if self.port == default else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host_header}"


class ConnectTimeout(UpstreamTimeout):
    """Nothing was sent."""

    was_sent = False


class Transport:
    """Sends requests to upstreams over kept-alive connections. Belongs to one event loop; close it with ``aclose``."""

    def __init__(self, timeouts: Timeouts | None = None) -> None:
        self.timeouts = timeouts or Timeouts()
        self._idle: dict[Origin, deque[Connection]] = {}
        self._open: set[Connection] = set()
        self._tls: ssl.SSLContext | None = None
        self._ticker = Ticker()
        self._names = Names()

    @property
    def open_connections(self) -> int:
        return len(self._open)

    async def request(self, origin: Origin, request: bytes, timeouts: Timeouts | None = None) -> Exchange:
        """Send a whole HTTP/1.1 request; return its exchange once status and headers are there.

        Raises `UpstreamUnreachable`, `UpstreamTimeout` or `UpstreamBroken`.
        """
        timeouts = timeouts or self.timeouts
        connection = self._take_idle(origin)
        if connection is not None:
            try:
                exchange = connection.send(request, timeouts)
                await exchange.headers()
                return exchange
            except StaleConnection:
                pass
        connection = await self._connect(origin, timeouts)
        exchange = connection.send(request, timeouts)
        await exchange.headers()
        return exchange

    def _take_idle(self, origin: Origin) -> Connection | None:
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if not connection.closed:
                return connection
        return None

    async def _connect(self, origin: Origin, timeouts: Timeouts) -> Connection:
        loop = asyncio.get_running_loop()
        idle = self._idle.setdefault(origin, deque())

        def keep(connection: Connection) -> None:
            connection.idle_since_s = now = loop.time()
            idle.append(connection)
            while idle and now - idle[0].idle_since_s > _IDLE_LIMIT_S:
                idle.popleft().abort()

        def protocol() -> Connection:
            return Connection(loop, self._ticker, keep, self._open.discard)

        try:
            async with asyncio.timeout(timeouts.connect_s):
                connection = await self._open_to(origin, protocol)
        except TimeoutError as exc:
            raise ConnectTimeout(f"no connection to {origin} within {timeouts.connect_s:g} s") from exc
        except ssl.SSLCertVerificationError as exc:
            raise UpstreamUnreachable(
                f"the certificate of {origin} is not trusted ({exc.verify_message}); if it should be, add its "
                "authority to the system's store or name it in the variable SSL_CERT_FILE"
            ) from exc
        except ssl.SSLError as exc:
            raise UpstreamUnreachable(f"TLS with {origin} failed: {exc.reason or exc}") from exc
        except socket.gaierror as exc:
            raise UpstreamUnreachable(f"the host name of {origin} cannot be resolved: {exc.strerror}") from exc
        except OSError as exc:
            raise UpstreamUnreachable(f"no connection to {origin}: {exc.strerror or exc}") from exc
        self._open.add(connection)
        return connection

    async def _open_to(self, origin: Origin, protocol: Callable[[], Connection]) -> Connection:
        """A connection to the first of the host's addresses that takes one."""
        loop = asyncio.get_running_loop()
        tls = self._tls_context() if origin.scheme == "https" else None
        name = origin.host if tls else None
        *others, last = await self._names.addresses(origin.host)
        for address in others:
            try:
                _, connection = await loop.create_connection(
                    protocol, address, origin.port, ssl=tls, server_hostname=name
                )
            except ssl.SSLError:
                raise
            except OSError:
                continue
            return connection
        _, connection = await loop.create_connection(protocol, last, origin.port, ssl=tls, server_hostname=name)
        return connection

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    async def aclose(self) -> None:
        """Close every connection, idle or not."""
        self._names.close()
        for connection in list(self._open):
            connection.abort()
        self._idle.clear()
        await asyncio.sleep(0)
