"""The life of an alert as a state machine: when it fires, when it is over, and what flapping does to it."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from llmops.monitoring.alerts.alert import Alert, new_alert
from llmops.monitoring.alerts.life import MEMORY_S, Finding, Patience, clearing_s, end, step

PATIENCE = Patience(for_s=60, clear_s=120, unknown_s=900)
BLANK = new_alert("slow", "warning", {"model": "m"})
LOOKS = st.lists(st.tuples(st.floats(0, 400), st.sampled_from(["beyond", "well", "unknown"])), min_size=1, max_size=80)


def walk(*looks: tuple[float, Finding], patience: Patience = PATIENCE) -> list[tuple[str, str | None]]:
    alert, found = BLANK, []
    for at_s, finding in looks:
        alert, change = step(alert, finding, patience, at_s)
        found.append((alert.state, change))
    return found


def test_it_fires_after_its_time_and_ends_after_another() -> None:
    assert walk(
        (0, "well"), (10, "beyond"), (40, "beyond"), (70, "beyond"), (80, "well"), (199, "well"), (200, "well")
    ) == [
        ("ok", None),
        ("pending", "pending"),
        ("pending", None),
        ("firing", "firing"),
        ("firing", None),
        ("firing", None),
        ("ok", "resolved"),
    ]


def test_a_pause_begins_the_time_anew() -> None:
    assert walk((0, "beyond"), (50, "well"), (60, "beyond"), (119, "beyond"))[-1] == ("pending", None)
    assert walk((0, "beyond"), (50, "unknown"), (60, "beyond"), (119, "beyond"))[-1] == ("pending", None)


def test_without_a_time_it_fires_at_once() -> None:
    assert walk((0, "beyond"), patience=Patience(0, 0, 900)) == [("firing", "firing")]


def test_an_outage_that_ends_all_traffic_is_not_its_own_recovery() -> None:
    looks: list[tuple[float, Finding]] = [(0, "beyond"), (60, "beyond"), (100, "unknown"), (900, "unknown")]
    assert walk(*looks)[-1] == ("firing", None)
    assert walk(*looks, (1000, "unknown"))[-1] == ("ok", "resolved")


def test_a_clock_that_goes_back_only_makes_it_wait() -> None:
    assert walk((1000, "beyond"), (900, "beyond"), (1059, "beyond"))[-1] == ("pending", None)


def test_each_relapse_within_an_hour_doubles_the_time_that_it_has_to_be_well() -> None:
    fired = msgspec.structs.replace(BLANK, state="firing", fired_at_s=(0.0,))
    times = [clearing_s(msgspec.structs.replace(fired, fired_at_s=(0.0,) * n), PATIENCE) for n in (1, 2, 3, 4, 50)]
    assert times == [120, 240, 480, 960, MEMORY_S]
    assert step(msgspec.structs.replace(fired, fired_at_s=(0.0, 1.0)), "well", PATIENCE, 4000)[0].fired_at_s == ()


def test_what_nobody_looks_at_any_more_ends() -> None:
    assert end(msgspec.structs.replace(BLANK, state="firing"), 5.0)[1] == "resolved"
    assert end(BLANK, 5.0)[1] is None


@given(LOOKS, st.floats(0, 300), st.floats(0, 300))
def test_it_fires_and_ends_only_with_reason_and_in_turns(
    looks: list[tuple[float, Finding]], for_s: float, clear_s: float
) -> None:
    patience = Patience(for_s, clear_s, 900)
    alert: Alert = BLANK
    now_s, beyond_since, not_beyond_since = 1e9, None, None
    last: str | None = None
    for pause_s, finding in looks:
        now_s += pause_s
        beyond_since = (now_s if beyond_since is None else beyond_since) if finding == "beyond" else None
        not_beyond_since = None if finding == "beyond" else (now_s if not_beyond_since is None else not_beyond_since)
        before = alert.state
        alert, change = step(alert, finding, patience, now_s)
        if change == "firing":
            assert last != "firing" and beyond_since is not None and now_s - beyond_since >= for_s
        if change == "resolved":
            assert last == "firing" and not_beyond_since is not None
            assert now_s - not_beyond_since >= min(clear_s, 900)
        if change in ("firing", "resolved"):
            last = change
        assert (alert.state != before) == (change is not None)
        assert alert.state != "pending" or finding == "beyond"
        assert all(now_s - at_s < MEMORY_S for at_s in alert.fired_at_s)


@given(st.lists(st.sampled_from(["beyond", "well"]), min_size=200, max_size=400))
def test_what_flaps_fires_a_few_times_an_hour_at_most(findings: list[Finding]) -> None:
    alert, fired = BLANK, []
    for number, finding in enumerate(findings):
        alert, change = step(alert, finding, Patience(0, 0, 900), number * 10.0)
        fired += [number * 10.0] if change == "firing" else []
    for at_s in fired:
        assert sum(at_s <= other < at_s + MEMORY_S for other in fired) <= 8
