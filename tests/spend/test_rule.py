"""Rules: whom they are about, what they bound, and which counters they share."""

from typing import Any

import pytest
from pydantic import ValidationError

from llmops.errors import ConfigError
from llmops.rule_settings import BudgetSettings, LimitRuleSettings
from llmops.spend.rule import Rule, Subject, usd
from llmops.store.counters.meter import Concurrency, Meter, Quota, Rate, Unit
from tests.spend.till import rules


def subject(**fields: Any) -> Subject:
    return Subject(
        **{
            "tenant": "acme",
            "key": "k1",
            "user": "ann",
            "ip": "10.0.0.7",
            "model": "gpt",
            "tags": {"feature": "search"},
            **fields,
        }
    )


def one(**settings: Any) -> Rule:
    (rule,) = rules(settings)
    return rule


def names(rule: Rule, **fields: Any) -> list[str]:
    return [meter.name for meter in rule.meters(subject(**fields))]


@pytest.mark.parametrize(
    ("per", "other"),
    [
        ("tenant", {"tenant": "other"}),
        ("key", {"key": "k2"}),
        ("user", {"user": "bob"}),
        ("ip", {"ip": "::1"}),
        ("model", {"model": "claude"}),
        ("tag:feature", {"tags": {"feature": "chat"}}),
    ],
)
def test_each_value_of_a_dimension_has_a_count_of_its_own(per: str, other: dict[str, Any]) -> None:
    rule = one(per=per, concurrent_calls=1)
    assert names(rule) == names(rule)
    assert names(rule) != names(rule, **other)
    everything_else = {"tenant": "acme"} if per != "tenant" else {}
    assert names(rule) == names(rule, **everything_else)


@pytest.mark.parametrize(
    ("per", "nothing"),
    [("key", {"key": None}), ("user", {"user": None}), ("ip", {"ip": None}), ("tag:feature", {"tags": {"env": "x"}})],
)
def test_a_rule_is_not_about_calls_without_its_dimension(per: str, nothing: dict[str, Any]) -> None:
    assert names(one(per=per, concurrent_calls=1)) and not names(one(per=per, concurrent_calls=1), **nothing)


@pytest.mark.parametrize(("per", "same"), [("user", {"user": "ann"}), ("tag:feature", {"tags": {"feature": "search"}})])
def test_what_tenants_name_is_counted_within_the_tenant(per: str, same: dict[str, Any]) -> None:
    rule = one(per=per, concurrent_calls=1)
    assert names(rule, tenant="acme", **same) != names(rule, tenant="other", **same)


def test_several_dimensions_count_by_their_combination() -> None:
    rule = one(per=["user", "model"], concurrent_calls=1)
    found = {names(rule, user=user, model=model)[0] for user in ("ann", "bob") for model in ("gpt", "claude")}
    assert len(found) == 4
    assert not names(rule, user=None)


def test_without_dimensions_all_calls_share_one_count() -> None:
    rule = one(concurrent_calls=1)
    assert names(rule) == names(rule, tenant="x", key=None, user=None, ip=None, model="y", tags={})


@pytest.mark.parametrize(
    ("where", "fits", "does_not"),
    [
        ({"model": "gpt*"}, {"model": "gpt-4o"}, {"model": "my-gpt"}),
        ({"tenant": "acme"}, {}, {"tenant": "acme2"}),
        ({"user": "*@acme.com"}, {"user": "ann@acme.com"}, {"user": None}),
        ({"ip": "10.*", "model": "g*"}, {}, {"model": "claude"}),
        ({"key": "k?"}, {"key": "k?"}, {"key": "k1"}),  # only * is special
    ],
)
def test_where_narrows_a_rule(where: dict[str, str], fits: dict[str, Any], does_not: dict[str, Any]) -> None:
    rule = one(where=where, concurrent_calls=1)
    assert names(rule, **fits) and not names(rule, **does_not)


def test_a_rule_bounds_several_measures() -> None:
    rule = one(
        requests_per_second=2.5,
        requests_per_minute=60,
        tokens_per_minute=1000,
        concurrent_calls=3,
        tokens_per_day=10_000,
        tokens_per_month=50_000,
        shadow=True,
    )
    found = rule.meters(subject())
    assert all(meter.shadow for meter in found)
    assert len({meter.name for meter in found}) == 6

    def shape(meter: Meter) -> tuple[Any, ...]:
        match meter:
            case Rate():
                return meter.unit, meter.count, meter.period_us, meter.burst
            case Quota():
                return meter.unit, meter.limit, meter.window, meter.hard
            case Concurrency():
                return (meter.limit,)

    assert [shape(meter) for meter in found] == [
        (Unit.REQUESTS, 2500, 1_000_000_000, 2),
        (Unit.REQUESTS, 60, 60_000_000, 60),
        (Unit.TOKENS, 1000, 60_000_000, 1000),
        (3,),
        (Unit.TOKENS, 10_000, "day", True),
        (Unit.TOKENS, 50_000, "month", True),
    ]


