"""Writing datasets: versions that never change, labels that move, uses that are counted; each change is an event.

A version stores only what it changes: a case's row says from which number on it holds and until which. So one changed
case of 100,000 is one new row, and any version is one query over an index. Numbers follow the order of writing; what
has the same content as an earlier version is that version, and gets no number.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, delete, exists, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from ....errors import Conflict, Forbidden, InvalidRequest
from ....store.database import Database
from ....store.tables import eval_cases, eval_dataset_events, eval_dataset_labels, eval_dataset_versions, eval_datasets
from ..batch import CaseBatch
from ..version import LATEST, Reference, Version, checked_label, checked_name, is_protected
from .reading import DatasetReader
from .rows import SUBJECT, dataset_id, known_id, number_of, version_of, versions_of

_IDS_AT_ONCE = 500
_ROWS_AT_ONCE = 2000
_BYTES_AT_ONCE = 4_000_000
MAX_REASON_CHARS = 2000


class DatasetRepository(DatasetReader):
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)

    def store(
        self,
        tenant: str,
        name: str,
        batch: CaseBatch,
        *,
        now_ms: int,
        who: str | None = None,
        source: str = "",
        note: str = "",
        parent: str | None = None,
    ) -> Version:
        """The version with exactly these cases, made if it is new; the label ``latest`` moves to it.

        With a ``parent``, `Conflict` if ``latest`` is another version by now.
        """
        checked_name(name, "dataset")
        try:
            return self._store(tenant, name, batch, now_ms, who, (source[:2000], _reason(note)), parent)
        except IntegrityError:  # two made the dataset in the same moment; PostgreSQL lets only one
            return self._store(tenant, name, batch, now_ms, who, (source[:2000], _reason(note)), parent)

    def _store(
        self,
        tenant: str,
        name: str,
        batch: CaseBatch,
        now_ms: int,
        who: str | None,
        said: tuple[str, str],
        parent: str | None,
    ) -> Version:
        source, note = said
        with self._database.write(SUBJECT) as connection:
            dataset = dataset_id(connection, tenant, name)
            if dataset is None:
                values = {"tenant": tenant, "name": name, "created_at_ms": now_ms, "last_number": 0}
                made = connection.execute(insert(eval_datasets).values(values)).inserted_primary_key
                dataset = int(made[0]) if made is not None else known_id(connection, tenant, name)
                _event(connection, (tenant, name), now_ms, who, "created", note)
            versions = versions_of(connection, dataset)
            latest = next((each for each in versions if LATEST in each.labels), None)
            if parent is not None and (latest is None or latest.version != parent):
                now = latest.version if latest is not None else None
                raise Conflict(f"{name}@latest is {now!r} by now, not {parent!r}: look at it and try again")
            same = next((each for each in versions if each.version == batch.version), None)
            if same is None:
                number = _next_number(connection, dataset)
                _put_cases(connection, dataset, number, batch)
                fields = {
                    "dataset_id": dataset,
                    "number": number,
                    "version": batch.version,
                    "parent": latest.version if latest is not None else None,
                    "cases": len(batch),
                    "created_at_ms": now_ms,
                    "created_by": who,
                    "source": source,
                    "note": note,
                    "used": 0,
                }
                connection.execute(insert(eval_dataset_versions).values(fields))
                before = latest.version if latest is not None else None
                _event(connection, (tenant, name), now_ms, who, "version", note, batch.version, before)
            else:
                number = same.number
            _point(connection, dataset, LATEST, number, now_ms, who, "")
            return versions_of(connection, dataset, number)[0]

    def label(
        self,
        tenant: str,
        reference: Reference,
        label: str,
        *,
        now_ms: int,
        who: str | None = None,
        reason: str = "",
        is_admin: bool = False,
    ) -> Version:
        """Point a label to a version. A protected one needs an administrator (`Forbidden`) and a reason."""
        checked_label(label)
        _may(label, reason, is_admin)
        with self._database.write(SUBJECT) as connection:
            dataset, version = version_of(connection, tenant, reference)
            before = _pointed(connection, dataset, label)
            _point(connection, dataset, label, version.number, now_ms, who, _reason(reason))
            whose = (tenant, reference.name)
            _event(connection, whose, now_ms, who, "label", f"{label}: {reason}", version.version, before)
            return versions_of(connection, dataset, version.number)[0]

    def unlabel(
        self,
        tenant: str,
        name: str,
        label: str,
        *,
        now_ms: int,
        who: str | None = None,
        reason: str = "",
        is_admin: bool = False,
    ) -> None:
        """Take a label away. `NotFound` where it is not; ``latest`` stays."""
        _may(label, reason, is_admin)
        if label == LATEST:
            raise InvalidRequest("the label 'latest' moves, but is always there", param="label")
        with self._database.write(SUBJECT) as connection:
            dataset = known_id(connection, tenant, name)
            number_of(connection, dataset, Reference(name, checked_label(label)))
            before = _pointed(connection, dataset, label)
            columns = eval_dataset_labels.c
            gone = delete(eval_dataset_labels).where(columns.dataset_id == dataset, columns.label == label)
            connection.execute(gone)
            _event(connection, (tenant, name), now_ms, who, "unlabel", f"{label}: {reason}", None, before)

    def use(self, tenant: str, reference: Reference, *, now_ms: int, by: str = "") -> Version:
        """Count a decision made with a version; `Version.wear` of what comes back says when it is worn."""
        columns = eval_dataset_versions.c
        with self._database.write(SUBJECT) as connection:
            dataset, version = version_of(connection, tenant, reference)
            connection.execute(
                update(eval_dataset_versions)
                .where(columns.dataset_id == dataset, columns.number == version.number)
                .values(used=columns.used + 1, last_used_at_ms=now_ms)
            )
            _event(connection, (tenant, reference.name), now_ms, by or None, "used", "", version.version)
            return versions_of(connection, dataset, version.number)[0]

    def remove(
        self, tenant: str, name: str, version: str | None = None, *, now_ms: int, who: str | None = None
    ) -> None:
        """Remove a version that no label points to, or the whole dataset; `Conflict` while a protected label holds."""
        with self._database.write(SUBJECT) as connection:
            dataset = known_id(connection, tenant, name)
            versions = versions_of(connection, dataset)
            if version is not None:
                number = number_of(connection, dataset, Reference(name, version))
                versions = [each for each in versions if each.number == number]
            held = sorted(label for each in versions for label in each.labels if version or is_protected(label))
            if held:
                raise Conflict(f"{name}: the label {held[0]!r} holds it; move that or take it away before")
            _remove(connection, dataset, versions[0].number if version else None)
            told = versions[0].version if version else None
            _event(connection, (tenant, name), now_ms, who, "removed", "", told)


def _may(label: str, reason: str, is_admin: bool) -> None:
    if not is_protected(label):
        return
    if not is_admin:
        raise Forbidden(f"the label {label!r} is protected: only an administrator moves it", param="label")
    if not reason.strip():
        raise InvalidRequest(f"the label {label!r} is protected: say the reason why it moves", param="reason")


def _next_number(connection: Connection, dataset: int) -> int:
    columns = eval_datasets.c
    counted = update(eval_datasets).where(columns.id == dataset).values(last_number=columns.last_number + 1)
    connection.execute(counted)
    return int(connection.execute(select(columns.last_number).where(columns.id == dataset)).scalar_one())


def _put_cases(connection: Connection, dataset: int, number: int, batch: CaseBatch) -> None:
    """End what changed or went, and add what changed or came."""
    columns = eval_cases.c
    present = select(columns.case_id, columns.digest).where(columns.dataset_id == dataset, columns.until.is_(None))
    there = {case_id: bytes(digest) for case_id, digest in connection.execute(present)}
    ended = [case_id for case_id, digest in there.items() if batch.digest(case_id) != digest]
    for begin in range(0, len(ended), _IDS_AT_ONCE):
        some = columns.case_id.in_(ended[begin : begin + _IDS_AT_ONCE])
        ending = update(eval_cases).where(columns.dataset_id == dataset, columns.until.is_(None), some)
        connection.execute(ending.values(until=number))
    waiting: list[dict[str, Any]] = []
    size = 0
    for case_id in batch.ids:
        if there.get(case_id) == batch.digest(case_id):
            continue
        row = batch.row(case_id)
        waiting.append({"dataset_id": dataset, "since": number, "until": None, **row._asdict()})
        size += len(row.body)
        if len(waiting) == _ROWS_AT_ONCE or size >= _BYTES_AT_ONCE:
            _insert(connection, waiting)
            waiting, size = [], 0
    _insert(connection, waiting)


def _insert(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(eval_cases), rows)


def _pointed(connection: Connection, dataset: int, label: str) -> str | None:
    """The version that a label points to now."""
    labels, versions = eval_dataset_labels.c, eval_dataset_versions.c
    on = (versions.dataset_id == labels.dataset_id) & (versions.number == labels.number)
    query = select(versions.version).select_from(eval_dataset_labels.join(eval_dataset_versions, on))
    found: str | None = connection.execute(query.where(labels.dataset_id == dataset, labels.label == label)).scalar()
    return found


def _point(
    connection: Connection, dataset: int, label: str, number: int, now_ms: int, who: str | None, reason: str
) -> None:
    columns = eval_dataset_labels.c
    connection.execute(delete(eval_dataset_labels).where(columns.dataset_id == dataset, columns.label == label))
    values = {"number": number, "moved_at_ms": now_ms, "moved_by": who, "reason": reason}
    connection.execute(insert(eval_dataset_labels).values(dataset_id=dataset, label=label, **values))


def _event(
    connection: Connection,
    whose: tuple[str, str],
    now_ms: int,
    who: str | None,
    change: str,
    reason: str,
    version: str | None = None,
    before: str | None = None,
) -> None:
    tenant, name = whose
    values = {"tenant": tenant, "dataset": name, "at_ms": now_ms, "who": who, "change": change}
    connection.execute(
        insert(eval_dataset_events).values(**values, version=version, before=before, reason=_reason(reason))
    )


def _remove(connection: Connection, dataset: int, number: int | None) -> None:
    """One version with the cases that no other has, or everything."""
    versions, cases = eval_dataset_versions.c, eval_cases.c
    if number is None:
        for table in (eval_cases, eval_dataset_labels, eval_dataset_versions):
            connection.execute(delete(table).where(table.c.dataset_id == dataset))
        connection.execute(delete(eval_datasets).where(eval_datasets.c.id == dataset))
        return
    connection.execute(delete(eval_dataset_versions).where(versions.dataset_id == dataset, versions.number == number))
    has = and_(versions.number >= cases.since, or_(cases.until.is_(None), versions.number < cases.until))
    still = exists().where(versions.dataset_id == cases.dataset_id, has)
    connection.execute(delete(eval_cases).where(cases.dataset_id == dataset, ~still))


def _reason(text: str) -> str:
    if len(text) > MAX_REASON_CHARS + 110:
        raise InvalidRequest(f"{len(text):,} characters of a note or reason; at most {MAX_REASON_CHARS:,} are kept")
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
