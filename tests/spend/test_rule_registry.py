"""Adding and removing limits and budgets, on both engines: whose they are, how many, and what comes back."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from llmops.clock import ManualClock
from llmops.errors import Conflict, Forbidden, InvalidRequest, NotFound, StoreUnavailable
from llmops.identity.directory import IdentityDirectory
from llmops.rule_settings import BudgetSettings, LimitRuleSettings
from llmops.spend.repository_rules import Room, RuleRepository
from llmops.spend.rule_directory import RuleDirectory
from llmops.spend.rule_registry import RuleRegistry
from llmops.spend.stored_rule import StoredRule, read_settings
from llmops.store.database import Database

LIMIT = LimitRuleSettings(requests_per_second=2.5, burst=7, per=["key", "tag:env"], where={"model": "gpt-*"}, name="n")
BUDGET = BudgetSettings.model_validate({"usd": 0.1, "window": "day", "hard": False})


def for_tenant(tenant: str) -> LimitRuleSettings:
    return LimitRuleSettings(concurrent_calls=1, where={"tenant": tenant})


@pytest.fixture
def registry(database: Database) -> Iterator[RuleRegistry]:
    clock = ManualClock()
    identity = IdentityDirectory(database, b"p" * 32, clock, refresh_s=1)
    for tenant in ("acme", "other"):
        identity.registry.create_tenant(tenant)
    yield RuleDirectory(database, clock, is_tenant=identity.registry.has_tenant).registry


def test_nothing_is_read_or_made_before_the_first_rule(url: str) -> None:
    database = Database(url)
    registry = RuleDirectory(database, ManualClock(), is_tenant=lambda _: True).registry
    assert registry.rules("limit") == registry.rules("budget") == []
    with pytest.raises(NotFound):
        registry.remove("limit", "0123456789ab")
    database.close()


def test_what_was_added_comes_back_as_it_was(registry: RuleRegistry) -> None:
    limit, budget = registry.add(LIMIT), registry.add(BUDGET)
    assert registry.rules("limit") == [limit] and registry.rules("budget") == [budget]
    assert limit.rule().settings == LIMIT and budget.rule().settings == BUDGET
    assert str(budget.rule().settings.usd) == "0.1", "exactly what was written"  # type: ignore[union-attr]
    assert (limit.rule().id, limit.tenant, limit.created_at_s) == (f"db:{limit.id}", None, ManualClock().now_s())
    assert registry.remove("limit", limit.id) == limit
    assert registry.rules("limit") == [] and registry.rules("budget") == [budget]


def test_every_change_moves_the_counter_and_no_refusal_does(registry: RuleRegistry, database: Database) -> None:
    seen = [database.version("rules")]
    rule = registry.add(LIMIT)
    seen.append(database.version("rules"))
    for refused in (
        lambda: registry.remove("budget", rule.id),
        lambda: registry.remove("limit", "0" * 12),
        lambda: registry.add(for_tenant("nobody")),
    ):
        with pytest.raises(NotFound):
            refused()
    assert database.version("rules") == seen[-1]
    registry.remove("limit", rule.id)
    seen.append(database.version("rules"))
    assert seen == [seen[0], seen[0] + 1, seen[0] + 2]


@pytest.mark.parametrize("strange", ["", "configuration", "limit:n", "A" * 12, "0" * 13, "'; --", "\0" * 12, "é" * 12])
def test_what_cannot_be_an_id_is_not_looked_for(strange: str, registry: RuleRegistry) -> None:
    with pytest.raises(NotFound, match="those of the configuration are changed in its file"):
        registry.remove("limit", strange)


# --- tenants ----------------------------------------------------------------------------------------------------


def test_a_rule_for_a_tenant_that_does_not_exist_would_bind_nobody(registry: RuleRegistry) -> None:
    with pytest.raises(NotFound, match="there is no tenant 'nobody'; create it first"):
        registry.add(for_tenant("nobody"))
    for tenant in ("acme", "default", "no*"):
        registry.add(for_tenant(tenant))
    assert len(registry.rules("limit")) == 3


def test_a_tenants_rule_is_bound_to_it_whatever_was_asked_for(registry: RuleRegistry) -> None:
    assert registry.add(LIMIT, tenant="acme").settings["where"] == {"model": "gpt-*", "tenant": "acme"}
    assert registry.add(for_tenant("acme"), tenant="acme").tenant == "acme"
    for other in ("other", "nobody", "*", "acm*"):
        with pytest.raises(Forbidden, match="another tenant are made by an administrator"):
            registry.add(for_tenant(other), tenant="acme")
    assert len(registry.rules("limit")) == 2


def test_a_tenant_sees_and_removes_what_is_its_own(registry: RuleRegistry) -> None:
    mine, theirs = registry.add(LIMIT, tenant="acme"), registry.add(LIMIT, tenant="other")
    imposed, general = registry.add(for_tenant("acme")), registry.add(for_tenant("acm*"))
    assert {rule.id for rule in registry.rules("limit", "acme")} == {mine.id, imposed.id}
    for rule in (theirs, general):
        with pytest.raises(NotFound, match="there is no limit"):
            registry.remove("limit", rule.id, tenant="acme")
    with pytest.raises(Forbidden, match="set by an administrator"):
        registry.remove("limit", imposed.id, tenant="acme")
    assert registry.remove("limit", mine.id, tenant="acme") == mine
    assert len(registry.rules("limit")) == 3


def test_there_are_not_more_rules_than_every_call_can_be_compared_with(
    registry: RuleRegistry, database: Database
) -> None:
    repository = RuleRepository(database, Room(of_all=5, of_a_tenant=2))
    few = RuleRegistry(repository, ManualClock(), is_tenant=lambda _: True)

    def add(number: int) -> bool:
        try:
            few.add(LIMIT, tenant=("acme", "other")[number % 2])
        except Conflict as exc:
            assert "has 2 limits and budgets of its own" in exc.message
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(add, range(12))) == 4, "also when they come at once"
    few.add(LIMIT)
    with pytest.raises(Conflict, match="there are 5 limits and budgets, which is the most"):
        few.add(BUDGET)


# --- settings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("limit", {}, "limits nothing: give one of requests_per_second"),
        ("limit", {"requests_per_second": "-1"}, "requests_per_second: '-1': must be greater than or equal to 0.001"),
        ("limit", {"requests_per_second": "inf"}, "requests_per_second: 'inf': must be less than"),
        ("limit", {"requests_per_second": "nan"}, "requests_per_second: 'nan': must be"),
        ("limit", {"tokens_per_day": 10**14}, "tokens_per_day: '100000000000000': must be less than"),
        ("limit", {"concurrent_calls": 1.5}, "concurrent_calls: '1.5': must be a valid integer"),
        ("limit", {"concurrent_calls": 1, "burst": 2}, "burst goes with requests_per_second"),
        ("limit", {"concurrent_calls": 1, "per": ["tenat"]}, "per: 'tenat' is none of tenant, key, user"),
        ("limit", {"concurrent_calls": 1, "per": ["key", "key"]}, "per: names something twice"),
        ("limit", {"concurrent_calls": 1, "where": {"tenat": "x"}}, "where.tenat: 'tenat': must be 'tenant', 'key'"),
        ("limit", {"concurrent_calls": 1, "where": {"user": "a\x1fb"}}, "where: 'a\\x1fb' holds characters"),
        ("limit", {"concurrent_calls": 1, "where": {"user": ""}}, "where.user: '': String should have at least 1"),
        ("limit", {"concurrent_calls": 1, "usd": 7}, "usd: is not known"),
        ("limit", {"concurrent_calls": 1, "name": "a\nb"}, "name: 'a\\nb'"),
        ("budget", {}, "usd: is missing"),
        ("budget", {"usd": 0}, "usd: '0': must be greater than 0"),
        ("budget", {"usd": "NaN"}, "usd: 'NaN': must be a finite number"),
        ("budget", {"usd": "1e7"}, "usd: '1e7': must be less than or equal to 1000000"),
        ("budget", {"usd": "0.0000000001"}, "usd: '0.0000000001': Decimal input should have no more than 9"),
        ("budget", {"usd": "1", "window": "year"}, "window: 'year': must be 'day', 'week', 'month' or 'total'"),
        ("budget", {"usd": "-1", "window": "year"}, "; window: "),
    ],
)
def test_nonsense_is_refused_in_one_line_that_names_it(kind: str, values: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_settings(kind, values)  # type: ignore[arg-type]
    assert message in caught.value.message and "\n" not in caught.value.message


def test_a_rule_of_another_version_says_how_to_get_rid_of_it(database: Database) -> None:
    repository = RuleRepository(database)
    odd = StoredRule(id="0" * 12, kind="limit", tenant=None, settings={"calls_per_moon": 1}, created_at_s=0)
    repository.add(odd)
    with pytest.raises(StoreUnavailable, match="`llmops limits remove 000000000000`"):
        repository.rule("limit", odd.id).rule()
    registry = RuleRegistry(repository, ManualClock(), is_tenant=lambda _: True)
    assert registry.rules("limit") == [odd] and registry.remove("limit", odd.id) == odd
