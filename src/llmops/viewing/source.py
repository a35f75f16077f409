"""The client of the control plane: one GET, POST or DELETE, and an answer that is a value also where something failed.

Standard library only, connections kept alive, times short: a page waits a few seconds at most and asks again at its
next refresh. What is asked for is the gateway's to allow: this knows no roles.
"""

import http.client
import json
import threading
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

Trouble = Literal["unreachable", "unauthenticated", "forbidden", "unavailable", "refused", "missing", "odd"]
_STATUSES: dict[int, Trouble] = {401: "unauthenticated", 403: "forbidden", 404: "missing", 503: "unavailable"}
_TIMEOUT_S = 8.0
_CONNECT_S = 1.5
_IDLE = 8
_MOST_BYTES = 32_000_000
Parameters = Mapping[str, Any]


class Problem(NamedTuple):
    """Why there is no answer. ``message`` is the server's, so it is foreign text."""

    trouble: Trouble
    message: str
    status: int = 0


class Answer(NamedTuple):
    """``value`` where ``problem`` is None; otherwise None."""

    value: Any
    problem: Problem | None = None


class Source:
    """One control plane. Safe to share between threads; holds no credential: each request brings its own."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address of a gateway; http://127.0.0.1:8000 would be one")
        self.url = url.rstrip("/")
        self.host = parts.hostname
        self._port = parts.port
        self._prefix = parts.path.rstrip("/")
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._headers = dict(headers or {})
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def ask(
        self,
        path: str,
        params: Parameters | None = None,
        *,
        key: str | None = None,
        method: str = "GET",
        body: Any = None,
    ) -> Answer:
        """Parameters that are None or "" are left out."""
        given = {name: value for name, value in (params or {}).items() if value not in (None, "")}
        target = self._prefix + quote(path, safe="/%") + (f"?{urlencode(given)}" if given else "")
        headers = {**self._headers, **({"Authorization": f"Bearer {key}"} if key else {})}
        payload = None
        if body is not None:
            payload, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        try:
            status, raw = self._exchange(method, target, payload, headers)
        except (OSError, http.client.HTTPException, UnicodeError) as exc:
            return Answer(None, Problem("unreachable", f"{type(exc).__name__}: {exc}"))
        return _answer(status, raw)

    def close(self) -> None:
        """Let idle connections go."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _exchange(self, method: str, target: str, payload: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = self._take()
        if connection is not None:
            try:
                return self._send(connection, method, target, payload, headers)
            except (ConnectionError, http.client.RemoteDisconnected, http.client.CannotSendRequest):
                connection.close()  # it had been closed at the other end meanwhile; asked again on a new one
                if method != "GET":
                    raise
        connection = self._kind(self.host, self._port, timeout=_CONNECT_S)
        connection.connect()
        assert connection.sock is not None
        connection.sock.settimeout(_TIMEOUT_S)
        return self._send(connection, method, target, payload, headers)

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        payload: bytes | None,
        headers: dict[str, str],
    ) -> tuple[int, bytes]:
        try:
            connection.request(method, target, payload, headers)
            response = connection.getresponse()
            raw = response.read(_MOST_BYTES)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            keep = response.isclosed() and not response.will_close and len(self._idle) < _IDLE
            if keep:
                self._idle.append(connection)
        if not keep:
            connection.close()
        return response.status, raw

    def _take(self) -> http.client.HTTPConnection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None


def _answer(status: int, raw: bytes) -> Answer:
    try:
        value = json.loads(raw) if raw else None
    except ValueError:
        return Answer(None, Problem("odd", "the answer is not JSON; is this a gateway's address?", status))
    if 200 <= status < 300:
        return Answer(value)
    error = value.get("error") if isinstance(value, dict) else None
    message = str(error.get("message", "")) if isinstance(error, dict) else ""
    return Answer(None, Problem(_STATUSES.get(status, "refused"), message or f"status {status}", status))
