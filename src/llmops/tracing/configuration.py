"""Where an application's steps go: one configuration for the process, and its end.

Without `configure`, steps go to OpenTelemetry's global provider, where the application has set one, and nowhere else.
"""

import atexit
from typing import TYPE_CHECKING, NamedTuple

from opentelemetry import trace

from ..version import __version__
from .export import Export, Rules, Tally
from .post import Post

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_SCOPE = "llmops.tracing"


class _Configured(NamedTuple):
    provider: "TracerProvider"
    export: Export
    tracer: trace.Tracer
    capture_content: bool
    exit_s: float


_configured: _Configured | None = None
_NOTHING = Tally(0, 0, 0, 0, 0)


def configure(
    *,
    endpoint: str = "http://127.0.0.1:8000",
    api_key: str | None = None,
    service: str,
    release_id: str | None = None,
    capture_content: bool = False,
    max_waiting: int = 10_000,
    interval_s: float = 1.0,
    timeout_s: float = 10.0,
    exit_s: float = 3.0,
) -> None:
    """Send steps to the gateway at ``endpoint``, as the tenant of ``api_key``.

    ``capture_content``: record what functions were given and returned, and the words of exceptions. At most
    ``max_waiting`` spans are held. At the end of the process at most ``exit_s`` seconds go into sending what is left.
    Configuring again ends what was there. Raises `ValueError` for an impossible endpoint.
    """
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    global _configured
    export = Export(Post(endpoint, api_key, timeout_s), Rules(max_waiting=max_waiting, interval_s=interval_s))
    about = {"service.name": service} | ({"llmops.release_id": release_id} if release_id is not None else {})
    made = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
    made.add_span_processor(export)
    shutdown()
    _configured = _Configured(made, export, made.get_tracer(_SCOPE, __version__), capture_content, exit_s)
    atexit.register(shutdown)


def shutdown() -> None:
    """Send what waits, for a few seconds at most, and stop; later steps are not recorded. Also done at exit."""
    global _configured
    ending, _configured = _configured, None
    if ending is not None:
        atexit.unregister(shutdown)
        ending.export.close(ending.exit_s)


def flush(timeout_s: float = 30.0) -> bool:
    """Send what waits now; False when that took longer."""
    return _configured is None or _configured.export.force_flush(int(timeout_s * 1000))


def tally() -> Tally:
    """What became of the spans so far."""
    return _configured.export.tally if _configured is not None else _NOTHING


def provider() -> "TracerProvider":
    """For other instrumentations, so that their spans go the same way; `RuntimeError` before `configure`."""
    if _configured is None:
        raise RuntimeError("there is no provider before tracing.configure(…)")
    return _configured.provider


def tracer() -> trace.Tracer:
    return _configured.tracer if _configured is not None else trace.get_tracer(_SCOPE, __version__)


def captures_content() -> bool:
    return _configured is not None and _configured.capture_content
