"""Flags put together: the table that decides, what keeps it up to date, and what it counts."""

from collections.abc import Iterator

from ..app import Stack
from ..flags.directory import FlagDirectory
from ..flags.refresher import FlagRefresher
from ..flags.table import FlagTable
from ..store.database import Database
from ..telemetry.figures import Figure
from .service import Service, failing


class Flags:
    """Of a running gateway."""

    def __init__(self, stack: Stack, database: Database) -> None:
        self.table = FlagTable()
        self.directory = FlagDirectory(database, stack.parts.clock)
        self.refresher = FlagRefresher(
            self.directory.repository, self.table, period_s=stack.settings.auth.refresh_seconds
        )

    @property
    def services(self) -> list[Service]:
        refresher, table = self.refresher, self.table

        def figures() -> Iterator[Figure]:
            for labels, count in table.exposures.counts():
                yield Figure("llmops_flag_evaluations_total", count, labels)

        return [
            Service(
                refresher.start,
                refresher.aclose,
                lambda: [*failing("flags", refresher.failing), *table.problems()],
                figures,
            )
        ]
