"""What assessments come to: means by steps of time, the spread of values, the worst, and those of one model's calls."""

from typing import Any

import pytest

from llmops.store.database import Database
from llmops.telemetry.assessments.assessment import Assessment
from llmops.telemetry.assessments.repository.assessments import AssessmentRepository, Wanted
from llmops.telemetry.assessments.repository.feedback import About, FeedbackRepository

MINUTE_MS = 60_000
NOW_MS = 1_700_000_040_000 - 1_700_000_040_000 % MINUTE_MS


class Desk:
    def __init__(self, database: Database) -> None:
        self._scores = AssessmentRepository(database)
        self.feedback = FeedbackRepository(database)
        self._number = 0

    def judge(self, value: float | None, name: str = "mark", tenant: str = "acme", **more: Any) -> None:
        self._number += 1
        given = {"created_at_ms": NOW_MS, "trace_id": "ab" * 16, **more}
        self._scores.store(
            [Assessment(id=f"s-{self._number:03}", tenant=tenant, target="trace", name=name, value=value, **given)]
        )


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


def about(**wanted: Any) -> About:
    return About(wanted=Wanted(**wanted))


def test_means_by_steps_of_time_keep_names_and_sources_apart(desk: Desk) -> None:
    for value, later_ms, more in (
        (1.0, 0, {}),
        (0.0, 59_999, {}),
        (0.5, MINUTE_MS, {}),
        (0.9, 0, {"source": "judge"}),
        (None, 0, {"label": "curt"}),
    ):
        desk.judge(value, created_at_ms=NOW_MS + later_ms, **more)
    desk.judge(1.0, "thumb", is_boolean=True)
    found = {(each.name, each.source, each.at_ms): each for each in desk.feedback.course(about(), MINUTE_MS)}
    first = found["mark", "human", NOW_MS]
    assert (first.count, first.valued, first.total, first.is_boolean) == (3, 2, 1.0, False)
    assert found["mark", "human", NOW_MS + MINUTE_MS].total == 0.5
    assert found["mark", "judge", NOW_MS].total == 0.9
    assert found["thumb", "human", NOW_MS].is_boolean and len(found) == 4


def test_few_values_are_themselves_and_many_are_ranges_that_hold_all(desk: Desk) -> None:
    for value in (1.0, 1.0, 5.0):
        desk.judge(value)
    assert [(bar.low, bar.high, bar.count) for bar in desk.feedback.spread(about())] == [(1, 1, 2), (5, 5, 1)]
    for number in range(40):
        desk.judge(1 + number / 10)
    bars = desk.feedback.spread(about())
    assert len(bars) == 10 and (bars[0].low, bars[-1].high) == (1.0, 5.0)
    assert sum(bar.count for bar in bars) == 43


def test_extreme_values_have_a_spread_too(desk: Desk) -> None:
    for number in range(20):
        desk.judge((-1) ** number * 1e300 / (number + 1))
    assert sum(bar.count for bar in desk.feedback.spread(about())) == 20


def test_the_worst_come_first_and_the_newest_of_them(desk: Desk) -> None:
    desk.judge(0.2)
    desk.judge(0.1, created_at_ms=NOW_MS, comment="older")
    desk.judge(0.1, created_at_ms=NOW_MS + 1, comment="newer")
    desk.judge(None, label="curt", comment="no value")
    worst = desk.feedback.judged(about(), "worst", 10)
    assert [each.assessment.comment for each in worst] == ["newer", "older", None]
    commented = desk.feedback.judged(about(), "newest", 10, commented=True)
    assert [each.assessment.comment for each in commented] == ["newer", "older", "no value"]
    assert desk.feedback.labels(about()) == [("curt", 1)]


def test_another_tenants_are_not_among_them_and_nothing_is_of_an_unknown_model(desk: Desk) -> None:
    desk.judge(1.0)
    desk.judge(0.0, tenant="other", label="theirs")
    assert [each.total for each in desk.feedback.course(about(tenant="acme"), MINUTE_MS)] == [1.0]
    assert [bar.low for bar in desk.feedback.spread(about(tenant="acme"))] == [1.0]
    assert desk.feedback.labels(about(tenant="acme")) == []
    assert [each.assessment.tenant for each in desk.feedback.judged(about(tenant="acme"), "worst", 9)] == ["acme"]
    of_model = About(wanted=Wanted(since_ms=NOW_MS - 1, until_ms=NOW_MS + 1), model="gpt", release="r")
    assert desk.feedback.course(of_model, MINUTE_MS) == [] == desk.feedback.judged(of_model, "newest", 9)
