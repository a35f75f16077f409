"""Sums of usage, on both engines: by anything, filtered, as reports and CSV, and as what counters begin with."""

import csv
import io
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from llmops.errors import InvalidRequest
from llmops.rule_settings import BudgetSettings, LimitRuleSettings
from llmops.spend.rule import rules_of
from llmops.spend.usage.report import day_of, dimensions_of, show, tags_of, to_csv, total
from llmops.spend.usage.repository.sums import UsageFilter, UsageRepository, Used
from llmops.spend.usage.seeding import counter_differences, used_quotas
from llmops.store.counters.local import LocalCounters
from llmops.store.database import Database
from tests.spend.usage.logs import LogFolder, ingest, line

NOW_S = 1_795_260_000.0  # 2026-11-21, a Saturday
CALLS: list[dict[str, Any]] = [
    {"tenant": "acme", "user": "ann", "model": "big", "tags": {"feature": "search", "env": "prod"}},
    {"tenant": "acme", "user": "ann", "model": "big", "tags": {"feature": "search"}},
    {"tenant": "acme", "user": "bob", "model": "small", "timestamp": "2026-11-20T23:59:59.999Z"},
    {"tenant": "other", "user": "ann", "model": "big", "cost_nanousd": None, "tags": {"feature": "chat"}},
    {"tenant": "other", "user": None, "key_id": None, "model": "big", "status": 500, "error_type": "internal_error"},
    {"tenant": "acme", "timestamp": "2026-10-31T10:00:00.000Z", "cost_nanousd": 7},
]


@pytest.fixture
def sums(tmp_path: Path, database: Database) -> UsageRepository:
    log = LogFolder(tmp_path / "logs")
    log.append(b"".join(line(number, **fields) for number, fields in enumerate(CALLS)))
    ingest(log, database)
    return UsageRepository(database)


def calls_of(found: dict[tuple[str | None, ...], Used]) -> dict[tuple[str | None, ...], int]:
    return {values: used.calls for values, used in found.items()}


def test_sums_by_anything(sums: UsageRepository) -> None:
    assert calls_of(sums.sums([])) == {(): 6}
    assert calls_of(sums.sums(["tenant"])) == {("acme",): 4, ("other",): 2}
    assert calls_of(sums.sums(["day", "tenant"])) == {
        ("2026-10-31", "acme"): 1,
        ("2026-11-20", "acme"): 1,
        ("2026-11-21", "acme"): 2,
        ("2026-11-21", "other"): 2,
    }
    assert calls_of(sums.sums(["user", "key"]))[None, None] == 1
    assert calls_of(sums.sums(["tag:feature"])) == {("search",): 2, ("chat",): 1, (None,): 3}
    assert calls_of(sums.sums(["tag:env", "model", "tag:feature"]))["prod", "big", "search"] == 1


def test_tokens_money_errors_and_what_has_no_price(sums: UsageRepository) -> None:
    (used,) = sums.sums([], UsageFilter(tenant="other")).values()
    assert (used.calls, used.errors, used.unpriced, used.nanousd, used.tokens) == (2, 1, 1, 1000, 30)


@pytest.mark.parametrize(
    ("wanted", "calls"),
    [
        (UsageFilter(first=date(2026, 11, 21)), 4),
        (UsageFilter(first=date(2026, 11, 20), last=date(2026, 11, 20)), 1),
        (UsageFilter(last=date(2026, 1, 1)), 0),
        (UsageFilter(tenant="acme", user="ann"), 2),
        (UsageFilter(model="small"), 1),
        (UsageFilter(key="key000000001"), 5),
        (UsageFilter(tags={"feature": "search"}), 2),
        (UsageFilter(tags={"feature": "search", "env": "prod"}), 1),
        (UsageFilter(tags={"feature": "SEARCH"}), 0),
        (UsageFilter(tenant="a\0cme"), 0),
        (UsageFilter(tenant="' OR '1'='1"), 0),
    ],
)
def test_filters(wanted: UsageFilter, calls: int, sums: UsageRepository) -> None:
    assert sum(used.calls for used in sums.sums(["model"], wanted).values()) == calls


