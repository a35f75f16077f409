"""Assessments in both databases: each id of a tenant once, found again, followed without missing one."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from llmops.store.database import Database
from llmops.telemetry.assessments.assessment import Assessment, assessment_of
from llmops.telemetry.assessments.repository.assessments import AssessmentRepository, Figures, Wanted

TRACE = "ab" * 16


def made(number: int, tenant: str = "acme", **fields: Any) -> Assessment:
    given = {"trace_id": TRACE, "name": "helpful", "value": float(number), **fields}
    return assessment_of(given, tenant, 1000 + number, f"s{number:05d}")


def test_the_same_id_is_there_once_for_each_tenant(database: Database) -> None:
    repository = AssessmentRepository(database)
    assert repository.find(Wanted(), 10) == [] and repository.after(0, 10) == ([], 0)
    repository.store([made(1), made(1, "other", comment="'; DROP TABLE assessments --")])
    repository.store([made(1, value=True, comment="changed"), made(1, label="later")])
    assert repository.find(Wanted(tenant="acme"), 10) == [made(1, label="later")]
    assert len(repository.find(Wanted(), 10)) == 2


def test_pages_and_restrictions(database: Database) -> None:
    repository = AssessmentRepository(database)
    repository.store([made(number) for number in range(30)] + [made(number, "other") for number in range(5)])
    repository.store([made(99, trace_id=None, session="talk", source="judge", name="tone")])
    seen: list[Assessment] = []
    while page := repository.find(
        Wanted(), 7, (seen[-1].created_at_ms, seen[-1].tenant, seen[-1].id) if seen else None
    ):
        seen += page
    assert len(seen) == 36 == len({(each.tenant, each.id) for each in seen})
    assert [each.created_at_ms for each in seen] == sorted((each.created_at_ms for each in seen), reverse=True)
    for wanted, count in (
        (Wanted(tenant="other"), 5),
        (Wanted(trace_id=TRACE, tenant="acme"), 30),
        (Wanted(session="talk"), 1),
        (Wanted(source="judge", name="tone"), 1),
        (Wanted(since_ms=1010, until_ms=1020), 10),
        (Wanted(name="a\0b"), 0),
    ):
        assert len(repository.find(wanted, 100)) == count, wanted
    assert repository.figures(Wanted(tenant="other")) == [Figures("helpful", 5, 2.0)]


def test_whoever_follows_misses_none_while_others_write(database: Database) -> None:
    repository = AssessmentRepository(database)
    repository.store([made(0)])
    found: list[str] = []
    version = 0
    with ThreadPoolExecutor(3) as writers:
        writing = [writers.submit(repository.store, [made(number)]) for number in range(1, 61)]
        while len(set(found)) < 61:
            batch, version = repository.after(version, 10)
            found += [each.id for each in batch]
        for each in writing:
            each.result()
    assert len(found) == 61 and repository.count_after(version) == 0
