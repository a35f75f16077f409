"""Where a request stands in its trace, and whose it is: carried from step to step, and in headers from service to
service (https://www.w3.org/TR/trace-context/).
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_LABELS = "llmops-labels"
_MAX_LABEL_CHARS = 256
_propagator = TraceContextTextMapPropagator()

ATTRIBUTES = {
    "session": "session.id",
    "user": "user.id",
    "release_id": "llmops.release_id",
    "prompt_version": "llmops.prompt_version",
}
_HEADERS = {"session": "x-llmops-session", "user": "x-llmops-user"}


def headers() -> dict[str, str]:
    """What a call to the gateway, or to a service of one's own, carries along: the trace, the session and the user.

    For the OpenAI SDK: ``create(…, extra_headers=tracing.headers())``. Labels that are not ASCII stay behind, since not
    all clients can send them; they are in the trace all the same.
    """
    carried: dict[str, str] = {}
    _propagator.inject(carried)
    for label, value in labels().items():
        if label in _HEADERS and value.isascii():
            carried[_HEADERS[label]] = value
    return carried


@contextmanager
def continue_from(
    headers: Mapping[str, str] | Iterable[tuple[bytes, bytes]], *, trust_labels: bool = False
) -> Iterator[None]:
    """Steps inside belong to the trace of an incoming request; without a valid ``traceparent`` they begin one.

    ``headers`` as a mapping, or as the pairs of an ASGI scope. ``trust_labels``: believe its session and user too,
    which anybody may write.
    """
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    found = {_text(name).lower(): _text(value) for name, value in pairs}
    nowhere = trace.set_span_in_context(trace.INVALID_SPAN)
    token = otel_context.attach(_propagator.extract(found, nowhere))
    try:
        if trust_labels:
            sent = {label: found[name] for label, name in _HEADERS.items() if _is_label(found.get(name, ""))}
            with labelled(**sent):
                yield
        else:
            yield
    finally:
        otel_context.detach(token)


@contextmanager
def labelled(
    *,
    session: str | None = None,
    user: str | None = None,
    release_id: str | None = None,
    prompt_version: str | None = None,
) -> Iterator[None]:
    """Steps inside say this of themselves; what is not given stays as it is outside."""
    given = {"session": session, "user": user, "release_id": release_id, "prompt_version": prompt_version}
    for label, value in given.items():
        if value is not None and not _is_label(value):
            raise ValueError(f"{label} {value[:80]!r} is not 1 to {_MAX_LABEL_CHARS} printable characters")
    inside = labels() | {label: value for label, value in given.items() if value is not None}
    token = otel_context.attach(otel_context.set_value(_LABELS, inside))
    try:
        yield
    finally:
        otel_context.detach(token)


def _is_label(value: str) -> bool:
    return 0 < len(value) <= _MAX_LABEL_CHARS and value.isprintable()


def labels() -> dict[str, str]:
    """What is said of the present request."""
    found = otel_context.get_value(_LABELS)
    return found if isinstance(found, dict) else {}


class _Request(Protocol):
    """An httpx request, of whichever version."""

    @property
    def headers(self) -> "_Writable": ...


class _Writable(Protocol):
    def __setitem__(self, name: str, value: str, /) -> None: ...


def on_request(request: _Request) -> None:
    """Hook for httpx: ``httpx.Client(event_hooks={"request": [tracing.on_request]})``, also as the ``http_client`` of
    the OpenAI SDK."""
    for name, value in headers().items():
        request.headers[name] = value


async def on_request_async(request: _Request) -> None:
    """The same for ``httpx.AsyncClient``."""
    on_request(request)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