def test_a_database_that_does_not_exist_yet_has_seen_no_usage(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/llmops.db")
    assert UsageRepository(database).sums(["tenant"]) == {} and list(tmp_path.iterdir()) == []


def test_totals_are_named_as_counters_are(sums: UsageRepository) -> None:
    since = date(2026, 11, 1)
    assert sums.totals(["user"], since) == {
        ("acme/ann",): (30, 2000),
        ("acme/bob",): (15, 1000),
        ("other/ann",): (15, 0),
        (None,): (15, 1000),
    }
    assert sums.totals(["tag:feature", "tenant"], since)["acme/search", "acme"] == (30, 2000)
    assert sums.totals([], since) == {(): (75, 4000)}


# --- reports ----------------------------------------------------------------------------------------------------


def test_rows_are_dearest_first_or_in_the_order_of_time(sums: UsageRepository) -> None:
    assert [row["tenant"] for row in show(sums.sums(["tenant"]), ["tenant"])] == ["acme", "other"]
    days = [row["day"] for row in show(sums.sums(["tenant", "day"]), ["tenant", "day"])]
    assert days == sorted(days)
    (row,) = show(sums.sums([]), [])
    assert (row["usd"], row["nanousd"], row["tokens"], row["unpriced_calls"]) == ("0.000004007", 4007, 90, 1)
    assert total(sums.sums(["user", "day"])) == sums.sums([])[()]


def test_csv_runs_no_formulas() -> None:
    nasty = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "plain", 'with "quotes", and\nlines', None]
    found: dict[tuple[str | None, ...], Used] = {
        (text,): Used(calls=1, nanousd=10**9 - number) for number, text in enumerate(nasty)
    }
    rows = list(csv.reader(io.StringIO(to_csv(found, ["user"]), newline="")))
    assert rows[0][:3] == ["user", "calls", "errors"]
    assert [row[0] for row in rows[1:]] == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "'\rx", *nasty[6:8], ""]
    usd, nanousd = rows[0].index("usd"), rows[0].index("nanousd")
    assert [Decimal(row[usd]) * 10**9 for row in rows[1:]] == [int(row[nanousd]) for row in rows[1:]]


@pytest.mark.parametrize("by", ["sex", "tag:", "tenant,tenant", "a,b", "day,tenant,key,model,user,tag:a,tag:b", "day;"])
def test_what_usage_is_not_summed_up_by(by: str) -> None:
    with pytest.raises(InvalidRequest):
        dimensions_of(by)


def test_what_is_asked_for_is_read() -> None:
    assert dimensions_of(" tenant, tag:a b ,") == ["tenant", "tag:a b"] and dimensions_of("") == []
    assert tags_of(["a=b=c", "d="]) == {"a": "b=c", "d": ""}
    assert day_of("2026-11-30", "from") == date(2026, 11, 30) and day_of(None, "to") is None
    for wrong in ("a", "=b"):
        with pytest.raises(InvalidRequest, match="name=value"):
            tags_of([wrong])
    with pytest.raises(InvalidRequest, match="2026-11-30"):
        day_of("30.11.2026", "from")


# --- what counters begin with -----------------------------------------------------------------------------------


def test_counters_are_brought_to_what_the_database_knows(sums: UsageRepository) -> None:
    rules = rules_of(
        [
            LimitRuleSettings(per=["tenant"], tokens_per_day=1000, tokens_per_month=5000, requests_per_second=1),
            LimitRuleSettings(per=["ip"], tokens_per_day=1000),
            LimitRuleSettings(where={"model": "b*"}, tokens_per_month=1000),
        ],
        [
            BudgetSettings(per=["user"], usd=Decimal(1), window="month"),
            BudgetSettings(per=["tag:feature"], usd=Decimal(1), window="week"),
            BudgetSettings(per=["tenant", "key"], usd=Decimal(1), window="total"),
        ],
    )
    used, quotas = used_quotas(rules, sums, NOW_S)
    shown = {(quota.rule, *quota.name.split("\x1f")[1:]): used[quota.name] for quota in quotas}
    by_rule: dict[str, dict[tuple[str, ...], int]] = {}
    for (rule, *rest), amount in shown.items():
        by_rule.setdefault(rule.split(" per ")[-1], {})[tuple(rest)] = amount
    assert by_rule == {
        "tenant": {
            ("acme", "tokens/day"): 30,
            ("other", "tokens/day"): 30,
            ("acme", "tokens/month"): 45,
            ("other", "tokens/month"): 30,
        },
        "all where model=b*": {("tokens/month",): 60},
        "user": {("acme/ann", "usd/month"): 2000, ("acme/bob", "usd/month"): 1000, ("other/ann", "usd/month"): 0},
        "tag:feature": {("acme/search", "usd/week"): 2000, ("other/chat", "usd/week"): 0},
        "tenant+key": {("acme", "key000000001", "usd/total"): 3007, ("other", "key000000001", "usd/total"): 0},
    }
    counters = LocalCounters(lambda: NOW_S, lambda: 0.0)
    assert len(counter_differences(rules, sums, NOW_S, counters.used)) == sum(1 for amount in used.values() if amount)
    counters.raise_to(used, quotas)
    assert counter_differences(rules, sums, NOW_S, counters.used) == []
