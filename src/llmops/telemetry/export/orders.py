"""What the gateway tells the process that exports, and what it hears of it: a line of JSON each."""

import os
from pathlib import Path

import msgspec

from ...settings import Settings
from .counts import Status
from .destination import Destination, destinations_of

NOT_MINE = 3
"""Exit status: another process exports what is in this folder."""


class Orders(msgspec.Struct, kw_only=True):
    """``log`` is the request log's present file, ``spool`` the folder of the spans from outside."""

    database_url: str
    log: str
    spool: str
    destinations: list[Destination]


class Report(msgspec.Struct, kw_only=True):
    exports: list[Status] = []
    failing: str | None = None


def orders_of(settings: Settings, log: Path, spool: Path) -> Orders | None:
    """The orders of these settings; None where nothing is exported. `ConfigError` where a secret is missing."""
    if not settings.exports:
        return None
    destinations = destinations_of(settings.exports, os.environ, settings.traces.semconv)
    return Orders(
        database_url=settings.database.url,
        log=str(log.absolute()),
        spool=str(spool.absolute()),
        destinations=destinations,
    )
