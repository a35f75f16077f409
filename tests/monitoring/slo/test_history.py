"""How budgets went: the last point is what the standing says, whatever the calls, steps and windows are."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.monitoring.slo.burn import Events
from llmops.monitoring.slo.history import Span, histories
from llmops.monitoring.slo.rollup_course import Steps
from llmops.monitoring.slo.status import standings
from llmops.settings import Settings
from llmops.telemetry.objectives import Group, Objective
from tests.fakes.gateway import CHAT, Gateway
from tests.monitoring.slo.test_slos_shown import ACME, FAILING, SPEND, UP, calls, standing

NOBODY: Group = ("", "", "", "")
HOUR_S = 3600
NOW_S = 40 * 86_400 + 7 * 60


class Happened:
    """Events by the minute in which they were."""

    def __init__(self, minutes: Mapping[int, Events]) -> None:
        self._minutes = minutes

    def _within(self, since_s: int, until_s: int) -> dict[int, Events]:
        return {at: each for at, each in self._minutes.items() if since_s <= at < until_s}

    def events(self, objective: Objective, since_s: int, until_s: int) -> Mapping[Group, Events]:
        found = sum(self._within(since_s, until_s).values(), Events())
        return {NOBODY: found} if found != Events() else {}


class Stepwise(Happened):
    def events(  # type: ignore[override]
        self, objective: Objective, since_s: int, until_s: int, step_s: int
    ) -> Mapping[Group, Steps]:
        found: dict[int, Events] = {}
        for at, each in self._within(since_s, until_s).items():
            found[at - at % step_s] = found.get(at - at % step_s, Events()) + each
        return {NOBODY: found} if found else {}


EVENTS = st.builds(
    lambda good, bad, cost: Events(good=good, bad=bad, cost_nanousd=cost * 10**9),
    st.integers(0, 50),
    st.integers(0, 20),
    st.integers(0, 5),
)
MINUTES = st.dictionaries(st.integers(0, NOW_S // 60).map(lambda minute: minute * 60), EVENTS, max_size=30)


@given(MINUTES, st.sampled_from([60, 300, 900, 3600, 21_600]), st.sampled_from([1, 30]), st.booleans())
def test_the_last_point_is_what_the_standing_says(
    minutes: dict[int, Events], step_s: int, days: int, of_cost: bool
) -> None:
    objective = Objective(
        name="o", kind="cost" if of_cost else "availability", target=None if of_cost else 0.9, limit=50.0,
        window_s=days * 86_400.0,
    )  # fmt: skip
    span = Span(first=NOW_S - 30 * step_s, last=NOW_S + 60, step_s=step_s)
    found = histories([objective], span, Happened(minutes), Stepwise(minutes), lambda *_: True)
    (now,) = standings([objective], Happened(minutes), NOW_S)
    if not found:
        assert now.events == Events()
        return
    points = found[0].points
    assert points[-1].left == pytest.approx(now.budget.left)
    assert [point.at for point in points] == list(range(span.first // step_s * step_s, span.last, step_s))
    if step_s == 60:
        rate = now.burn["1h"]
        assert points[-1].burn == (rate if rate is None else pytest.approx(rate))
        assert sum(each.events.bad for each in points[-5:]) == now.windows["5m"].bad


def test_what_leaves_the_window_comes_back_to_the_budget() -> None:
    objective = Objective(name="o", kind="availability", target=0.9, window_s=86_400.0)
    trouble = NOW_S - NOW_S % HOUR_S - 30 * HOUR_S
    minutes = {trouble: Events(good=0, bad=5)} | {at: Events(good=10) for at in range(trouble, NOW_S, HOUR_S)[1:]}
    span = Span(first=trouble - HOUR_S, last=NOW_S, step_s=HOUR_S)
    (found,) = histories([objective], span, Happened(minutes), Stepwise(minutes), lambda *_: True)
    left = [round(point.left, 3) for point in found.points]
    assert left[1] == -9 and left[-1] == 1 and left[24] < 1 <= left[25], "after a day it is forgotten"
    assert found.points[1].burn == pytest.approx(10) and found.points[0].burn is None


async def test_it_is_told_over_http_the_emptiest_first(settings: Callable[..., Settings], url: str) -> None:
    truth = {"name": "truth", "objective": "quality", "score": "faithful", "at_least": 0.7, "target": 0.9}
    async with Gateway(settings(FAILING, slos=[UP, SPEND, ACME, truth], database={"url": url})) as gateway:
        await calls(gateway)
        for value in (0.9, 0.5):
            body = {"trace_id": "a" * 31 + "1", "name": "faithful", "value": value}
            assert (await gateway.post("/api/scores", body)).status == 201
        now = await standing(gateway, 4)
        while True:
            found = (await gateway.get("/api/slos/history?from=now-1h")).json()
            names = [" ".join([each["name"], *each["group"].values()]) for each in found["items"]]
            if len(names) == 4:
                break
            await asyncio.sleep(0.05)
        asked = "/api/slos/history?from=now-1h&name=up&limit=1"
        one = (await gateway.get(asked)).json()
        theirs = (await gateway.get("/api/slos/history?tenant=bolt&name=acme-up")).json()
        assert (await gateway.get("/api/slos/history?from=never")).status == 400
        await gateway.post("/v1/chat/completions", CHAT)
    assert names[0] == "up broken" and names[1] == "truth" and set(names) == {"up broken", "up mock", "truth", "spend"}
    for name, each in zip(names, found["items"], strict=True):
        last = each["points"][-1]
        assert last["left"] == pytest.approx(now[name]["budget"]["left"]), name
        assert sum(point["bad"] for point in each["points"]) == now[name]["bad"]
    assert (found["step_s"], found["burn_over_s"], found["left_out"]) == (60, 3600, 0)
    assert [each["group"] for each in one["items"]] == [{"model": "broken"}] and one["left_out"] == 1
    assert theirs["items"] == []
