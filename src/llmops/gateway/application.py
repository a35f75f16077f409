"""The ASGI application: which path is served by whom, and the life of the process around it.

The hot routes are looked up in one dictionary, before the control plane's framework sees anything.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from ..dialects.dialect import ClientDialect
from ..errors import Draining, LLMOpsError, MethodNotAllowed, UnknownRoute
from ..types import Operation
from .asgi import Message, Receive, Response, Scope, Send
from .data_plane import DataPlane
from .intake import Arrival

HOT_ROUTES: dict[str, Operation] = {
    "/v1/chat/completions": "chat",
    "/v1/responses": "responses",
    "/v1/messages": "messages",
    "/v1/messages/count_tokens": "count_tokens",
    "/v1/embeddings": "embeddings",
}

Endpoint = Callable[[Scope, Receive, Send], Awaitable[None]]


class Lifecycle(Protocol):
    """What happens at the edges of the process's life."""

    refusing: bool
    """Draining has come so far that new calls are turned away."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class Application:
    """Dispatches: hot routes, other plain routes, the control plane, and for the rest an error in the right dialect."""

    def __init__(
        self,
        *,
        data_plane: DataPlane,
        lifecycle: Lifecycle,
        get_routes: dict[str, Endpoint],
        post_routes: dict[str, Endpoint],
        control_plane: Endpoint,
        openai_dialect: ClientDialect,
        anthropic_dialect: ClientDialect,
    ) -> None:
        self.data_plane = data_plane
        self.lifecycle = lifecycle
        self.get_routes = get_routes
        self.post_routes = post_routes
        self.control_plane = control_plane
        self._openai_dialect = openai_dialect
        self._anthropic_dialect = anthropic_dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            operation = HOT_ROUTES.get(scope["path"])
            if operation is not None and scope["method"] == "POST" and not self.lifecycle.refusing:
                await self.data_plane.serve(operation, scope, receive, send)
            else:
                await self._serve_other(operation, scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "websockets are not served here"})

    def refuse_at_once(self, scope: Scope) -> Response | None:
        """The answer to a call that is turned away unread at overload; None for everything else."""
        operation = HOT_ROUTES.get(scope["path"])
        if operation is None or scope["method"] != "POST" or self.lifecycle.refusing:
            return None
        return self.data_plane.admit(operation, scope)

    async def _serve_other(self, operation: Operation | None, scope: Scope, receive: Receive, send: Send) -> None:
        arrival = self.data_plane.arrive(scope)
        try:
            endpoint = self._endpoint(operation, scope["path"], scope["method"])
            await endpoint(scope, receive, _identified(send, arrival))
        except LLMOpsError as error:
            anthropic = scope["path"].startswith("/v1/messages") or any(
                name == b"anthropic-version" for name, _ in scope["headers"]
            )
            dialect = self._anthropic_dialect if anthropic else self._openai_dialect
            await self.data_plane.refuse(error, operation or "unknown", dialect, arrival, send)

    def _endpoint(self, operation: Operation | None, path: str, method: str) -> Endpoint:
        """Who serves a path that is not a call; an error for what nobody does."""
        if operation is not None and method == "POST":
            raise Draining("the gateway is shutting down; try again, another replica will answer", retry_after_s=1)
        if operation is not None:
            raise MethodNotAllowed(f"{path} is called with POST, not {method[:20]}")
        if path.startswith(("/api/", "/ofrep/", "/docs", "/openapi.json")):
            return self.control_plane
        if path in self.post_routes:
            if method != "POST":
                raise MethodNotAllowed(f"{path} is called with POST, not {method[:20]}")
            return self.post_routes[path]
        endpoint = self.get_routes.get("/v1/models" if path.startswith("/v1/models/") else path)
        if endpoint is None:
            offered = ", ".join([*HOT_ROUTES, *self.post_routes, "/v1/models"])
            raise UnknownRoute(f"there is no path {path[:200]!r} here; the data plane offers {offered}")
        if method not in ("GET", "HEAD"):
            raise MethodNotAllowed(f"{path[:200]} is called with GET, not {method[:20]}")
        return endpoint

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.lifecycle.start()
        except (LLMOpsError, OSError) as exc:
            await send({"type": "lifespan.startup.failed", "message": str(exc)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.lifecycle.stop()
        await send({"type": "lifespan.shutdown.complete"})


def _identified(send: Send, arrival: Arrival) -> Send:
    """``send`` with the request's identity on the response, for endpoints that do not know of it."""

    async def identified(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *arrival.response_headers()]
        await send(message)

    return identified
