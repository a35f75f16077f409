"""Writing prompts: versions that never change, labels that are moved by comparison, comments.

Versions are numbered per prompt in the transaction that writes them. Whoever moves a label says where it is believed to
be: of two who move it at the same time one wins, and the other is told who has moved it to what. A prompt that is
removed is put away: its versions stay, and whoever publishes the name again goes on counting.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select, update

from ...errors import Conflict, InvalidRequest
from ...store.database import Database
from ...store.tables import prompt_comments, prompt_labels, prompt_moves, prompt_versions, prompts
from ..prompt import LATEST, Content, Selector, Version, checked_label
from .reading import PromptReader
from .rows import SUBJECT, known_row, missing, number_of, prompt_row, versions_query

_MAX_LABELS = 100
_MAX_VERSIONS = 100_000


class Anywhere:
    """Instead of where a label is believed to be: wherever it is."""


class PromptRepository(PromptReader):
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def publish(
        self,
        tenant: str,
        name: str,
        content: Content,
        resolved: Content,
        pins: dict[str, str],
        *,
        author: str,
        comment: str,
        now_ms: int,
        tags: Sequence[str] | None = None,
        parent: int | None = None,
    ) -> tuple[Version, bool]:
        """The newest version with this content, and whether it is new: what is the same as the newest is that one.

        ``parent`` is the number that the newest is believed to have (0: the prompt is believed to be new); `Conflict`
        where it is another.
        """
        with self._database.write(SUBJECT) as connection:
            row = prompt_row(connection, tenant, name, archived=True)
            if row is None:
                row = _created(connection, tenant, name, content, now_ms)
            number = int(row.last_number)
            if parent is not None and parent != (0 if row.archived_at_ms is not None else number):
                latest = self._versions(connection, row.id, [number])[0]
                raise Conflict(
                    f"{name} is at version {number} by now, written by {latest.author}, not at {parent}: look at it "
                    "and try again",
                    param="parent",
                )
            latest_digest, latest_pins = _written(connection, row.id, number)
            is_new = latest_digest != content.digest or latest_pins != pins
            if is_new:
                number += 1
                _add_version(connection, row.id, number, content, resolved, pins, author, comment, now_ms)
            changed: dict[str, Any] = {"last_number": number, "kind": content.kind, "archived_at_ms": None}
            if tags is not None:
                changed["tags"] = msgspec.json.encode(list(tags)).decode()
            _touch(connection, row.id, now_ms, **changed)
            return self._versions(connection, row.id, [number])[0], is_new

    def move(
        self,
        tenant: str,
        name: str,
        label: str,
        selector: Selector,
        *,
        expected: int | type[Anywhere] | None = Anywhere,
        who: str,
        reason: str,
        now_ms: int,
    ) -> tuple[int | None, int]:
        """Point a label to a version; where it was and is. ``expected`` is where it is believed to be (None: nowhere
        yet); `Conflict` where it is not."""
        _movable(label)
        with self._database.write(SUBJECT) as connection:
            row = known_row(connection, tenant, name)
            number = number_of(connection, row, selector)
            if number is None:
                raise missing(name, selector)
            before = _expect(connection, row, label, expected, now_ms)
            if before != number:
                _point(connection, row, label, before, number, who, reason, now_ms)
            _stamp(connection, row.id)
            return before, number

    def take_away(
        self,
        tenant: str,
        name: str,
        label: str,
        *,
        expected: int | type[Anywhere] | None = Anywhere,
        who: str,
        reason: str,
        now_ms: int,
    ) -> int:
        """Take a label away; where it was."""
        _movable(label)
        with self._database.write(SUBJECT) as connection:
            row = known_row(connection, tenant, name)
            before = _expect(connection, row, label, expected, now_ms)
            if before is None:
                raise missing(name, Selector(label=label))
            _point(connection, row, label, before, None, who, reason, now_ms)
            return before

    def roll_back(self, tenant: str, name: str, label: str, *, who: str, reason: str, now_ms: int) -> tuple[int, int]:
        """Point a label to where it was before somebody moved it to where it is; from where and to where."""
        _movable(label)
        columns = prompt_moves.c
        with self._database.write(SUBJECT) as connection:
            row = known_row(connection, tenant, name)
            now = number_of(connection, row, Selector(label=label))
            if now is None:
                raise missing(name, Selector(label=label))
            forward = (columns.prompt_id == row.id, columns.label == label, columns.is_rollback.is_(False))
            query = select(columns.before).where(*forward, columns.number == now).order_by(columns.id.desc()).limit(1)
            before: int | None = connection.execute(query).scalar()
            if before is None:
                raise Conflict(f"the label {label!r} of {name} has not been anywhere before version {now}")
            _point(connection, row, label, now, before, who, reason, now_ms, is_rollback=True)
            return now, before

    def comment(self, tenant: str, name: str, number: int, text: str, *, author: str, now_ms: int) -> int:
        """Say something of a version; the comment's id."""
        with self._database.write(SUBJECT) as connection:
            row = known_row(connection, tenant, name)
            if not 1 <= number <= row.last_number:
                raise missing(name, Selector(number=number))
            values = {"prompt_id": row.id, "number": number, "at_ms": now_ms, "author": author, "text": text}
            made = connection.execute(insert(prompt_comments).values(values)).inserted_primary_key
            _stamp(connection, row.id)
            return int(made[0]) if made is not None else 0

    def archive(self, tenant: str, name: str, *, who: str, reason: str, now_ms: int) -> None:
        """Put a prompt away, and take its labels away."""
        with self._database.write(SUBJECT) as connection:
            row = known_row(connection, tenant, name)
            columns = prompt_labels.c
            held = connection.execute(select(columns.label, columns.number).where(columns.prompt_id == row.id)).all()
            for label, number in held:
                _point(connection, row, label, number, None, who, reason, now_ms)
            _touch(connection, row.id, now_ms, archived_at_ms=now_ms)


