"""The HTTP surface: wire to `Call`, `Reply` to wire, server-sent events; no policy logic.

``app`` is the ASGI application (``uvicorn llmops.gateway:app``); it is built on first use, from the configuration that
is in force then.
"""

from typing import Any

__all__ = ["app"]


def __getattr__(name: str) -> Any:
    if name == "app":
        # The one arrow that points up, and only when a server asks for the application.
        from ..assembly import build_gateway

        globals()["app"] = build_gateway()
        return globals()["app"]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
