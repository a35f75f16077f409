"""What reading and writing prompts share: finding a prompt's row, and versions out of rows."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, select

from ...errors import NotFound
from ...store.tables import prompt_labels, prompt_versions, prompts
from ..prompt import LATEST, Content, Selector, Version

SUBJECT = "prompts"
_decode = msgspec.json.Decoder(Content).decode
_pins = msgspec.json.Decoder(dict[str, str]).decode
_COLUMNS = select(
    prompts.c.tenant,
    prompts.c.name,
    prompts.c.last_number,
    prompt_versions.c.prompt_id,
    prompt_versions.c.number,
    prompt_versions.c.digest,
    prompt_versions.c.author,
    prompt_versions.c.comment,
    prompt_versions.c.created_at_ms,
    prompt_versions.c.pins,
    prompt_versions.c.body,
    prompt_versions.c.resolved,
).join_from(prompt_versions, prompts, prompts.c.id == prompt_versions.c.prompt_id)


def prompt_row(connection: Connection, tenant: str, name: str, *, archived: bool = False) -> Row[Any] | None:
    """The row of a prompt that is there; with ``archived`` also of one that is put away."""
    query = select(prompts).where(prompts.c.tenant == tenant, prompts.c.name == name)
    if not archived:
        query = query.where(prompts.c.archived_at_ms.is_(None))
    return connection.execute(query).one_or_none()


def known_row(connection: Connection, tenant: str, name: str) -> Row[Any]:
    found = prompt_row(connection, tenant, name)
    if found is None:
        raise missing(name)
    return found


def missing(name: str, selector: Selector | None = None) -> NotFound:
    which = f"version or label {selector.shown!r} of the prompt" if selector is not None else "prompt"
    return NotFound(f"there is no {which} {name[:100]!r}", param="prompt")


def labels_of(connection: Connection, prompt_ids: Iterable[int]) -> dict[int, dict[str, int]]:
    """Labels and their numbers by prompt, without the one that is always at the newest."""
    columns = prompt_labels.c
    query = select(columns.prompt_id, columns.label, columns.number).order_by(columns.label)
    found: dict[int, dict[str, int]] = {}
    for prompt_id, label, number in connection.execute(query.where(columns.prompt_id.in_(list(prompt_ids)))):
        found.setdefault(prompt_id, {})[label] = number
    return found


def number_of(connection: Connection, row: Row[Any], selector: Selector) -> int | None:
    """The number that is meant of a prompt's row; None where it has no such version or label."""
    if selector.number is not None:
        return selector.number if selector.number <= row.last_number else None
    if selector.label == LATEST:
        return int(row.last_number) or None
    columns = prompt_labels.c
    query = select(columns.number).where(columns.prompt_id == row.id, columns.label == selector.label)
    found: int | None = connection.execute(query).scalar()
    return found


def versions_query(prompt_id: int | None = None, numbers: Sequence[int] | None = None) -> Select[Any]:
    query = _COLUMNS if prompt_id is None else _COLUMNS.where(prompt_versions.c.prompt_id == prompt_id)
    return query if numbers is None else query.where(prompt_versions.c.number.in_(list(numbers)))


def version_of(row: Any, labels: dict[str, int]) -> Version:
    content = _decode(row.body)
    held = [label for label, number in labels.items() if number == row.number]
    return Version(
        tenant=row.tenant,
        name=row.name,
        number=row.number,
        content=content,
        resolved=content if row.resolved is None else _decode(row.resolved),
        pins={} if row.pins is None else _pins(row.pins),
        digest=row.digest,
        author=row.author,
        comment=row.comment,
        created_at_ms=row.created_at_ms,
        labels=(*held, *([LATEST] if row.number == row.last_number else [])),
    )
