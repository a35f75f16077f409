"""The rules of objectives in Prometheus' own hands: the tests here are written as files that ``promtool`` runs.

A minute is a sample. Traffic is 60 events a minute unless said otherwise, so that an hour has 3600.
"""

from pathlib import Path
from typing import NamedTuple

import pytest

from llmops.monitoring.prometheus.rule import as_file, duration
from llmops.monitoring.prometheus.slo_rules import burn, slo_groups
from llmops.monitoring.slo.burn import BURN_ALERTS, WINDOWS_S, BurnAlert

from .tools import asked, tool, write_yaml

HOUR = 60
LABELS = 'slo="s", model="m"'


class Stretch(NamedTuple):
    """So many minutes of so many good and bad events in each."""

    minutes: int
    good: float
    bad: float = 0


def counter(verdict: str, steps: list[tuple[int, float]]) -> dict[str, str]:
    """A counter as promtool writes series: ``start+step x times``, one stretch after the other."""
    value, parts = 0.0, []
    for minutes, step in steps:
        parts.append(f"{value:g}+{step:g}x{minutes - 1}")
        value += step * minutes
    return {"series": f'llmops_slo_events_total{{{LABELS}, verdict="{verdict}"}}', "values": " ".join(parts)}


def series(stretches: list[Stretch], *, target: float = 0.999, least: int = 100, bad: int = 5) -> list[dict[str, str]]:
    length = sum(each.minutes for each in stretches)
    fixed = {
        "llmops_slo_target_ratio": target,
        "llmops_slo_minimum_events": least,
        "llmops_slo_minimum_bad_events": bad,
    }
    return [
        counter("good", [(each.minutes, each.good) for each in stretches]),
        counter("bad", [(each.minutes, each.bad) for each in stretches]),
        *({"series": f'{name}{{slo="s"}}', "values": f"{value}x{length}"} for name, value in fixed.items()),
    ]


def checked(folder: Path, input_series: list[dict[str, str]], at_minute: int, firing: list[BurnAlert]) -> None:
    """promtool's verdict: at that minute exactly these alerts fire."""
    write_yaml(folder / "rules.yml", as_file(slo_groups(interval_s=60)))
    alerts = {
        "expr": "count by (slo, model, severity, long, short) (ALERTS{alertstate='firing'})",
        "eval_time": f"{at_minute}m",
        "exp_samples": [
            {
                "labels": f'{{{LABELS}, severity="{each.severity}", long="{each.long}", short="{each.short}"}}',
                "value": 1,
            }
            for each in firing
        ],
    }
    test = {"interval": "1m", "input_series": input_series, "promql_expr_test": [alerts]}
    file = write_yaml(folder / "test.yml", {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [test]})
    asked(tool("promtool"), "test", "rules", file, folder=folder)


FAST, SLOW, DAY, THREE_DAYS = BURN_ALERTS


def test_the_rules_are_rules(tmp_path: Path) -> None:
    for scale in (1, 60):
        file = write_yaml(tmp_path / "rules.yml", as_file(slo_groups(scale)))
        assert "SUCCESS" in asked(tool("promtool"), "check", "rules", file, folder=tmp_path)


@pytest.mark.parametrize(
    ("bad", "firing"),
    [
        (60 * 0.0005, []),
        (60 * 0.0070, [SLOW]),  # beyond 6 in the hour that there is, below 14.4
        (60 * 0.0150, [FAST, SLOW]),
    ],
)
def test_an_hour_of_failures_fires_what_its_rate_asks_for(tmp_path: Path, bad: float, firing: list[BurnAlert]) -> None:
    """Slower alerts fire as well: an hour is all the three days that there have been."""
    stretches = [Stretch(70, 60 - bad, bad)]
    slower = [DAY, THREE_DAYS] if firing else []
    checked(tmp_path, series(stretches), 65, [*firing, *slower])


