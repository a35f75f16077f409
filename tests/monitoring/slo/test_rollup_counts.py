"""Objectives counted from rollups are those that calls are judged by one by one, for any calls and objectives."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.monitoring.slo.burn import Events
from llmops.monitoring.slo.rollup_counts import RollupCounts
from llmops.telemetry.objectives import DIMENSIONS, Group, Objective
from llmops.telemetry.record import CallRecord, record_of
from llmops.telemetry.rollups.rollup import Group as Alike
from llmops.telemetry.rollups.rollup import Sums, rolled_up
from tests.telemetry.calls import finished

BASE = record_of(finished(), b"k" * 32)
OUTCOMES = [(200, None), (200, None), (503, "overloaded"), (404, "model_not_found"), (429, "upstream_rate_limited")]


class Row(msgspec.Struct):
    """A call as the rollups read it."""

    record: CallRecord
    started_at_ms: int = 0

    def __getattr__(self, name: str) -> Any:
        if name in ("prompt_tokens", "completion_tokens", "cached_tokens"):
            return 0
        if name == "__dict__":
            raise AttributeError(name)
        return getattr(self.record, name)


class Rolled:
    """Rollups of some calls, all of one window."""

    def __init__(self, records: list[CallRecord]) -> None:
        self._rolled = rolled_up([Row(each) for each in records])

    def sums(self, view: int, since_s: int, until_s: int) -> Mapping[Alike, Sums]:
        return {alike: sums for (_, alike), sums in self._rolled.items() if alike.view == view}


@st.composite
def records(draw: st.DrawFn) -> CallRecord:
    status, error_type = draw(st.sampled_from(OUTCOMES))
    return msgspec.structs.replace(
        BASE,
        status=status,
        error_type=error_type,
        model=draw(st.sampled_from(["gpt-4", "gpt-5", "none"])),
        operation=draw(st.sampled_from(["chat", "embeddings"])),
        tenant=draw(st.sampled_from(["acme", "bolt", "llmops"])),
        release_id=draw(st.sampled_from([None, "r1"])),
        latency_ms=draw(st.sampled_from([1.0, 900.0, 5000.0])),
        ttft_ms=draw(st.sampled_from([None, 1.0, 900.0])),
        json_valid=draw(st.sampled_from([None, True, False])),
        cost_nanousd=draw(st.sampled_from([None, 0, 7])),
    )


WHERES = st.dictionaries(
    st.sampled_from(DIMENSIONS), st.sampled_from(["gpt-*", "*", "acme", "chat", "r1", "b*", "llmops"]), max_size=2
)
OBJECTIVES = st.builds(
    lambda kind, per, where: Objective(
        name="o", kind=kind, target=None if kind == "cost" else 0.9, limit=2.0, per=tuple(per), where=where
    ),
    st.sampled_from(["availability", "latency", "ttft", "quality", "cost"]),
    st.lists(st.sampled_from(DIMENSIONS), unique=True, max_size=4),
    WHERES,
)


def judged(objective: Objective, calls: list[CallRecord]) -> dict[Group, Events]:
    found: dict[Group, Events] = {}
    for call in calls:
        values = {"model": call.model, "operation": call.operation, "tenant": call.tenant}
        group = objective.group_of({**values, "release": call.release_id or ""})
        if group is None:
            continue
        if objective.kind == "cost":
            event = Events(good=int(call.status < 400), cost_nanousd=call.cost_nanousd or 0)
        else:
            good = objective.judge(call)
            event = Events(good=int(good is True), bad=int(good is False))
        found[group] = found.get(group, Events()) + event
    return {group: events for group, events in found.items() if events != Events()}


@given(OBJECTIVES, st.lists(records(), max_size=40))
def test_sums_say_what_the_calls_say(objective: Objective, calls: list[CallRecord]) -> None:
    assert RollupCounts(Rolled(calls)).events(objective, 0, 60) == judged(objective, calls)


def test_each_window_is_read_once() -> None:
    asked: list[tuple[int, int, int]] = []

    class Counting(Rolled):
        def sums(self, view: int, since_s: int, until_s: int) -> Mapping[Alike, Sums]:
            asked.append((view, since_s, until_s))
            return super().sums(view, since_s, until_s)

    counts = RollupCounts(Counting([BASE]))
    for name in "abc":
        counts.events(Objective(name=name, kind="availability", target=0.9), 0, 60)
    assert len(asked) == len(set(asked)) == 2


@pytest.mark.parametrize("score", ["truth"])
def test_scores_that_nobody_keeps_are_no_events(score: str) -> None:
    objective = Objective(name="o", kind="quality", target=0.9, score=score, limit=0.5)
    assert RollupCounts(Rolled([BASE])).events(objective, 0, 60) == {}
