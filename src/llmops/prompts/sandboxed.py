"""Jinja templates, for the prompts that ask for them (``engine: jinja``): rendered in processes of their own.

Limits inside one process do not hold against a template: one multiplication can take all memory, one ``range`` within
another all time, and no other thread gets a turn meanwhile. So a template runs in a `jinja_worker`, which has little
memory and no environment, and is ended when an answer takes longer than ``limit_s``; the next template gets a new one.
Starting one takes some 0.1 s, an answer some 0.1 ms. Methods block: call them from a thread.
"""

import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from ..errors import InvalidRequest, Overloaded, StoreUnavailable

_SCRIPT = Path(__file__).with_name("jinja_worker.py")
_START_S = 20.0
_WAIT_S = 5.0
_MAX_ANSWER_BYTES = 64_000_000


class _Late(Exception):
    """No answer in time."""


class JinjaRenderer:
    """Up to ``workers`` processes, started when they are needed. Safe to share between threads."""

    def __init__(self, *, workers: int = 3, limit_s: float = 1.0) -> None:
        self._limit_s = limit_s
        self._places = threading.BoundedSemaphore(workers)
        self._idle: list[_Process] = []
        self._lock = threading.Lock()

    def names(self, texts: Sequence[str]) -> frozenset[str]:
        """The variables that templates use; `InvalidRequest` for what is no template."""
        return frozenset(self._ask({"op": "check", "texts": list(texts)})["names"])

    def render(self, texts: Sequence[str], values: Mapping[str, Any], *, max_chars: int) -> list[str]:
        """`InvalidRequest` for a template that fails, is too long about it, or becomes too large."""
        asked = {"op": "render", "texts": list(texts), "values": dict(values), "max_chars": max_chars}
        found: list[str] = self._ask(asked)["texts"]
        return found

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.end()

    def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        if not self._places.acquire(timeout=_WAIT_S):
            raise Overloaded("all processes for Jinja templates are busy; try again", retry_after_s=1)
        try:
            answer = self._answer(msgspec.json.encode(asked))
        finally:
            self._places.release()
        if "error" in answer:
            raise InvalidRequest(f"the Jinja template: {answer['error']}", param="prompt")
        return answer

    def _answer(self, body: bytes) -> dict[str, Any]:
        with self._lock:
            process = self._idle.pop() if self._idle else None
        if process is None:
            process = _Process()
        try:
            answer = process.ask(body, self._limit_s)
        except _Late:
            process.end()
            raise InvalidRequest(
                f"the Jinja template takes more than {self._limit_s:g} s, or too much memory; it was ended",
                param="prompt",
            ) from None
        except BaseException:
            process.end()
            raise
        with self._lock:
            self._idle.append(process)
        return answer


class _Process:
    def __init__(self) -> None:
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(_SCRIPT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                bufsize=0,
            )
        except OSError as exc:
            raise StoreUnavailable(f"no process for Jinja templates can be started: {exc}") from exc
        try:
            self._read(time.monotonic() + _START_S)
        except _Late:
            self.end()
            raise StoreUnavailable(
                "the process for Jinja templates does not start; is the package jinja2 installed?"
            ) from None

    def ask(self, body: bytes, limit_s: float) -> dict[str, Any]:
        """`_Late` when it has not answered by then, or is no more."""
        assert self._process.stdin is not None
        try:
            unsent = memoryview(len(body).to_bytes(4, "big") + body)
            while unsent:
                unsent = unsent[self._process.stdin.write(unsent) or 0 :]
        except OSError as exc:
            raise _Late from exc
        return self._read(time.monotonic() + limit_s)

    def end(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                assert pipe is not None
                pipe.close()
        self._process.wait()

    def _read(self, deadline_s: float) -> dict[str, Any]:
        size = int.from_bytes(self._take(4, deadline_s), "big")
        if size > _MAX_ANSWER_BYTES:
            raise _Late
        found: dict[str, Any] = msgspec.json.decode(self._take(size, deadline_s))
        return found

    def _take(self, size: int, deadline_s: float) -> bytes:
        assert self._process.stdout is not None
        descriptor, taken = self._process.stdout.fileno(), bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while len(taken) < size:
                left_s = deadline_s - time.monotonic()
                if left_s <= 0 or not selector.select(left_s):
                    raise _Late
                piece = os.read(descriptor, min(size - len(taken), 1_000_000))
                if not piece:
                    raise _Late
                taken += piece
        return bytes(taken)