def test_an_alert_ends_soon_after_the_trouble(tmp_path: Path) -> None:
    """A quarter of an hour of failures: within its short window the fastest alert is over, and so are the others."""
    quiet, trouble, after = Stretch(8 * HOUR, 60), Stretch(15, 30, 30), Stretch(60, 60)
    given = series([quiet, trouble, after])
    checked(tmp_path, given, 8 * HOUR + 14, [*BURN_ALERTS])
    checked(tmp_path, given, 8 * HOUR + 15 + 10, [SLOW, DAY, THREE_DAYS])
    checked(tmp_path, given, 8 * HOUR + 15 + 40, [DAY, THREE_DAYS])


def test_a_slow_leak_is_a_ticket(tmp_path: Path) -> None:
    """1.5 times what is allowed: no page, one ticket."""
    leak = Stretch(7 * HOUR, 60 * (1 - 0.0015), 60 * 0.0015)
    checked(tmp_path, series([leak]), 6 * HOUR, [THREE_DAYS])


@pytest.mark.parametrize(("least", "bad", "fires"), [(100, 5, True), (100_000, 5, False), (100, 100_000, False)])
def test_too_few_events_fire_nothing(tmp_path: Path, least: int, bad: int, fires: bool) -> None:
    given = series([Stretch(70, 30, 30)], least=least, bad=bad)
    checked(tmp_path, given, 65, list(BURN_ALERTS) if fires else [])


def test_one_failure_in_a_quiet_night_wakes_nobody(tmp_path: Path) -> None:
    """Two calls a minute, one of them fails: 0.8 % of an hour, eight times the rate, and still one event."""
    night = [Stretch(60, 2), Stretch(1, 1, 1), Stretch(10, 2)]
    checked(tmp_path, series(night), 63, [])


def test_no_events_are_no_alert(tmp_path: Path) -> None:
    checked(tmp_path, series([Stretch(70, 0)]), 65, [])


def test_money_burns_by_the_second(tmp_path: Path) -> None:
    """A budget of a cent a second, of which twenty times as much is spent; and half as much. What nobody spent before
    counts: in six hours it is five times as much."""
    for folder, cents_a_minute, firing in (("much", 20 * 60, [FAST]), ("little", 30, [])):
        given = [
            {"series": f"llmops_slo_cost_usd_total{{{LABELS}}}", "values": f"0+{cents_a_minute / 100:g}x100"},
            {"series": f'llmops_slo_events_total{{{LABELS}, verdict="good"}}', "values": "0+60x100"},
            {"series": f'llmops_slo_events_total{{{LABELS}, verdict="bad"}}', "values": "0x100"},
            {"series": 'llmops_slo_budget_usd_per_second{slo="s"}', "values": "0.01x100"},
            {"series": 'llmops_slo_minimum_events{slo="s"}', "values": "100x100"},
            {"series": 'llmops_slo_minimum_bad_events{slo="s"}', "values": "0x100"},
        ]
        checked(tmp_path / folder, given, 95, firing)


def test_the_budget_that_is_left(tmp_path: Path) -> None:
    """A fifth of what is allowed has failed: four fifths are left."""
    write_yaml(tmp_path / "rules.yml", as_file(slo_groups(interval_s=60)))
    left = {
        "expr": "round(slo:llmops_slo_budget_left:ratio_30d, 0.001)",
        "eval_time": "120m",
        "exp_samples": [{"labels": '{slo="s", model="m"}', "value": 0.8}],
    }
    rate = {
        "expr": f"round({burn('1h')}, 0.001)",
        "eval_time": "120m",
        "exp_samples": [{"labels": '{slo="s", model="m"}', "value": 0.2}],
    }
    test = {
        "interval": "1m",
        "input_series": series([Stretch(130, 60 * (1 - 0.0002), 60 * 0.0002)]),
        "promql_expr_test": [left, rate],
    }
    file = write_yaml(
        tmp_path / "test.yml", {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [test]}
    )
    asked(tool("promtool"), "test", "rules", file, folder=tmp_path)


@pytest.mark.parametrize(("seconds", "written"), [(86_400, "1d"), (5400, "90m"), (5, "5s"), (0.25, "250ms")])
def test_lengths_of_time_are_written_as_prometheus_reads_them(seconds: float, written: str) -> None:
    assert duration(seconds) == written
    assert {duration(each) for each in WINDOWS_S.values()} == set(WINDOWS_S)
