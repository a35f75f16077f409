"""The control plane: ``/api`` and its documentation at ``/docs``, on FastAPI.

The framework is imported on the first request to it, so that a gateway that only carries calls starts sooner and stays
smaller.
"""

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from .asgi import Receive, Scope, Send

if TYPE_CHECKING:
    from fastapi import FastAPI


class Inventory(Protocol):
    """What the control plane shows."""

    def status(self) -> dict[str, Any]: ...
    def models(self) -> list[dict[str, Any]]: ...
    def config(self) -> dict[str, Any]: ...


class ControlPlane:
    """An ASGI endpoint that becomes a FastAPI application on first use."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._app: FastAPI | None = None
        self._building = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._building:
            if self._app is None:
                self._app = await asyncio.to_thread(build, self._inventory)
            app = self._app
        await app(scope, receive, send)


def build(inventory: Inventory) -> "FastAPI":
    """The FastAPI application over an inventory."""
    from fastapi import FastAPI
    from fastapi.responses import JSONResponse

    from ..version import __version__

    app = FastAPI(title="LLMOps Lab control plane", version=__version__, docs_url="/docs", openapi_url="/openapi.json")

    @app.get("/api/status", summary="Version, uptime, load and the state of the configuration")
    async def status() -> JSONResponse:
        return JSONResponse(inventory.status())

    @app.get("/api/models", summary="Public models and the deployments behind them")
    async def models() -> JSONResponse:
        return JSONResponse(inventory.models())

    @app.get("/api/config", summary="The configuration in force, secrets masked")
    async def config() -> JSONResponse:
        return JSONResponse(inventory.config())

    return app