def test_burst_is_for_requests_and_not_for_tokens() -> None:
    requests, tokens = one(requests_per_second=5, tokens_per_minute=100, burst=50).meters(subject())
    assert isinstance(requests, Rate) and isinstance(tokens, Rate)
    assert (requests.burst, tokens.burst) == (50, 100)


def test_a_budget_is_exact_to_the_nano_dollar() -> None:
    (rule,) = rules(budgets=[{"usd": 0.000000001, "window": "day"}])
    (meter,) = rule.meters(subject())
    assert isinstance(meter, Quota)
    assert (meter.limit, meter.unit, meter.window, meter.hard) == (1, Unit.NANOUSD, "day", True)
    (rule,) = rules(budgets=[{"usd": 0.1, "hard": False}])
    (meter,) = rule.meters(subject())
    assert isinstance(meter, Quota) and (meter.limit, meter.hard, meter.window) == (100_000_000, False, "month")


def test_a_higher_budget_keeps_what_was_spent_and_another_rate_begins_anew() -> None:
    def budget(amount: int) -> list[Meter]:
        (rule,) = rules(budgets=[{"usd": amount, "per": "tenant"}])
        return rule.meters(subject())

    assert budget(5)[0].name == budget(7)[0].name
    assert names(one(tokens_per_day=5)) == names(one(tokens_per_day=6))
    assert names(one(concurrent_calls=5)) == names(one(concurrent_calls=6))
    assert names(one(requests_per_second=5)) != names(one(requests_per_second=6))


def test_the_place_in_the_file_does_not_matter() -> None:
    first, second = {"per": "user", "concurrent_calls": 1}, {"per": "key", "concurrent_calls": 1}
    assert [rule.id for rule in rules(first, second)] == [rule.id for rule in rules(second, first)][::-1]


def test_rules_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(ConfigError, match="limits: two are called 'concurrent_calls per tenant'; give each its own"):
        rules({"per": "tenant", "concurrent_calls": 1}, {"per": "tenant", "concurrent_calls": 2})
    with pytest.raises(ConfigError, match="budgets: two are called 'x'"):
        rules(budgets=[{"usd": 1, "name": "x"}, {"usd": 2, "name": "x"}])
    rules({"concurrent_calls": 1, "name": "x"}, budgets=[{"usd": 1, "name": "x"}])


@pytest.mark.parametrize(
    ("settings", "label"),
    [
        ({"concurrent_calls": 1, "name": "team"}, "team"),
        ({"requests_per_second": 1, "tokens_per_day": 1}, "requests_per_second tokens_per_day per all"),
        ({"concurrent_calls": 1, "per": ["user", "model"]}, "concurrent_calls per user+model"),
        (
            {"concurrent_calls": 1, "where": {"model": "g*", "ip": "1.*"}},
            "concurrent_calls per all where ip=1.*,model=g*",
        ),
    ],
)
def test_a_rule_is_called_by_its_name_or_what_it_does(settings: dict[str, Any], label: str) -> None:
    found = one(**settings).meters(subject(model="gpt", ip="1.2.3.4"))
    assert {meter.rule for meter in found} == {label}


@pytest.mark.parametrize(
    ("nanousd", "text"),
    [
        (0, "$0.00"),
        (1, "$0.000000001"),
        (10**9, "$1.00"),
        (1_500_000_000, "$1.50"),
        (12_345_678_900, "$12.3456789"),
        (-250_000_000, "-$0.25"),
    ],
)
def test_money_for_people(nanousd: int, text: str) -> None:
    assert usd(nanousd) == text


@pytest.mark.parametrize(
    "absurd",
    [
        {},
        {"burst": 5},
        {"burst": 5, "tokens_per_minute": 5},
        {"requests_per_second": 0},
        {"requests_per_second": -1},
        {"requests_per_second": float("nan")},
        {"requests_per_second": float("inf")},
        {"requests_per_minute": 0},
        {"requests_per_minute": 1.5},
        {"tokens_per_minute": -5},
        {"tokens_per_day": 10**30},
        {"concurrent_calls": 0},
        {"concurrent_calls": 1, "per": "planet"},
        {"concurrent_calls": 1, "per": ["user", "user"]},
        {"concurrent_calls": 1, "per": "tag:"},
        {"concurrent_calls": 1, "per": "tag:a b"},
        {"concurrent_calls": 1, "where": {"planet": "earth"}},
        {"concurrent_calls": 1, "where": {"user": ""}},
        {"concurrent_calls": 1, "name": "a\nb"},
        {"concurrent_calls": 1, "typo": 1},
    ],
)
def test_absurd_limits_are_refused(absurd: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LimitRuleSettings.model_validate(absurd)


@pytest.mark.parametrize("absurd", [0, -1, "NaN", "Infinity", 10**7, "0.0000000001", "one"])
def test_absurd_budgets_are_refused(absurd: Any) -> None:
    with pytest.raises(ValidationError):
        BudgetSettings.model_validate({"usd": absurd})
