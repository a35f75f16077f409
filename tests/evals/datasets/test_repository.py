"""Datasets in both databases: immutable versions that store only what they change, labels, splits, uses, removal."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select

from llmops.errors import ConfigError, Conflict, Forbidden, InvalidRequest, NotFound
from llmops.evals.case import Case
from llmops.evals.dataset import Dataset
from llmops.evals.datasets.batch import CaseBatch
from llmops.evals.datasets.repository.datasets import DatasetRepository
from llmops.evals.datasets.version import WORN_AFTER, Reference, Version, reference_of
from llmops.store.database import Database
from llmops.store.tables import eval_cases

NOW = 1_700_000_000_000


def a_case(number: int, **fields: Any) -> Case:
    return Case(**{"id": f"c{number:05d}", "input": f"question {number}", "reference": str(number), **fields})


def put(
    datasets: DatasetRepository, cases: Iterable[Case], name: str = "qa", tenant: str = "acme", **more: Any
) -> Version:
    with CaseBatch(cases, source="test") as batch:
        return datasets.store(tenant, name, batch, now_ms=NOW, **more)


@pytest.fixture
def datasets(database: Database) -> DatasetRepository:
    return DatasetRepository(database)


def rows_in(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(eval_cases)).scalar_one())


def test_what_is_stored_comes_back_with_the_datasets_own_version(datasets: DatasetRepository) -> None:
    assert datasets.summaries(None) == []
    hostile = [
        a_case(1, input={"html": "<script>", "nul": "\0", "rtl": "\u202e", "deep": [[{"a": None}]]}),
        a_case(2, reference=["a", "b"], metadata={"k": 1.5, "z": True}, cluster="doc", split="dev", must_pass=True),
        Case(id="ß 漢 '; DROP TABLE", input="x" * 1_000_000),
    ]
    made = put(datasets, hostile, who="me", source="file.jsonl", note="first")
    assert made.version == Dataset("qa", hostile).version and made.cases == 3 and made.parent is None
    loaded = datasets.load("acme", Reference("qa"))
    assert loaded.version == made.version
    assert {case.id: case for case in loaded.cases} == {case.id: case for case in hostile}
    assert (made.created_by, made.source, made.note, made.labels) == ("me", "file.jsonl", "first", ("latest",))


def test_a_version_stores_only_what_it_changes(database: Database, datasets: DatasetRepository) -> None:
    first = put(datasets, map(a_case, range(1500)))
    assert rows_in(database) == 1500
    changed = [a_case(n, reference="new") if n == 77 else a_case(n) for n in range(1500)]
    second = put(datasets, changed)
    assert rows_in(database) == 1501 and second.parent == first.version and second.number == 2
    third = put(datasets, [*changed[:10], a_case(9000)])
    assert rows_in(database) == 1502
    for version, count in ((first, 1500), (second, 1500), (third, 11)):
        loaded = datasets.load("acme", Reference("qa", version.version))
        assert (loaded.version, len(loaded)) == (version.version, count), "nothing that was stored has changed"
    again = put(datasets, map(a_case, range(1500)))
    assert (again.number, again.version, again.labels) == (1, first.version, ("latest",)), (
        "the same content, the same version"
    )
    assert rows_in(database) == 1502


def test_differences_are_told_field_by_field(datasets: DatasetRepository) -> None:
    put(datasets, [a_case(1), a_case(2, metadata={"topic": "a", "flag": True}), a_case(3)])
    put(datasets, [a_case(2, metadata={"topic": "b", "flag": True}, input="other"), a_case(3), a_case(4)])
    old, new = (each.version for each in reversed(datasets.versions("acme", "qa")))
    told = datasets.difference("acme", Reference("qa", old), Reference("qa", new))
    assert (told.added, told.removed, told.changed, told.unchanged) == (1, 1, 1, 1)
    assert [(each.case_id, each.kind) for each in told.changes] == [
        ("c00001", "removed"), ("c00002", "changed"), ("c00004", "added")
    ]  # fmt: skip
    assert [msgspec.structs.astuple(each) for each in told.changes[1].fields] == [
        ("input", "question 2", "other"), ("metadata.topic", "a", "b")
    ]  # fmt: skip
    back = datasets.difference("acme", Reference("qa", new), Reference("qa", old), limit=1, behind="c00001")
    assert (back.added, back.removed, [each.case_id for each in back.changes]) == (1, 1, ["c00002"])
    assert datasets.difference("acme", Reference("qa", new), Reference("qa")).changes == []


def test_pages_are_whole_and_in_order(datasets: DatasetRepository) -> None:
    put(datasets, (a_case(n, split="test" if n % 3 else "dev") for n in range(1203)))
    seen, after = [], ""
    while page := datasets.page("acme", Reference("qa"), 100, after=after):
        seen += [case.id for case in page]
        after = seen[-1]
    assert seen == [f"c{n:05d}" for n in range(1203)]
    assert len(list(datasets.cases("acme", Reference("qa"), "dev"))) == 401
    assert len(datasets.page("acme", Reference("qa"), 250, split="dev")) == 250


def test_a_protected_label_moves_by_an_administrator_with_a_reason(datasets: DatasetRepository) -> None:
    first, second = put(datasets, [a_case(1)]), put(datasets, [a_case(2)])
    golden = {"now_ms": NOW, "who": "eve"}
    with pytest.raises(Forbidden, match="'golden' is protected"):
        datasets.label("acme", Reference("qa"), "golden", reason="mine", **golden)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="say the reason"):
        datasets.label("acme", Reference("qa"), "golden-de", is_admin=True, **golden)  # type: ignore[arg-type]
    datasets.label("acme", Reference("qa", first.version), "golden", reason="reviewed", is_admin=True, now_ms=NOW)
    moved = datasets.label("acme", Reference("qa"), "golden", reason="v2", is_admin=True, now_ms=NOW, who="root")
    assert moved.version == second.version and moved.labels == ("golden", "latest")
    told = datasets.events("acme", "qa")[0]
    assert (told.change, told.before, told.version, told.who, told.reason) == (
        "label", first.version, second.version, "root", "golden: v2"
    )  # fmt: skip
    with pytest.raises(Conflict, match="'golden' holds it"):
        datasets.remove("acme", "qa", now_ms=NOW)
    with pytest.raises(Forbidden):
        datasets.unlabel("acme", "qa", "golden", now_ms=NOW)
    with pytest.raises(InvalidRequest, match="looks like a version"):
        datasets.label("acme", Reference("qa"), "ab" * 8, now_ms=NOW)
    datasets.unlabel("acme", "qa", "golden", now_ms=NOW, reason="over", is_admin=True)
    datasets.remove("acme", "qa", now_ms=NOW, who="root")
    assert datasets.summaries("acme") == [] and datasets.events("acme", "qa")[0].change == "removed"


def test_a_removed_version_takes_only_its_own_cases(database: Database, datasets: DatasetRepository) -> None:
    put(datasets, [a_case(1), a_case(2)])
    middle = put(datasets, [a_case(1), a_case(2, input="middle"), a_case(3)])
    last = put(datasets, [a_case(1), a_case(3), a_case(4)])
    with pytest.raises(Conflict, match="'latest' holds it"):
        datasets.remove("acme", "qa", last.version, now_ms=NOW)
    datasets.remove("acme", "qa", middle.version, now_ms=NOW)
    assert [len(datasets.load("acme", Reference("qa", each.version))) for each in datasets.versions("acme", "qa")] == [
        3,
        2,
    ]
    assert rows_in(database) == 4
    datasets.label("acme", Reference("qa", datasets.versions("acme", "qa")[1].version), "latest", now_ms=NOW)
    datasets.remove("acme", "qa", last.version, now_ms=NOW)
    anew = put(datasets, [a_case(2), a_case(3), a_case(4)])
    assert {case.id for case in datasets.load("acme", Reference("qa", anew.version)).cases} == {
        "c00002",
        "c00003",
        "c00004",
    }
    assert datasets.load("acme", Reference("qa")).version == anew.version


def test_another_tenants_dataset_is_not_there(datasets: DatasetRepository) -> None:
    mine = put(datasets, [a_case(1)])
    other = put(datasets, [a_case(2)], tenant="other")
    assert [each.tenant for each in datasets.summaries("other")] == ["other"] and len(datasets.summaries(None)) == 2
    for ask in (Reference("qa", mine.version), Reference("none")):
        with pytest.raises(NotFound):
            datasets.load("other", ask)
    assert datasets.load("other", Reference("qa")).version == other.version


def test_uses_are_counted_and_wear_is_told(datasets: DatasetRepository) -> None:
    made = put(datasets, [a_case(1)])
    assert made.wear is None
    for _ in range(WORN_AFTER):
        made = datasets.use("acme", Reference("qa"), now_ms=NOW + 1, by="gate 7")
    assert made.used == WORN_AFTER and made.last_used_at_ms == NOW + 1
    assert made.wear is not None and "take fresh cases" in made.wear
    fresh = put(datasets, [a_case(2)])
    assert fresh.used == 0 and fresh.wear is None


def test_who_was_overtaken_is_told(datasets: DatasetRepository) -> None:
    first = put(datasets, [a_case(1)])
    put(datasets, [a_case(2)], parent=first.version)
    with pytest.raises(Conflict, match="by now"):
        put(datasets, [a_case(3)], parent=first.version)


def test_several_writers_at_once_lose_nothing(datasets: DatasetRepository) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: put(datasets, [a_case(n), a_case(n + 1)]), range(8)))
    versions = datasets.versions("acme", "qa")
    assert sorted(each.number for each in versions) == list(range(1, 9))
    assert all(datasets.load("acme", Reference("qa", each.version)).version == each.version for each in versions)


def test_what_cannot_be_stored_is_refused_before_anything_is(datasets: DatasetRepository) -> None:
    for cases, said in (
        ([], "there are no cases"),
        ([a_case(1), a_case(1)], "'c00001': each id can be there once"),
        ([Case(id="a\0b", input=1)], "NUL"),
        ([Case(id="x" * 300, input=1)], "300 characters"),
        ([Case(id="", input=1)] * 9, "4 more"),
    ):
        with pytest.raises(ConfigError, match=said):
            put(datasets, cases)
    for name in ("", "a/b", "../x", "a@b", "x" * 101, "-a"):
        with pytest.raises(InvalidRequest):
            put(datasets, [a_case(1)], name=name)
    assert datasets.summaries(None) == []
    assert reference_of("qa") == Reference("qa", "latest") and reference_of("qa@v1").which == "v1"
