"""What the gateway shows of itself: state, models, configuration."""

from typing import Any

from fastapi import APIRouter

from ..control_plane import Inventory
from .roles import Admin, Viewer


def router(shown: Inventory) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["gateway"])

    @routes.get("/status", summary="Version, load and what is not in effect yet")
    async def status(_caller: Viewer) -> dict[str, Any]:
        return shown.status()

    @routes.get("/models", summary="Public models and the deployments behind them")
    async def models(_caller: Viewer) -> list[dict[str, Any]]:
        return shown.models()

    @routes.get("/deployments", summary="Deployments with their health, load and latency")
    async def deployments(_caller: Viewer) -> list[dict[str, Any]]:
        return shown.deployments()

    @routes.get("/config", summary="The configuration in force, secrets masked")
    async def config(_caller: Admin) -> dict[str, Any]:
        return shown.config()

    return routes
