"""What is shown of rules: both sources, what is used of each counter, and to a tenant nothing of others."""

from decimal import Decimal
from pathlib import Path

from llmops.clock import ManualClock
from llmops.rule_settings import BudgetSettings, LimitRuleSettings
from llmops.spend.rule import Rule, Subject, rules_of
from llmops.spend.rule_directory import RuleDirectory
from llmops.spend.rule_shown import MAX_COUNTERS, uses_by_rule
from llmops.store.counters.local import LocalCounters
from llmops.store.counters.meter import Meter, Quota
from llmops.store.database import Database

QUOTA = LimitRuleSettings(requests_per_second=10, tokens_per_day=500, tokens_per_month=9000, per=["user", "model"])
BUDGET = BudgetSettings(usd=Decimal("1.5"), per=["tenant"], name="monthly")
ALICE = Subject(tenant="acme", key="k", user="alice", ip=None, model="gpt", tags={})


def directory(path: Path, rules: list[Rule], state: list[tuple[str, int]] | None) -> tuple[RuleDirectory, Database]:
    database = Database(f"sqlite:///{path}/llmops.db")
    shown = RuleDirectory(
        database,
        ManualClock(),
        is_tenant=lambda _: True,
        configured=lambda: rules,
        state=None if state is None else lambda: state,
    )
    return shown, database


def state_after(meters: list[Meter], tokens: int, nanousd: int) -> list[tuple[str, int]]:
    """What counters say after one call: the names are theirs, not this test's."""
    counters = LocalCounters(ManualClock().now_s, ManualClock().monotonic_s)
    counters.reserve("r", meters, (1, tokens, nanousd))
    quotas = [meter for meter in meters if isinstance(meter, Quota)]
    return [(meter.name, used) for meter, used in zip(quotas, counters.used(quotas), strict=True)]


def test_what_is_used_is_shown_by_counter_exactly(tmp_path: Path) -> None:
    rules = rules_of([QUOTA], [BUDGET])
    shown, database = directory(tmp_path, rules, [])
    stored = shown.registry.add(BudgetSettings(usd=Decimal(2), window="total"))
    meters = [meter for rule in (*rules, stored.rule()) for meter in rule.meters(ALICE)]
    shown, again = directory(tmp_path, rules, state_after(meters, 120, 1_234_567_891))
    (limit,) = shown.shown("limit")
    assert limit["used"] == [
        {"of": {"user": "acme/alice", "model": "gpt"}, "window": "day", "used_tokens": 120},
        {"of": {"user": "acme/alice", "model": "gpt"}, "window": "month", "used_tokens": 120},
    ]
    assert (limit["source"], limit["tokens_per_day"], limit["per"]) == ("configuration", 500, ["user", "model"])
    configured, kept = shown.shown("budget")
    assert configured["used"] == [{"of": {"tenant": "acme"}, "window": "month", "used_usd": "1.234567891"}]
    assert (configured["id"], configured["usd"]) == ("budget:monthly", "1.5")
    assert kept["used"] == [{"of": {}, "window": "total", "used_usd": "1.234567891"}]
    assert (kept["id"], kept["source"], kept["created_at"]) == (stored.id, "database", "2023-11-14T22:13:20Z")
    database.close()
    again.close()


def test_money_is_written_without_an_exponent(tmp_path: Path) -> None:
    (rule,) = rules_of([], [BUDGET])
    name = f"{rule.id}\x1facme\x1fusd/month"
    for nanousd, text in ((0, "0"), (1, "0.000000001"), (100_000_000_000, "100"), (10**18, "1000000000")):
        shown, database = directory(tmp_path, [rule], [(name, nanousd)])
        assert shown.shown("budget")[0]["used"][0]["used_usd"] == text
        database.close()


def test_where_nobody_knows_what_is_used_nothing_is_said(tmp_path: Path) -> None:
    shown, database = directory(tmp_path, rules_of([QUOTA], []), None)
    assert shown.shown("limit")[0]["used"] is None
    shown, database = directory(tmp_path, rules_of([QUOTA], []), [])
    assert shown.shown("limit")[0]["used"] == []
    database.close()


def test_of_very_many_counters_the_largest_are_shown(tmp_path: Path) -> None:
    (rule,) = rules_of([], [BUDGET])
    state = [(f"{rule.id}\x1ft{number}\x1fusd/month", number) for number in range(MAX_COUNTERS + 50)]
    shown, database = directory(tmp_path, [rule], state)
    used = shown.shown("budget")[0]["used"]
    assert len(used) == MAX_COUNTERS and used[0]["of"] == {"tenant": f"t{MAX_COUNTERS + 49}"}
    database.close()


def test_a_tenant_is_shown_what_is_about_it_alone(tmp_path: Path) -> None:
    """Not rules for all, whose counters are everybody's, and no pattern, which may name others."""
    about = [{"tenant": "acme"}, {"tenant": "other"}, {"tenant": "acm*"}, {"model": "gpt"}, {}]
    limits = [
        LimitRuleSettings.model_validate({"concurrent_calls": 1, "where": where, "name": f"n{number}"})
        for number, where in enumerate(about)
    ]
    shown, database = directory(tmp_path, rules_of(limits, []), [])
    for limit in limits:
        shown.registry.add(limit)
    for rules in (shown.shown("limit", "acme"), shown.shown("limit", "other")):
        assert [rule["source"] for rule in rules] == ["configuration", "database"]
    assert {rule["name"] for rule in shown.shown("limit", "acme")} == {"n0"}
    assert len(shown.shown("limit")) == 10 and shown.shown("budget") == []
    database.close()


def test_counters_of_a_user_with_a_strange_name_stay_its_rules() -> None:
    assert list(uses_by_rule([("limit:n\x1fa\x1fb\x1fc\x1ftokens/day", 3)])) == ["limit:n"]
