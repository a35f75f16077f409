"""Usage summed up by tenant, key, model, user, tag and day, from the sums by day.

Tags are told apart here and not by the database: it groups by their JSON as it stands, which both engines do alike.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec
from sqlalchemy import Select, func, select

from ....store.database import Database
from ....store.tables import usage_days

TAG = "tag:"
_COLUMNS = {
    "tenant": usage_days.c.tenant,
    "key": usage_days.c.key_id,
    "model": usage_days.c.model,
    "user": usage_days.c.user,
    "day": usage_days.c.day,
}
DIMENSIONS = tuple(_COLUMNS)
_MOST_NAMES = 100
_decode_tags = msgspec.json.Decoder(dict[str, str]).decode


class Used(msgspec.Struct, gc=False):
    """What some calls used. ``nanousd`` is what the priced ones cost; ``unpriced`` counts the others."""

    calls: int = 0
    errors: int = 0
    unpriced: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    nanousd: int = 0
    cached_calls: int = 0
    saved_nanousd: int = 0
    """Answers from the cache, and what they would have cost."""

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def add(self, other: "Used") -> None:
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


_SUMS = [func.sum(usage_days.c["cost_nanousd" if name == "nanousd" else name]) for name in Used.__struct_fields__]


class UsageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Whose calls count: of these days (both included), and where given of one tenant, key, model, user, and tags."""

    first: date | None = None
    last: date | None = None
    tenant: str | None = None
    key: str | None = None
    model: str | None = None
    user: str | None = None
    tags: Mapping[str, str] = {}


EVERYTHING = UsageFilter()


class UsageRepository:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sums(self, by: Sequence[str], wanted: UsageFilter = EVERYTHING) -> dict[tuple[str | None, ...], Used]:
        """What was used, by the values of these dimensions (`DIMENSIONS`, ``tag:<name>``); None where a call has none.

        Without dimensions there is one sum, under the empty tuple.
        """
        tags = [name.removeprefix(TAG) for name in by if name.startswith(TAG)]
        plain = [name for name in by if not name.startswith(TAG)]
        found: dict[tuple[str | None, ...], Used] = {}
        for values, its_tags, used in self._rows(plain, bool(tags), wanted):
            given = dict(zip(plain, values, strict=True))
            key = tuple(its_tags.get(name[len(TAG) :]) if name.startswith(TAG) else given[name] for name in by)
            if key in found:
                found[key].add(used)
            else:
                found[key] = used
        return found

    def last_days(self, tenant: str | None = None) -> dict[str, date]:
        """The last day (UTC) with a call, by key, of one tenant's keys or of all."""
        if not self._database.exists:
            return {}
        query = _restricted(select(usage_days.c.key_id, func.max(usage_days.c.day)), UsageFilter(tenant=tenant))
        query = query.where(usage_days.c.key_id.is_not(None)).group_by(usage_days.c.key_id)
        with self._database.read() as connection:
            return {key_id: day for key_id, day in connection.execute(query)}

    def tag_names(self, wanted: UsageFilter = EVERYTHING) -> list[str]:
        """Names of the tags that calls had, in their order; `_MOST_NAMES` at most."""
        if not self._database.exists:
            return []
        names: set[str] = set()
        with self._database.read() as connection:
            query = _restricted(select(usage_days.c.tags).distinct(), wanted)
            for tags in connection.execute(query).scalars():
                names.update(_decode_tags(tags))
        return sorted(names)[:_MOST_NAMES]

    def totals(self, by: Sequence[str], since: date) -> dict[tuple[str | None, ...], tuple[int, int]]:
        """Tokens and nano-dollars since a day, by the values that `spend.rule.value_of` gives to these dimensions:
        users and tags within their tenant."""
        inner = [name for name in by if name != "tenant"]
        found: dict[tuple[str | None, ...], tuple[int, int]] = {}
        for (tenant, *values), used in self.sums(["tenant", *inner], UsageFilter(first=since)).items():
            given = dict(zip(inner, values, strict=True)) | {"tenant": tenant}
            key = tuple(_within(tenant, name, given[name]) for name in by)
            tokens, nanousd = found.get(key, (0, 0))
            found[key] = tokens + used.tokens, nanousd + used.nanousd
        return found

    def _rows(
        self, plain: Sequence[str], tagged: bool, wanted: UsageFilter
    ) -> Iterator[tuple[list[str | None], Mapping[str, str], Used]]:
        tagged = tagged or bool(wanted.tags)
        groups = [_COLUMNS[name] for name in plain] + ([usage_days.c.tags] if tagged else [])
        query = _restricted(select(*groups, *_SUMS), wanted).group_by(*groups)
        if not self._database.exists:
            return
        with self._database.read() as connection:
            for rows in connection.execute(query, execution_options={"yield_per": 2000}).partitions():
                for row in rows:
                    if row[len(groups)] is None:  # the sum of nothing
                        continue
                    its_tags = _decode_tags(row[len(plain)]) if tagged else {}
                    if any(its_tags.get(name) != value for name, value in wanted.tags.items()):
                        continue
                    values = [value if value is None else str(value) for value in row[: len(plain)]]
                    yield values, its_tags, Used(*map(int, row[len(groups) :]))


def _restricted(query: Select[Any], wanted: UsageFilter) -> Select[Any]:
    columns = usage_days.c
    if wanted.first is not None:
        query = query.where(columns.day >= wanted.first)
    if wanted.last is not None:
        query = query.where(columns.day <= wanted.last)
    for column, value in (
        (columns.tenant, wanted.tenant),
        (columns.key_id, wanted.key),
        (columns.model, wanted.model),
        (columns.user, wanted.user),
    ):
        if value is not None:
            query = query.where(column == value.replace("\0", "\N{REPLACEMENT CHARACTER}"))
    return query


def _within(tenant: str | None, dimension: str, value: str | None) -> str | None:
    if value is not None and (dimension == "user" or dimension.startswith(TAG)):
        return f"{tenant}/{value}"
    return value
