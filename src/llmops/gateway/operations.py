"""The plain GET routes: ``/health`` (alive), ``/ready`` (can serve), ``/metrics`` (Prometheus), ``/v1/models``."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from ..errors import UnknownModel
from ..identity.key import DEFAULT_TENANT
from ..version import __version__
from .access import Access
from .application import Endpoint
from .asgi import JSON, TEXT, Receive, Scope, Send, send_body

_PAGE = {"has_more": False}


class State(Protocol):
    """What the process knows of itself."""

    draining: bool
    config_generation: int
    config_error: str | None
    config_read_at_s: float

    def degradations(self) -> list[str]: ...


def get_routes(
    state: State,
    access: Access,
    names: Callable[[], Iterable[str]],
    scrape: Callable[[], Awaitable[bytes]],
    started_at_s: Callable[[], float],
    released: Callable[[str], Iterable[str]] = lambda _tenant: (),
) -> dict[str, Endpoint]:
    """The routes by path; they raise `LLMOpsError` where they refuse. ``scrape`` gives the exposition text,
    ``released`` the released names that a tenant sees."""

    async def root(scope: Scope, receive: Receive, send: Send) -> None:
        await _send_json(
            send,
            200,
            {
                "service": "LLMOps Lab gateway",
                "version": __version__,
                "documentation": "/docs",
                "data_plane": ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/embeddings", "/v1/models"],
            },
        )

    async def health(scope: Scope, receive: Receive, send: Send) -> None:
        problems = state.degradations()
        await _send_json(
            send,
            200,
            {
                "status": "degraded" if problems else "ok",
                "problems": problems,
                "version": __version__,
                "config_generation": state.config_generation,
                "config_error": state.config_error,
                "config_read_at_s": state.config_read_at_s,
            },
        )

    async def ready(scope: Scope, receive: Receive, send: Send) -> None:
        if state.draining:
            await _send_json(send, 503, {"status": "draining"})
        else:
            await _send_json(send, 200, {"status": "ready"})

    async def metrics(scope: Scope, receive: Receive, send: Send) -> None:
        access.caller(scope, "viewer")
        await send_body(send, 200, [TEXT], await scrape())

    async def models(scope: Scope, receive: Receive, send: Send) -> None:
        shape = _anthropic_model if _is_anthropic(scope) else _openai_model
        created_s = int(started_at_s())
        wanted = scope["path"].removeprefix("/v1/models").strip("/")
        key = access.any_key(scope)
        offered = {*names(), *released(key.tenant if key is not None else DEFAULT_TENANT)}
        known = access.visible_models(key, sorted(offered))
        if not wanted:
            listed = [shape(name, created_s) for name in known]
            extra = _PAGE | {"first_id": known[0], "last_id": known[-1]} if known and _is_anthropic(scope) else {}
            await _send_json(send, 200, {"object": "list", "data": listed, **extra})
        elif wanted in known:
            await _send_json(send, 200, shape(wanted, created_s))
        else:
            raise UnknownModel(
                f"the model {wanted[:100]!r} does not exist here; configured: {', '.join(known)}", param="model"
            )

    return {"/": root, "/health": health, "/ready": ready, "/metrics": metrics, "/v1/models": models}


async def _send_json(send: Send, status: int, value: Any) -> None:
    await send_body(send, status, [JSON], msgspec.json.encode(value))


def _is_anthropic(scope: Scope) -> bool:
    return any(name == b"anthropic-version" for name, _ in scope["headers"])


def _openai_model(name: str, created_s: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created_s, "owned_by": "llmops-lab"}


def _anthropic_model(name: str, created_s: int) -> dict[str, Any]:
    created_at = datetime.fromtimestamp(created_s, UTC).isoformat().replace("+00:00", "Z")
    return {"type": "model", "id": name, "display_name": name, "created_at": created_at}
