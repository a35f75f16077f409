"""Calls that end late, or never: each counts once, as a failure of its own arm; its cost is added when it has ended."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from llmops.rollout.evidence import Evidence
from llmops.rollout.late import LateReporter
from llmops.rollout.repository.late import LateCall, LateCalls
from llmops.rollout.rollout import Rollout
from llmops.statistics.sequential.evidence import EventGuard
from llmops.store.database import Database
from llmops.store.tables import calls, rollout_late_calls
from llmops.types import Call, RequestView
from tests.rollout.parts import a_call, a_plan
from tests.rollout.test_conductor import House, row_of

PLAN = {"steps": [50, 100], "settle": "10s", "min_time": "1h", "deadline": "1d"}


@pytest.fixture
def house(database: Database) -> Iterator[House]:
    yield House(database)


def started(house: House, **fields: Any) -> Rollout:
    return house.directory.start(a_plan(**{**PLAN, **fields}), None, by="ann", reason="")


def late(rollout: Rollout, number: int, started_at_ms: int, *, candidate: bool = True, **fields: Any) -> LateCall:
    about = {"rollout_id": rollout.id, "tenant": "acme", "session": f"s{number}", **fields}
    arm = "candidate" if candidate else "stable"
    return LateCall(request_id=f"req-{number}", started_at_ms=started_at_ms, arm=arm, probability=0.5, **about)


def ended(house: House, rollout: Rollout, number: int, started_ms: int, **fields: Any) -> None:
    """The row that a call leaves when it has ended."""
    about = {"candidate": True, "share": 0.5, "session": f"s{number}", "started_ms": started_ms}
    own = {name: fields.pop(name) for name in ("recovered", "cost_nanousd") if name in fields}
    row = {**row_of(a_call(number, **{**about, **fields}), rollout.id), **own}
    with house.database.write("calls") as connection:
        connection.execute(insert(calls), [row])


def evidence(house: House, rollout: Rollout) -> Evidence:
    return house.directory.repository.evidence(rollout.id)[1]


def errors(house: House, rollout: Rollout) -> tuple[int, int]:
    """Units of the candidate that are counted, and that have failed."""
    kept = evidence(house, rollout)
    guard = kept.guards["error"]
    assert isinstance(guard, EventGuard) and guard.canary_n == kept.units
    return kept.units, round(guard.canary_total)


def now_ms(house: House) -> int:
    return round(house.clock.now_s() * 1000)


def test_a_call_that_has_not_ended_in_time_counts_once_as_failed(house: House) -> None:
    rollout, conductor, store = started(house), house.conductor(), LateCalls(house.database)
    began_ms = now_ms(house) + 500
    store.add([late(rollout, 1, began_ms), late(rollout, 2, began_ms)])
    store.add([late(rollout, 1, began_ms), late(rollout, 3, began_ms, rollout_id="ro-other")])
    ended(house, rollout, 2, began_ms)  # just in time
    house.clock.advance(9)
    conductor.round()
    assert errors(house, rollout) == (0, 0)
    house.clock.advance(3)
    conductor.round()
    assert errors(house, rollout) == (2, 1)
    ended(house, rollout, 1, began_ms, cost_nanousd=7_000)
    for _ in range(3):
        house.clock.advance(3)
        conductor.round()
    assert errors(house, rollout) == (2, 1) and evidence(house, rollout).cost_nanousd == 7_000
    assert kept_rows(house) == 0


def test_a_call_lost_with_its_gateway_counts_when_it_is_found(house: House) -> None:
    """Its time is over by then: what was assigned before has been counted."""
    rollout, conductor, store = started(house), house.conductor(), LateCalls(house.database)
    began_ms = now_ms(house) + 500
    house.clock.advance(60)
    conductor.round()
    store.add([late(rollout, 1, began_ms), late(rollout, 2, began_ms), late(rollout, 3, began_ms)])
    ended(house, rollout, 1, began_ms, status=500, recovered=True)
    ended(house, rollout, 2, began_ms)  # was counted in its turn, for all that can be known
    house.clock.advance(6)
    conductor.round()
    assert errors(house, rollout) == (2, 2)
    house.clock.advance(6)
    conductor.round()
    assert errors(house, rollout) == (2, 2)
    house.directory.order(rollout.id, "rollback", None, by="ann", reason="")
    assert kept_rows(house) == 0


def test_a_late_call_of_a_unit_that_is_counted_changes_nothing(house: House) -> None:
    rollout, conductor, store = started(house), house.conductor(), LateCalls(house.database)
    began_ms = now_ms(house) + 500
    ended(house, rollout, 1, began_ms)
    house.clock.advance(12)
    conductor.round()
    store.add([late(rollout, 2, began_ms + 100, session="s1")])
    house.clock.advance(6)
    conductor.round()
    assert errors(house, rollout) == (1, 0)


def test_a_hanging_candidate_goes_back_though_none_of_its_calls_comes_back(house: House) -> None:
    rollout, conductor, store = started(house), house.conductor(), LateCalls(house.database)
    for second in range(60):
        began_ms = now_ms(house)
        numbers = range(second * 4, second * 4 + 4)
        store.add([late(rollout, number, began_ms) for number in numbers if number % 2])
        for number in numbers:
            if number % 2 == 0:
                ended(house, rollout, number, began_ms, candidate=False)
        house.clock.advance(1)
        conductor.round()
    after = house.directory.repository.get(rollout.id, None)
    assert after.state.status == "rolled_back" and house.told == ["ROLLBACK"]


async def test_a_gateway_tells_of_its_long_calls_in_time_and_once(house: House) -> None:
    rollout, clock = started(house), house.clock
    view = RequestView(model="bot", user="ann")
    open_: list[Call] = []

    def a_long_call(number: int, **fields: Any) -> Call:
        about = {"request_id": f"req-{number}", "trace_id": "0" * 32, "span_id": "", "tenant": "acme", **fields}
        return Call(operation="chat", body=b"", view=view, started_at_s=clock.now_s(), started_s=0, **about)

    reporter = LateReporter(
        LateCalls(house.database),
        lambda before_s: [each for each in open_ if each.started_at_s < before_s],
        lambda: {rollout.id: 10.0},
        clock,
        period_s=1,
    )
    assigned = {"rollout_id": rollout.id, "arm": "candidate", "probability": 0.5}
    open_ += [a_long_call(1, **assigned), a_long_call(2), a_long_call(3, **{**assigned, "rollout_id": "ro-gone"})]
    for wanted in (0, 0, 1, 1):
        await reporter.report()
        assert kept_rows(house) == wanted
        clock.advance(2.6)
    reporter.lose([late(rollout, 9, now_ms(house)), late(rollout, 1, now_ms(house))])
    await reporter.report()
    assert kept_rows(house) == 2


def kept_rows(house: House) -> int:
    with house.database.read() as connection:
        return connection.execute(select(func.count()).select_from(rollout_late_calls)).scalar_one()
