"""Exports to other tools over HTTP: how far they have come, what was refused or dropped and why."""

from typing import Any

import msgspec
from fastapi import APIRouter

from ...telemetry.export.repository.exports import ExportRepository
from .roles import Admin


def router(exports: ExportRepository) -> APIRouter:
    """Routes whose functions block on the database, and which FastAPI therefore runs in threads."""
    routes = APIRouter(prefix="/api", tags=["exports"])

    @routes.get("/exports", summary="What became of traces and scores on their way to other tools")
    def list_exports(_caller: Admin) -> list[dict[str, Any]]:
        return [
            {**msgspec.to_builtins(status), "place": place, "updated_at_s": at_s}
            for place, status, at_s in exports.all()
        ]

    return routes
