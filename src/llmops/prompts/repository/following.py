"""What gateways keep in memory of prompts: where their labels are, and the versions that they ask for.

Rows are stamped with the counter of prompts, so that what has changed since a look is found by an index.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import and_, func, or_, select

from ...store.database import Database
from ...store.tables import prompt_versions, prompts
from ..prompt import Version
from .rows import SUBJECT, labels_of, version_of, versions_query

_AT_ONCE = 300
_PAIRS_AT_ONCE = 100


class Known(NamedTuple):
    """A prompt as it is now. ``archived``: put away, and so for nobody to be called with."""

    id: int
    tenant: str
    name: str
    last_number: int
    labels: dict[str, int]
    archived: bool


class Changes(NamedTuple):
    newest: int
    """The highest stamp among them."""
    prompts: list[Known]


class PromptFollowing:
    """Methods block: call them from a thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def version(self) -> int:
        return self._database.version(SUBJECT)

    def changes(self, since: int | None) -> Changes:
        """All prompts that were written after a look at that counter; all there are for None."""
        if not self._database.exists:
            return Changes(0, [])
        columns = prompts.c
        query = select(prompts).order_by(columns.id)
        if since is not None:
            query = query.where(columns.version > since)
        found: list[Known] = []
        with self._database.read() as connection:
            newest = connection.execute(select(func.max(columns.version))).scalar() or 0
            rows = connection.execute(query).all()
            for begin in range(0, len(rows), _AT_ONCE):
                some = rows[begin : begin + _AT_ONCE]
                labels = labels_of(connection, [row.id for row in some])
                found += [
                    Known(
                        row.id,
                        row.tenant,
                        row.name,
                        row.last_number,
                        labels.get(row.id, {}),
                        row.archived_at_ms is not None,
                    )
                    for row in some
                ]
        return Changes(int(newest), found)

    def contents(self, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Version]:
        """Versions by prompt and number, without their labels; what is not there is left out.

        Each is asked for by itself: SQLite looks through a whole table for a list of pairs.
        """
        columns = prompt_versions.c
        found = {}
        with self._database.read() as connection:
            for begin in range(0, len(keys), _PAIRS_AT_ONCE):
                some = keys[begin : begin + _PAIRS_AT_ONCE]
                wanted = or_(*(and_(columns.prompt_id == each, columns.number == number) for each, number in some))
                for row in connection.execute(versions_query().where(wanted)):
                    found[row.prompt_id, row.number] = version_of(row, {})
        return found
