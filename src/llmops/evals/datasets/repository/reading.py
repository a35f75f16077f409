"""Reading datasets: lists, versions, cases a page at a time, what differs between two versions, the audit's events."""

from collections.abc import Iterator

import msgspec
from sqlalchemy import and_, or_, select

from ....store.database import Database
from ....store.tables import eval_cases, eval_dataset_events, eval_datasets
from ...case import Case, Split
from ...dataset import Dataset
from ..difference import CaseChange, Difference, Kind, change_of
from ..version import Event, Label, Reference, Summary, Version
from .rows import is_in, known_id, labels_of, version_of, versions_of

_AT_ONCE = 500
_decode = msgspec.json.Decoder(Case).decode


class DatasetReader:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer, and
    `NotFound` for what is not there or another tenant's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def database(self) -> Database:
        return self._database

    def summaries(self, tenant: str | None) -> list[Summary]:
        """All of a tenant, or (None) of all tenants."""
        if not self._database.exists:
            return []
        query = select(eval_datasets).order_by(eval_datasets.c.tenant, eval_datasets.c.name)
        if tenant is not None:
            query = query.where(eval_datasets.c.tenant == tenant)
        found = []
        with self._database.read() as connection:
            for row in connection.execute(query).all():
                versions = versions_of(connection, row.id)
                latest = next((each for each in versions if "latest" in each.labels), versions[0])
                found.append(Summary(dataset=row.name, tenant=row.tenant, versions=len(versions), latest=latest))
        return found

    def version(self, tenant: str, reference: Reference) -> Version:
        with self._database.read() as connection:
            return version_of(connection, tenant, reference)[1]

    def versions(self, tenant: str, name: str) -> list[Version]:
        """The newest first."""
        with self._database.read() as connection:
            return versions_of(connection, known_id(connection, tenant, name))

    def labels(self, tenant: str, name: str) -> list[Label]:
        with self._database.read() as connection:
            return labels_of(connection, known_id(connection, tenant, name))

    def events(self, tenant: str, name: str, limit: int = 100) -> list[Event]:
        """What was done to it, latest first; also of a dataset that is gone."""
        columns = eval_dataset_events.c
        query = select(*[columns[name] for name in Event.__struct_fields__])
        query = query.where(columns.tenant == tenant, columns.dataset == name).order_by(columns.id.desc())
        with self._database.read() as connection:
            return [Event(**row) for row in connection.execute(query.limit(limit)).mappings()]

    def page(
        self, tenant: str, reference: Reference, limit: int, *, after: str = "", split: Split | None = None
    ) -> list[Case]:
        """Cases in the order of their ids, behind ``after``. Those of a split are looked for page by page."""
        found: list[Case] = []
        while len(found) < limit:
            cases = self._page(tenant, reference, after, limit if split is None else _AT_ONCE)
            found += [case for case in cases if split is None or case.split == split]
            if len(cases) < (limit if split is None else _AT_ONCE):
                break
            after = cases[-1].id
        return found[:limit]

    def cases(self, tenant: str, reference: Reference, split: Split | None = None) -> Iterator[Case]:
        """All cases of a version, a part at a time."""
        number, after = self.version(tenant, reference), ""
        fixed = Reference(reference.name, number.version)
        while True:
            cases = self._page(tenant, fixed, after, _AT_ONCE)
            yield from (case for case in cases if split is None or case.split == split)
            if len(cases) < _AT_ONCE:
                return
            after = cases[-1].id

    def load(self, tenant: str, reference: Reference, split: Split | None = None) -> Dataset:
        """A version for a run. With a split it is another set of cases, and has another version."""
        source = f"{reference.name}@{reference.which}" + (f" ({split})" if split else "")
        return Dataset(reference.name, self.cases(tenant, reference, split), source=source)

    def difference(
        self, tenant: str, before: Reference, after: Reference, *, limit: int = 1000, behind: str = ""
    ) -> Difference:
        """What changed from one version to another of the same dataset; changes in the order of their ids."""
        columns = eval_cases.c
        with self._database.read() as connection:
            dataset, old = version_of(connection, tenant, before)
            _, new = version_of(connection, tenant, Reference(before.name, after.which))
            in_old, in_new = is_in(old.number), is_in(new.number)
            differs = or_(and_(in_old, ~in_new), and_(in_new, ~in_old))
            mine = columns.dataset_id == dataset
            found: dict[str, list[bytes | None]] = {}
            for case_id, digest, was in connection.execute(
                select(columns.case_id, columns.digest, in_old.label("was")).where(mine, differs)
            ):
                found.setdefault(case_id, [None, None])[0 if was else 1] = bytes(digest)
            kinds: dict[str, Kind] = {
                case_id: "added" if one is None else "removed" if other is None else "changed"
                for case_id, (one, other) in sorted(found.items())
                if one != other
            }
            chosen = [case_id for case_id in kinds if case_id > behind][:limit]
            bodies: dict[tuple[str, bool], Case] = {}
            for begin in range(0, len(chosen), _AT_ONCE):
                part = columns.case_id.in_(chosen[begin : begin + _AT_ONCE])
                query = select(columns.case_id, columns.body, in_old.label("was")).where(mine, differs, part)
                bodies |= {(each.case_id, bool(each.was)): _decode(each.body) for each in connection.execute(query)}
        counts = {kind: sum(each == kind for each in kinds.values()) for kind in ("added", "removed", "changed")}
        changes: list[CaseChange] = [
            change_of(case_id, bodies.get((case_id, True)), bodies.get((case_id, False))) for case_id in chosen
        ]
        unchanged = old.cases - counts["removed"] - counts["changed"]
        return Difference(before=old.version, after=new.version, unchanged=unchanged, changes=changes, **counts)

    def _page(self, tenant: str, reference: Reference, after: str, limit: int) -> list[Case]:
        columns = eval_cases.c
        with self._database.read() as connection:
            dataset, version = version_of(connection, tenant, reference)
            query = select(columns.body).where(columns.dataset_id == dataset, is_in(version.number))
            query = query.where(columns.case_id > after).order_by(columns.case_id).limit(limit)
            return [_decode(body) for body in connection.execute(query).scalars()]
