"""A streamed chat call to the gateway from a page: it runs in a thread, and the page looks how far it is.

The call is the reader's, with a key of the reader's, through ``/v1/chat/completions`` like any application's: limits,
prices and records are the gateway's. What comes is kept as text. Not covered: tool calls and anything but text.
"""

import http.client
import json
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from . import words

_CONNECT_S, _SILENCE_S = 2.0, 120.0
_MOST_CHARS = 200_000
_MOST_LINE = 4_000_000
_TRACE_AT = slice(3, 35)
"""Of a ``traceparent``."""


class Asked:
    """A call under way. Its fields grow while `is_running`; nobody else writes them."""

    def __init__(self, url: str, key: str | None, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=_CONNECT_S)
        self._path = parts.path.rstrip("/") + "/v1/chat/completions"
        self._body = json.dumps({**body, "stream": True, "stream_options": {"include_usage": True}}).encode()
        self._headers = {
            **headers,
            "Content-Type": "application/json",
            **({"Authorization": f"Bearer {key}"} if key else {}),
        }
        self.pieces: list[str] = []
        self.first_ms: float | None = None
        self.took_ms: float | None = None
        self.tokens: tuple[int, int] | None = None
        self.problem = ""
        self.prompt = ""
        self.trace_id = ""
        self._began_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def so_far_ms(self) -> float:
        return self.took_ms if self.took_ms is not None else (time.monotonic() - self._began_s) * 1000

    def leave(self) -> None:
        """Hang up; the gateway then cancels the call."""
        sock = self._connection.sock
        if sock is not None:
            try:
                sock.shutdown(2)
            except OSError:
                pass  # it is over already

    def _run(self) -> None:
        try:
            self._connection.connect()
            self._connection.sock.settimeout(_SILENCE_S)
            self._connection.request("POST", self._path, self._body, self._headers)
            with self._connection.getresponse() as response:
                self.prompt = response.headers.get("x-llmops-prompt", "")
                self.trace_id = (response.headers.get("traceparent") or "")[_TRACE_AT]
                if response.status != 200:
                    self.problem = _message(response.read(_MOST_LINE), response.status)
                else:
                    self._read(response)
        except (OSError, http.client.HTTPException, ValueError) as exc:
            self.problem = f"the connection to the gateway broke: {type(exc).__name__}: {exc}"
        finally:
            self.took_ms = (time.monotonic() - self._began_s) * 1000
            self._connection.close()

    def _read(self, response: http.client.HTTPResponse) -> None:
        chars = 0
        while line := response.readline(_MOST_LINE):
            if not line.startswith(b"data:"):
                continue
            payload = line[5:].strip()
            if payload == b"[DONE]":
                return
            chunk = json.loads(payload)
            if not isinstance(chunk, dict):
                continue
            if error := chunk.get("error"):
                self.problem = words.plain(error.get("message") if isinstance(error, dict) else error, 600)
                return
            if usage := chunk.get("usage"):
                self.tokens = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
            for piece in _texts(chunk):
                if self.first_ms is None:
                    self.first_ms = (time.monotonic() - self._began_s) * 1000
                if chars < _MOST_CHARS:
                    self.pieces.append(piece)
                chars += len(piece)
        if self.tokens is None:
            self.problem = "the answer was cut off"


def _texts(chunk: Mapping[str, Any]) -> list[str]:
    deltas = [choice.get("delta") or {} for choice in chunk.get("choices") or () if choice.get("index", 0) == 0]
    return [delta["content"] for delta in deltas if isinstance(delta.get("content"), str) and delta["content"]]


def _message(raw: bytes, status: int) -> str:
    try:
        error = json.loads(raw)["error"]
        return f"{error['message']} ({status})"
    except (ValueError, KeyError, TypeError):
        return f"status {status}"
