"""Traces of an application's own steps, sent to the gateway, with the gateway's calls as their leaves::

    from llmops import tracing

    tracing.configure(endpoint="http://127.0.0.1:8000", service="shop")

    @tracing.step("retrieve")
    def retrieve(question: str) -> list[str]: ...

Built on OpenTelemetry's API, so that spans of other instrumentations and these are one tree. Nothing that was said is
recorded unless `configure` is told so; a gateway that is slow or gone never slows the application.
"""

from .configuration import configure, flush, provider, shutdown, tally
from .context import continue_from, headers, labelled, on_request, on_request_async
from .export import Tally
from .step import Kind, Step, step

__all__ = [
    "Kind",
    "Step",
    "Tally",
    "configure",
    "continue_from",
    "flush",
    "headers",
    "labelled",
    "on_request",
    "on_request_async",
    "provider",
    "shutdown",
    "step",
    "tally",
]