def _created(connection: Connection, tenant: str, name: str, content: Content, now_ms: int) -> Row[Any]:
    values = {"created_at_ms": now_ms, "updated_at_ms": now_ms, "last_number": 0, "tags": "[]"}
    folder = name.rpartition("/")[0]
    identity = {"tenant": tenant, "name": name, "folder": folder, "kind": content.kind}
    version = Database.version_of(SUBJECT)
    connection.execute(insert(prompts).values(**identity, **values, version=version))
    return known_row(connection, tenant, name)


def _written(connection: Connection, prompt_id: int, number: int) -> tuple[str | None, dict[str, str]]:
    row = connection.execute(versions_query(prompt_id, [number])).one_or_none()
    if row is None:
        return None, {}
    return row.digest, msgspec.json.decode(row.pins) if row.pins is not None else {}


def _add_version(
    connection: Connection,
    prompt_id: int,
    number: int,
    content: Content,
    resolved: Content,
    pins: dict[str, str],
    author: str,
    comment: str,
    now_ms: int,
) -> None:
    if number > _MAX_VERSIONS:
        raise Conflict(f"a prompt has {_MAX_VERSIONS:,} versions at most")
    connection.execute(
        insert(prompt_versions).values(
            prompt_id=prompt_id,
            number=number,
            digest=content.digest,
            author=author,
            comment=comment,
            created_at_ms=now_ms,
            pins=msgspec.json.encode(pins).decode() if pins else None,
            body=_storable(content),
            resolved=_storable(resolved) if resolved is not content else None,
        )
    )


def _storable(content: Content) -> str:
    return msgspec.json.encode(content).decode()


def _touch(connection: Connection, prompt_id: int, now_ms: int, **changed: Any) -> None:
    _stamp(connection, prompt_id, updated_at_ms=now_ms, **changed)


def _stamp(connection: Connection, prompt_id: int, **changed: Any) -> None:
    """Every write leaves the counter's number on a row: a number that no row has means that somebody wrote past us."""
    values = {"version": Database.version_of(SUBJECT), **changed}
    connection.execute(update(prompts).where(prompts.c.id == prompt_id).values(values))


def _movable(label: str) -> None:
    if checked_label(label) == LATEST:
        raise InvalidRequest(
            "the label 'latest' is always at the newest version; publish one to move it", param="label"
        )


def _expect(
    connection: Connection, row: Row[Any], label: str, expected: int | type[Anywhere] | None, now_ms: int
) -> int | None:
    """Where the label is; `Conflict`, which says who has moved it, where that is not expected."""
    columns = prompt_labels.c
    found = connection.execute(
        select(prompt_labels).where(columns.prompt_id == row.id, columns.label == label)
    ).one_or_none()
    now: int | None = found.number if found is not None else None
    if expected is Anywhere or now == expected:
        return now
    believed = "nowhere yet" if expected is None else f"at version {expected}"
    if found is None:
        raise Conflict(f"the label {label!r} of {row.name} is nowhere, not {believed}: look at it and try again")
    ago_s = max(now_ms - found.moved_at_ms, 0) // 1000
    raise Conflict(
        f"the label {label!r} of {row.name} is at version {now}, not {believed}: {found.moved_by} moved it there "
        f"{ago_s} s ago; look at it and try again",
        param="expected",
    )


def _point(
    connection: Connection,
    row: Row[Any],
    label: str,
    before: int | None,
    number: int | None,
    who: str,
    reason: str,
    now_ms: int,
    *,
    is_rollback: bool = False,
) -> None:
    columns = prompt_labels.c
    connection.execute(delete(prompt_labels).where(columns.prompt_id == row.id, columns.label == label))
    if number is not None:
        held = connection.execute(select(columns.label).where(columns.prompt_id == row.id)).all()
        if len(held) >= _MAX_LABELS:
            raise Conflict(f"{row.name} has {_MAX_LABELS} labels, which is the most; take some away")
        values = {"number": number, "moved_at_ms": now_ms, "moved_by": who}
        connection.execute(insert(prompt_labels).values(prompt_id=row.id, label=label, **values))
    moved = {"before": before, "number": number, "is_rollback": is_rollback, "at_ms": now_ms}
    connection.execute(insert(prompt_moves).values(prompt_id=row.id, label=label, who=who, reason=reason, **moved))
    _touch(connection, row.id, now_ms)
