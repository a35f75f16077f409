"""Reviewers at one desk, in both databases: nobody does another's work, agreement shows, disputes are settled."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from llmops.errors import Conflict, InvalidRequest, NotFound
from llmops.evals.calibration import Rated
from llmops.evals.datasets.report import Report
from llmops.evals.review.desk import ReviewDesk
from llmops.evals.review.item import Item
from llmops.evals.review.question import Question
from llmops.evals.review.sources import cases_of, ratings_of
from llmops.store.database import Database
from llmops.telemetry.assessments.repository.assessments import AssessmentRepository, Wanted

NOW = 1_700_000_000_000
GOOD = Question(name="correct", kind="choices", choices=("good", "bad"))
TRACE = "ab" * 16


class Office:
    """A desk whose clock moves with every step."""

    def __init__(self, database: Database) -> None:
        self.desk = ReviewDesk(database)
        self.scores = AssessmentRepository(database)
        self.now_ms = NOW

    def tick(self, seconds: float = 1) -> int:
        self.now_ms += round(seconds * 1000)
        return self.now_ms

    def open(self, items: int = 3, question: Question = GOOD, **more: Any) -> None:
        self.desk.create("acme", "q", question, now_ms=NOW, **more)
        added = [Item(input=f"question {n}", output=f"answer {n}", trace_id=f"{n + 1:032x}") for n in range(items)]
        assert self.desk.add("acme", "q", added, now_ms=NOW) == items

    def next(self, reviewer: str, **more: Any) -> str | None:
        placed = self.desk.next("acme", "q", reviewer, now_ms=self.tick(), **more)
        return placed.id if placed is not None else None

    def answer(self, reviewer: str, item_id: str | None, answer: Any = "good", **more: Any) -> str:
        assert item_id is not None
        return self.desk.answer("acme", "q", item_id, reviewer, answer, now_ms=self.tick(), **more).state

    def found(self) -> list[tuple[str | None, str | None, float | None]]:
        return sorted((each.source_id, each.label, each.value) for each in self.scores.find(Wanted(tenant="acme"), 100))


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


def test_two_reviewers_get_different_items_and_their_own_again(office: Office) -> None:
    office.open()
    first, second = office.next("ann"), office.next("bob")
    assert first != second and office.next("ann") == first, "what one has is hers until she is done"
    assert office.answer("ann", first, comment="<b>fine</b>") == "agreed"
    third = office.next("ann")
    assert third not in (first, second) and office.next("eve") is None, "everything is with somebody"
    office.tick(1000)
    assert office.next("eve") == second, "a lease ends"
    with pytest.raises(Conflict, match="with somebody else"):
        office.answer("bob", second)
    assert office.found() == [("ann", "good", None)]
    progress = office.desk.progress("acme", "q", "ann")
    assert (progress.items, progress.open, progress.agreed, progress.mine, progress.waiting) == (3, 2, 1, 1, 2)


def test_skip_and_undo(office: Office) -> None:
    office.open(2)
    first = office.next("ann")
    office.desk.skip("acme", "q", first or "", "ann", now_ms=office.tick())
    second = office.next("ann")
    assert second != first and office.next("bob") == first
    office.answer("ann", second, "bad")
    assert office.next("ann") is None
    back = office.desk.undo("acme", "q", "ann", now_ms=office.tick())
    assert back is not None and back.id == second and back.state == "open" and office.found() == []
    assert office.next("ann") == second
    office.answer("ann", second, "good")
    assert office.found() == [("ann", "good", None)]
    office.desk.undo("acme", "q", "ann", now_ms=office.tick())
    again = office.desk.undo("acme", "q", "ann", now_ms=office.tick())
    assert again is not None and again.id == first, "the skip before it"
    assert office.desk.undo("acme", "q", "ann", now_ms=office.tick()) is None
    with pytest.raises(NotFound):
        office.desk.skip("acme", "q", "none", "ann", now_ms=NOW)


def test_a_dispute_is_settled_by_somebody_else(office: Office) -> None:
    office.open(1, reviewers=2)
    item = office.next("ann")
    assert office.answer("ann", item, "good") == "open"
    shown = office.desk.next("acme", "q", "bob", now_ms=office.tick())
    assert shown is not None and {mark.reviewer for mark in shown.marks} == {"bob"}, "judged without others' answers"
    assert office.answer("bob", item, "bad") == "disputed"
    for reviewer in ("ann", "bob"):
        assert office.next(reviewer, disputed=True) is None
    assert office.next("eve") is None
    seen = office.desk.next("acme", "q", "eve", now_ms=office.tick(), disputed=True)
    assert seen is not None and len([mark for mark in seen.marks if mark.answer]) == 2
    assert office.answer("eve", item, "bad") == "settled"
    placed = office.desk.item("acme", "q", item or "")
    assert placed.agreed == "bad" and [mark.settles for mark in placed.marks] == [False, False, True]
    with pytest.raises(Conflict, match="settled since"):
        office.desk.undo("acme", "q", "ann", now_ms=office.tick())
    office.desk.undo("acme", "q", "eve", now_ms=office.tick())
    assert office.desk.item("acme", "q", item or "").state == "disputed"
    agreement = office.desk.agreement("acme", "q")
    assert (agreement.compared, agreement.share, agreement.answers) == (1, 0.0, {"bad": 1, "good": 1})


def test_no_item_gets_more_answers_than_are_wanted(office: Office) -> None:
    office.open(12, reviewers=2)

    def work(reviewer: str) -> int:
        count = 0
        while (placed := office.desk.next("acme", "q", reviewer, now_ms=NOW)) is not None:
            office.desk.answer("acme", "q", placed.id, reviewer, "good", now_ms=NOW)
            count += 1
        return count

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(work, ["ann", "bob", "cyd", "dan"]))
    items = list(office.desk.all("acme", "q"))
    assert sum(counts) == 24 and {item.state for item in items} == {"agreed"}
    assert all(len(item.marks) == 2 for item in items) and len(office.found()) == 24


def test_agreement_beyond_chance(office: Office) -> None:
    office.open(4, Question(name="tone", kind="scale", low=1, high=5, tolerance=1), reviewers=2)
    for placed, one, other in zip(office.desk.items("acme", "q", 10), (1, 3, 5, 1), (2, 3, 5, 5), strict=True):
        office.answer("ann", placed.id, one)
        office.answer("bob", placed.id, other)
    agreement = office.desk.agreement("acme", "q")
    assert agreement.compared == 4 and agreement.share == 0.75 and agreement.reviewers == {"ann": 4, "bob": 4}
    assert agreement.alpha is not None and agreement.kappa is not None and -1 < agreement.kappa < 1
    assert [each.state for each in office.desk.items("acme", "q", 10)] == ["agreed"] * 3 + ["disputed"]
    assert ("ann", None, 5.0) in office.found()


def test_what_is_no_answer_is_refused_and_nothing_is_kept(office: Office) -> None:
    office.open(1)
    (placed,) = office.desk.items("acme", "q", 10)
    for answer in ("Good", "", 1, None, ["good"], "x" * 10_000):
        with pytest.raises(InvalidRequest, match="must be one of 'good', 'bad'"):
            office.answer("ann", placed.id, answer)
    for reviewer in ("", " ", "a\nb", "x" * 300):
        with pytest.raises(InvalidRequest, match="reviewer"):
            office.answer(reviewer, placed.id)
    with pytest.raises(InvalidRequest, match="comment"):
        office.answer("ann", placed.id, comment="x" * 20_000)
    assert office.found() == [] and office.desk.items("acme", "q", 10)[0].marks == ()
    office.answer("ann", placed.id)
    with pytest.raises(Conflict, match=r"answered .* already"):
        office.answer("ann", placed.id, "bad")
    with pytest.raises(Conflict, match="all its answers"):
        office.answer("bob", placed.id, "bad")


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "choices", "choices": ("one",)},
        {"kind": "choices", "choices": ("a", "a")},
        {"kind": "scale", "low": 5, "high": 5},
        {"kind": "scale", "tolerance": 9},
        {"kind": "text", "choices": ("a", "b")},
        {"kind": "text", "name": ""},
    ],
)
def test_what_is_no_question_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        Question(**{"name": "x", **fields})


def test_queues_are_their_tenants_alone_and_items_are_there_once(office: Office) -> None:
    office.open(2)
    hostile = Item(input="<script>\u202e\0", output={"a": [None]}, reference="x" * 100_000)
    assert (
        office.desk.add("acme", "q", [hostile, hostile, Item(input=1, output=2, trace_id="0" * 31 + "1")], now_ms=NOW)
        == 1
    )
    assert office.desk.items("acme", "q", 10, after=2)[0].item == hostile
    assert office.desk.queues("other") == [] and len(office.desk.queues(None)) == 1
    for ask in (office.desk.queue, office.desk.agreement):
        with pytest.raises(NotFound):
            ask("other", "q")
    with pytest.raises(Conflict, match="already"):
        office.desk.create("acme", "q", GOOD, now_ms=NOW)
    with pytest.raises(InvalidRequest, match="reviewers 99"):
        office.desk.create("acme", "r", GOOD, now_ms=NOW, reviewers=99)
    office.answer("ann", hostile.id)
    office.desk.remove("acme", "q")
    assert office.desk.queues(None) == [] and len(office.found()) == 1, "scores outlive their queue"


def test_answers_become_cases_and_ratings(office: Office) -> None:
    office.open(4)
    for placed, answer in zip(office.desk.items("acme", "q", 3), ("good", "bad", "good"), strict=True):
        office.answer("ann", placed.id, answer)
    cases = list(cases_of("q", office.desk.done("acme", "q")))
    assert [case.reference for case in cases] == ["good", "bad", "good"] and cases[0].metadata["output"] == "answer 0"
    good = list(cases_of("q", office.desk.done("acme", "q"), "output", ["good"]))
    assert [case.reference for case in good] == ["answer 0", "answer 2"]
    assert good[0].metadata["trace_id"] == f"{1:032x}"
    said, report = {"answer 0": 0.9, "answer 1": 0.2}, Report("x")
    rated = ratings_of(GOOD, office.desk.done("acme", "q"), lambda item: said.get(item.output), report, ["good"])
    assert [each for _, each in rated] == [Rated(1.0, 0.9), Rated(0.0, 0.2)]
    assert "the judge has said nothing" in report.notes[0]
    with pytest.raises(InvalidRequest, match="'ok' is no choice"):
        list(ratings_of(GOOD, [], lambda _: None, report, ["ok"]))
