"""Requests to one tool over a kept-alive connection. Blocking; belongs to one thread.

The address is the configuration's alone: no redirect is followed, no proxy variable read. What an answer may say is
bounded, as is its time.
"""

import gzip
import http.client
import ssl
import time
from urllib.parse import quote, urlsplit

from ...version import __version__
from .sent import Sent, judged

_MAX_ANSWER_BYTES = 65_536
_GZIP_LEVEL = 3


class Answer:
    """A 2xx answer, or what to make of everything else."""

    def __init__(self, sent: Sent | None, body: bytes = b"") -> None:
        self.sent = sent
        self.body = body


class Post:
    def __init__(self, url: str, headers: dict[str, str], timeout_s: float) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._base = parts.path.rstrip("/")
        self._headers = {"User-Agent": f"llmops-lab/{__version__}", "Accept-Encoding": "identity", **headers}
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPConnection | None = None

    @property
    def path(self) -> str:
        """The path of the address that was configured."""
        return self._base

    def __call__(
        self, path: str, body: bytes, content_type: str, *, packed: bool = False, method: str = "POST"
    ) -> Answer:
        """Send, over a new connection where the kept one is stale; never raises for what the tool does."""
        headers = {**self._headers, "Content-Type": content_type}
        if packed:
            body = gzip.compress(body, compresslevel=_GZIP_LEVEL)
            headers["Content-Encoding"] = "gzip"
        kept = self._connection is not None
        try:
            return self._exchange(method, path, body, headers)
        except (OSError, http.client.HTTPException) as exc:
            self.close()
            if not (kept and isinstance(exc, ConnectionError)):
                return Answer(Sent("again", why=_words(exc)))
        try:
            return self._exchange(method, path, body, headers)
        except (OSError, http.client.HTTPException) as exc:
            self.close()
            return Answer(Sent("again", why=_words(exc)))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        if self._connection is None:
            self._connection = self._connect()
        self._connection.request(method, quote(path, safe="/:%?=&~-._"), body, headers)
        begun_s = time.monotonic()
        answer = self._connection.getresponse()
        said = self._read(answer, begun_s + self._timeout_s)
        if 200 <= answer.status < 300:
            return Answer(None, said)
        words = said.decode(errors="replace").replace("\n", " ")
        return Answer(judged(answer.status, answer.getheader("Retry-After"), words if words.isprintable() else ""))

    def _read(self, answer: http.client.HTTPResponse, deadline_s: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        while part := answer.read1(8192):
            parts.append(part)
            size += len(part)
            if size > _MAX_ANSWER_BYTES or time.monotonic() > deadline_s:
                self.close()  # the rest of it is nobody's business
                break
        answer.close()  # one without a body is not closed by reading it
        if answer.will_close:
            self.close()
        return b"".join(parts)[:_MAX_ANSWER_BYTES]

    def _connect(self) -> http.client.HTTPConnection:
        if self._tls is not None:
            return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=self._tls)
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)


def _words(exc: BaseException) -> str:
    if isinstance(exc, TimeoutError):
        return "it does not answer in time"
    return f"it cannot be reached: {getattr(exc, 'strerror', None) or exc or type(exc).__name__}"
