"""Finished spans on their way to the gateway: a bounded queue and one thread that empties it.

Ending a span is an append to a deque under a lock. Whatever the gateway does, the application is never waited for: when
the queue is full the newest spans are dropped and counted. Always: ended = exported + rejected + dropped + waiting.
OpenTelemetry's own batch processor gives a batch up that failed, and knows nothing of partial successes.
"""

import logging
import os
import random
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import NamedTuple

import msgspec
from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

_log = logging.getLogger("llmops.tracing")

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_WARN_EVERY_S = 60.0


class Tally(NamedTuple):
    """What became of the spans of this process. ``rejected``: the gateway would not have them; ``dropped``: no room, or
    no time left at the end."""

    ended: int
    exported: int
    rejected: int
    dropped: int
    waiting: int


class Sent(NamedTuple):
    """What became of a batch. ``again``: it did not arrive and may be sent once more."""

    rejected: int = 0
    again: bool = False
    retry_after_s: float | None = None
    why: str = ""


Send = Callable[[Sequence[ReadableSpan]], Sent]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    max_waiting: int = 10_000
    batch: int = 500
    interval_s: float = 1.0
    """The longest that a span waits for others while all is well."""


def next_pause(before_s: float, retry_after_s: float | None, luck: float) -> float:
    """How long to wait after a failure: twice as long as before, or what the gateway asks, with up to a half more by
    ``luck`` (0 to 1), so that many processes do not come back at once."""
    pause_s = min(max(2 * before_s, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
    return max(pause_s, min(retry_after_s or 0.0, _LONGEST_PAUSE_S)) * (1 + luck / 2)


class Export(SpanProcessor):
    """Owns its thread, which starts with the first span and ends with `close`."""

    def __init__(self, send: Send, rules: Rules | None = None) -> None:
        self._send = send
        self._rules = rules or Rules()
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=partial(_begin_again, weakref.ref(self)))

    def _begin(self) -> None:
        """Also in a forked child: what waits is its parent's to send, and so is the thread."""
        self._waiting: deque[ReadableSpan] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._ended = self._exported = self._rejected = self._dropped = 0
        self._flushing = 0
        self._closing = False
        self._closed = False
        self._warned_s: float | None = None

    @property
    def tally(self) -> Tally:
        with self._changed:
            return Tally(self._ended, self._exported, self._rejected, self._dropped, len(self._waiting))

    def on_end(self, span: ReadableSpan) -> None:
        if span.context is None or not span.context.trace_flags.sampled:
            return
        with self._changed:
            self._ended += 1
            if len(self._waiting) >= self._rules.max_waiting or self._closing:
                self._dropped += 1
                self._warn("spans are dropped: %d of %d so far", self._dropped, self._ended)
                return
            self._waiting.append(span)
            if self._thread is None:
                self._start()
            elif len(self._waiting) == self._rules.batch:
                self._changed.notify_all()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what waits now; False when that took longer."""
        with self._changed:
            self._flushing += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(lambda: not self._waiting or self._closed, timeout_millis / 1000)
            finally:
                self._flushing -= 1

    def close(self, within_s: float) -> None:
        """Send what waits, but no longer than that; the rest is counted as dropped."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(within_s)
        with self._changed:
            self._closed = True
            self._dropped += len(self._waiting)
            self._waiting.clear()
            if self._dropped or self._rejected:
                _log.warning("of %d spans %d were dropped and %d rejected", self._ended, self._dropped, self._rejected)

    def shutdown(self) -> None:
        self.close(5.0)

    def _run(self) -> None:
        otel_context.attach(otel_context.set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))  # no spans about sending spans
        pause_s = 0.0
        while True:
            with self._changed:
                self._changed.wait_for(self._is_urgent, self._rules.interval_s)
                batch = list(islice(self._waiting, self._rules.batch))
                if not batch:
                    if self._closing:
                        return
                    continue
            sent = self._sent(batch)
            with self._changed:
                if self._closed:
                    return
                if sent.again:
                    if self._closing:
                        return
                    pause_s = next_pause(pause_s, sent.retry_after_s, random.random())
                    self._warn("spans wait, %d so far: %s", len(self._waiting), sent.why)
                    self._changed.wait_for(lambda: self._closing, pause_s)
                    continue
                pause_s = 0.0
                for _ in batch:
                    self._waiting.popleft()
                rejected = min(sent.rejected, len(batch))
                self._rejected += rejected
                self._exported += len(batch) - rejected
                if rejected:
                    self._warn("the gateway rejected %d of %d spans: %s", rejected, len(batch), sent.why)
                self._changed.notify_all()

    def _is_urgent(self) -> bool:
        return self._closing or bool(self._flushing and self._waiting) or len(self._waiting) >= self._rules.batch

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="llmops-tracing", daemon=True)
        with suppress(RuntimeError):  # the process is ending: what waits is counted in `close`
            thread.start()
            self._thread = thread

    def _sent(self, batch: list[ReadableSpan]) -> Sent:
        try:
            return self._send(batch)
        except Exception as exc:  # noqa: BLE001 - the border of the thread: what cannot be sent must not end it
            return Sent(rejected=len(batch), why=f"they could not be written: {exc!r}")

    def _warn(self, message: str, *values: object) -> None:
        """At most once a minute: an outage must not fill the application's log."""
        now_s = time.monotonic()
        if self._warned_s is None or now_s - self._warned_s >= _WARN_EVERY_S:
            self._warned_s = now_s
            _log.warning(message, *values)


def _begin_again(export: "weakref.ref[Export]") -> None:
    if (forked := export()) is not None:
        forked._begin()
