"""The settings of resilience: the same fields and defaults as the rules, and what is refused."""

import msgspec
import pytest
from pydantic import BaseModel, ValidationError

from llmops.resilience.rules import BreakerRules, OverloadRules, PoolRules, RetryRules
from llmops.resilience_settings import (
    BreakerSettings,
    OverloadSettings,
    PoolSettings,
    ResilienceSettings,
    RetrySettings,
)


@pytest.mark.parametrize(
    ("section", "rules", "elsewhere"),
    [
        (RetrySettings, RetryRules, {"max_attempts"}),
        (BreakerSettings, BreakerRules, set()),
        (PoolSettings, PoolRules, {"per_tenant"}),
        (OverloadSettings, OverloadRules, set()),
    ],
)
def test_rules_are_the_settings_field_for_field(
    section: type[BaseModel], rules: type[msgspec.Struct], elsewhere: set[str]
) -> None:
    assert msgspec.convert(section().model_dump(), rules) == rules()
    assert set(section.model_fields) ^ set(rules.__struct_encode_fields__) == elsewhere
    assert all(field.description for field in section.model_fields.values())


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"retries": {"backoff_seconds": -1}}, "retries.backoff_seconds"),
        ({"retries": {"budget_share": float("nan")}}, "retries.budget_share"),
        ({"breaker": {"failure_share": 0}}, "breaker.failure_share"),
        ({"breaker": {"ejection_seconds": 900}}, "more than max_ejection_seconds 300"),
        ({"breaker": {"cooldown_seconds": 5, "max_cooldown_seconds": 2}}, "more than max_cooldown_seconds 2"),
        ({"pools": {"minimum": 100}}, "not in this order"),
        ({"pools": {"decrease": 1}}, "pools.decrease"),
        ({"overload": {"reserved_share": 1}}, "overload.reserved_share"),
        ({"hedging": True}, "hedging"),
    ],
)
def test_what_cannot_be_is_refused(section: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ResilienceSettings.model_validate(section)
    places = " ".join(".".join(map(str, error["loc"])) + ": " + error["msg"] for error in caught.value.errors())
    assert told in places
