"""One look at drift from the shell: the log is read to its end, and two windows of the database are compared."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack

from ..app import Stack
from ..evals.drift.exchange import DriftReport
from ..evals.drift.looking import look
from ..evals.repository.drift import DriftRepository
from ..evals.scorers.rag.embedder import Embedder
from ..opening import open_log
from ..settings import Settings
from ..spend.usage.directory import UsageDirectory
from ..store.database import Database
from .online_evals import StackEmbedder


async def look_once(
    settings: Settings,
    where: Mapping[str, str],
    reference: tuple[float, float],
    current: tuple[float, float],
    *,
    least: int,
    most: int,
    embedding_model: str | None = None,
) -> DriftReport:
    """Nothing is kept of it."""
    database = Database(settings.database.url)
    try:
        usage = UsageDirectory(database, open_log(settings).path, lambda: settings.traces.keeps_texts)
        await asyncio.to_thread(usage.catch_up)
        async with AsyncExitStack() as opened:
            embedder: Embedder | None = None
            if embedding_model is not None:
                embedder = StackEmbedder(await opened.enter_async_context(Stack(settings)), embedding_model)
            return await look(
                DriftRepository(database),
                "shell",
                where,
                reference,
                current,
                time.time(),
                least=least,
                most=most,
                embedder=embedder,
            )
    finally:
        database.close()
