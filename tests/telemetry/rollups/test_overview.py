"""The overview against the calls themselves: whatever was called and whenever, in windows of any kind."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmops.errors import InvalidRequest
from llmops.store.database import Database
from llmops.telemetry.rollups.figures import Filter, dimensions_of
from llmops.telemetry.rollups.overview import Overview
from llmops.telemetry.rollups.repository.folding import FoldingRepository
from llmops.telemetry.rollups.rollup import EVERYTHING, TENANTS, view_of
from llmops.telemetry.rollups.window import Window
from tests.spend.usage.logs import LogFolder, ingest
from tests.store.postgres import PostgresServer
from tests.telemetry.rollups.calls import BEGIN_S, DAYS, Made, made

MINUTES = DAYS * 1440
windows = st.tuples(st.integers(0, MINUTES), st.integers(0, MINUTES)).filter(lambda ends: ends[0] != ends[1])
plans = st.lists(st.tuples(st.lists(made, max_size=12), st.integers(0, (DAYS + 1) * 24)), min_size=1, max_size=4)
Opener = Callable[[], Any]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def opener(request: pytest.FixtureRequest) -> Opener:
    """Makes a new database and an empty log, many times in one test."""
    server: PostgresServer | None = request.getfixturevalue("postgres") if request.param == "postgresql" else None

    @contextmanager
    def opened() -> Iterator[tuple[Database, LogFolder]]:
        with TemporaryDirectory() as folder:
            database = Database(server.fresh() if server is not None else f"sqlite:///{folder}/llmops.db")
            try:
                yield database, LogFolder(Path(folder) / f"logs-{uuid4().hex}")
            finally:
                database.close()

    return opened


def fill(database: Database, log: LogFolder, plan: Sequence[tuple[Sequence[Made], int]]) -> list[Made]:
    """Calls that come in some order, hours folded meanwhile as far as the plan says."""
    number, everything = 0, []
    for calls, folded_hours in plan:
        for call in calls:
            number += 1
            log.append(call.line(number))
            everything.append(call)
        ingest(log, database)
        fold(database, BEGIN_S + folded_hours * 3600)
    return everything


def fold(database: Database, until_s: float) -> None:
    folding = FoldingRepository(database)
    while folding.fold_hour(until_s):
        pass


def within(calls: Sequence[Made], window: Window) -> list[Made]:
    return [call for call in calls if window.first <= call.at_ms / 1000 < window.last]


def check(shown: dict[str, Any], calls: Sequence[Made]) -> None:
    """What is shown is what the calls say, one by one."""
    answered = [call for call in calls if call.error is None]
    hits = [call for call in calls if call.cache == "hit"]
    looked_up = [call for call in calls if call.cache in ("hit", "miss")]
    checked = [call for call in calls if call.json_valid is not None]
    errors: dict[str, int] = {}
    for call in calls:
        if call.error is not None:
            errors[call.error[1]] = errors.get(call.error[1], 0) + 1
    exact = {
        "calls": len(calls),
        "errors": len(calls) - len(answered),
        "errors_by_type": errors,
        "success_rate": rate(len(answered), len(calls)),
        "prompt_tokens": sum(call.prompt for call in calls),
        "completion_tokens": 5 * len(calls),
        "nanousd": sum(call.cost_nanousd or 0 for call in calls),
        "unpriced_calls": sum(call.cost_nanousd is None for call in calls),
        "saved_nanousd": 77 * len(hits),
        "cached_calls": len(hits),
        "cache_hit_rate": rate(len(hits), len(looked_up)),
        "json_checked": len(checked),
        "json_success_rate": rate(sum(call.json_valid is True for call in checked), len(checked)),
        "degraded_calls": sum(call.degraded is not None for call in calls),
        "retried_calls": sum(call.attempts > 1 for call in calls),
        "attempts": sum(call.attempts for call in calls),
    }
    assert {name: shown[name] for name in exact} == exact
    check_durations(shown["latency_ms"], [call.latency_ms for call in answered])
    check_durations(shown["ttft_ms"], [call.ttft_ms for call in answered if call.ttft_ms is not None])


def check_durations(shown: dict[str, float | None], exact: list[float]) -> None:
    if not exact:
        assert set(shown.values()) == {None}
        return
    assert shown["mean"] == pytest.approx(sum(exact) / len(exact), abs=0.002)
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        wanted = sorted(exact)[math.ceil(share * len(exact)) - 1]
        assert shown[name] == pytest.approx(wanted, rel=0, abs=0.045 * wanted + 0.0006)  # in whole microseconds


def rate(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(plan=plans, ends=st.lists(windows, min_size=1, max_size=3), step_s=st.sampled_from([900, 3600, 86_400, None]))
def test_any_window_says_what_its_calls_say(
    opener: Opener, plan: list[tuple[list[Made], int]], ends: list[tuple[int, int]], step_s: int | None
) -> None:
    with opener() as (database, log):
        calls = fill(database, log, plan)
        overview = Overview(database, lambda: 0.0)
        for one, other in ends:
            window = Window(BEGIN_S + min(one, other) * 60, BEGIN_S + max(one, other) * 60)
            mine = within(calls, window)
            found = overview.figures(window, ["model", "release"])
            check(found["totals"], mine)
            check(found["before"], within(calls, window.before))
            assert sum(row["calls"] for row in found["rows"]) == len(mine)
            for row in found["rows"]:
                check(row, [call for call in mine if (call.model, call.release_id) == (row["model"], row["release"])])
            check_tenants(overview, window, mine)
            check_series(overview.series(window, step_s, ["model"]), mine)


def check_tenants(overview: Overview, window: Window, calls: Sequence[Made]) -> None:
    for row in overview.figures(window, ["tenant"])["rows"]:
        check(row, [call for call in calls if call.tenant == row["tenant"]])
    wanted = Filter(tenant="acme", model="large")
    check(
        overview.figures(window, ["status"], wanted)["totals"],
        [call for call in calls if (call.tenant, call.model) == ("acme", "large")],
    )


def check_series(found: dict[str, Any], calls: Sequence[Made]) -> None:
    step_s = found["step_s"]
    assert {line["model"] for line in found["series"]} == {call.model for call in calls}
    for line in found["series"]:
        steps: dict[int, list[Made]] = {point["at"]: [] for point in line["points"]}
        assert list(steps) == sorted(steps)
        for call in calls:
            if call.model == line["model"]:
                steps[call.at_ms // 1000 // step_s * step_s].append(call)
        for point in line["points"]:
            if point["calls"] or steps[point["at"]]:
                check(point, steps[point["at"]])


def test_two_who_ingest_at_once_count_each_call_once(database: Database, tmp_path: Path) -> None:
    """Of two gateways on one database, each with a log of its own, and some calls in both."""
    import threading

    logs = [LogFolder(tmp_path / name) for name in ("one", "two")]
    for number in range(300):
        call = Made(BEGIN_S * 1000 + number * 500, "acme", "large", None, None, "miss", 10.0, 5.0, 3, 7, 1, None, None)
        for log in logs if number % 3 == 0 else [logs[number % 2]]:
            log.append(call.line(number))
    database.ensure()
    others = [Database(database.engine.url.render_as_string(hide_password=False)) for _ in logs]
    threads = [
        threading.Thread(target=ingest, args=(log, other), kwargs={"limit_bytes": 5000})
        for log, other in zip(logs, others, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for other in others:
        other.close()
    totals = Overview(database, lambda: 0.0).figures(Window(BEGIN_S, BEGIN_S + 3600))["totals"]
    assert (totals["calls"], totals["nanousd"], totals["prompt_tokens"]) == (300, 2100, 900)


def test_a_tenants_view_holds_nobody_elses_calls() -> None:
    assert len({EVERYTHING, TENANTS, view_of("acme"), view_of("beta")}) == 4
    for by in ("tenant,model", "tenant,release"):
        with pytest.raises(InvalidRequest, match="name one `tenant`"):
            Filter().view(dimensions_of(by))
    assert Filter(tenant="acme").view(["tenant", "model"]) == view_of("acme")


def test_a_database_that_is_not_there_has_no_calls(tmp_path: Path) -> None:
    overview = Overview(Database(f"sqlite:///{tmp_path}/none.db"), lambda: 0.0)
    assert overview.figures(Window(0, 3600), ["model"])["totals"]["calls"] == 0
    assert overview.series(Window(0, 3600))["series"] == [] and overview.sums(EVERYTHING, 0, 3600) == {}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["user", "model,model", "model,user"])
def test_unknown_dimensions_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="by"):
        dimensions_of(text)


@pytest.mark.parametrize(("step_s", "window_s"), [(90, 3600), (5400, 86_400), (90_000, 864_000), (60, 864_000)])
def test_unusable_steps_are_refused(step_s: int, window_s: int, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="step"):
        Overview(Database(f"sqlite:///{tmp_path}/none.db"), lambda: 0.0).series(Window(0, window_s), step_s)
