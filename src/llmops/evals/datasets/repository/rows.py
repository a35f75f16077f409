"""What every query about datasets shares: finding one, its versions and labels, and which cases a version has."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select

from ....errors import NotFound
from ....store.tables import eval_cases, eval_dataset_labels, eval_dataset_versions, eval_datasets
from ..version import Label, Reference, Version

SUBJECT = "datasets"
_COLUMNS = tuple(column for column in eval_dataset_versions.c if column.name != "dataset_id")


def dataset_id(connection: Connection, tenant: str, name: str) -> int | None:
    where = (eval_datasets.c.tenant == tenant, eval_datasets.c.name == name)
    found: int | None = connection.execute(select(eval_datasets.c.id).where(*where)).scalar()
    return found


def known_id(connection: Connection, tenant: str, name: str) -> int:
    """`NotFound` where there is none of that name."""
    found = dataset_id(connection, tenant, name)
    if found is None:
        raise NotFound(f"there is no dataset {name!r}", param="dataset")
    return found


def versions_of(connection: Connection, dataset: int, number: int | None = None) -> list[Version]:
    """The newest first, or the one of that number."""
    owner = connection.execute(select(eval_datasets).where(eval_datasets.c.id == dataset)).one()
    where = [eval_dataset_versions.c.dataset_id == dataset]
    if number is not None:
        where.append(eval_dataset_versions.c.number == number)
    rows = connection.execute(select(*_COLUMNS).where(*where).order_by(eval_dataset_versions.c.number.desc()))
    labels: dict[int, list[str]] = {}
    for label in connection.execute(_labels(dataset)):
        labels.setdefault(label.number, []).append(label.label)
    return [
        Version(dataset=owner.name, tenant=owner.tenant, labels=tuple(labels.get(row["number"], ())), **row)
        for row in rows.mappings()
    ]


def labels_of(connection: Connection, dataset: int) -> list[Label]:
    return [
        Label(
            label=row.label, version=row.version, moved_at_ms=row.moved_at_ms, moved_by=row.moved_by, reason=row.reason
        )
        for row in connection.execute(_labels(dataset))
    ]


def number_of(connection: Connection, dataset: int, reference: Reference) -> int:
    """The version that a reference means; `NotFound` where there is none."""
    if reference.is_version:
        columns = eval_dataset_versions.c
        query = select(columns.number).where(columns.dataset_id == dataset, columns.version == reference.which)
    else:
        columns = eval_dataset_labels.c
        query = select(columns.number).where(columns.dataset_id == dataset, columns.label == reference.which)
    found: int | None = connection.execute(query).scalar()
    if found is None:
        raise NotFound(f"the dataset {reference.name!r} has no version or label {reference.which!r}", param="version")
    return found


def version_of(connection: Connection, tenant: str, reference: Reference) -> tuple[int, Version]:
    """The dataset's id and the version; `NotFound` where there is none."""
    dataset = known_id(connection, tenant, reference.name)
    return dataset, versions_of(connection, dataset, number_of(connection, dataset, reference))[0]


def is_in(number: int) -> ColumnElement[bool]:
    """Whether a case is part of that version."""
    columns = eval_cases.c
    return and_(columns.since <= number, or_(columns.until.is_(None), columns.until > number))


def _labels(dataset: int) -> Select[Any]:
    labels, versions = eval_dataset_labels.c, eval_dataset_versions.c
    joined = eval_dataset_labels.join(
        eval_dataset_versions, (versions.dataset_id == labels.dataset_id) & (versions.number == labels.number)
    )
    return (
        select(eval_dataset_labels, versions.version)
        .select_from(joined)
        .where(labels.dataset_id == dataset)
        .order_by(labels.label)
    )
