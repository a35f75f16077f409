"""The section ``alerts``: short forms, and what is refused with words that help."""

from typing import Any

import pytest
from pydantic import ValidationError

from llmops.alert_settings import AlertSettings
from llmops.errors import ConfigError
from llmops.monitoring.alerts.receivers.opening import open_receivers
from llmops.settings import Settings, masked

HOOK = {"name": "hook", "kind": "webhook", "url": "https://example.com/x"}
RULE = {"name": "slow", "kind": "latency", "threshold": 2}


def test_one_number_is_the_threshold_of_the_one_severity() -> None:
    (rule,) = AlertSettings.model_validate({"rules": [{**RULE, "severity": "critical"}]}).rules
    assert rule.levels == {"critical": 2.0}


def test_there_are_rules_without_a_section() -> None:
    assert AlertSettings().rule_names == [
        "success-rate",
        "budget",
        "spend",
        "breaker",
        "drops",
        "objectives",
        "rollouts",
    ]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"rules": [{"name": "x", "kind": "latency"}]}, "needs a threshold"),
        ({"rules": [{**RULE, "kind": "breaker_open"}]}, "takes no threshold"),
        ({"rules": [{**RULE, "threshold": {"warning": 5, "critical": 2}}]}, "worse severity must have the worse"),
        ({"rules": [{**RULE, "kind": "quality"}]}, "score names"),
        ({"rules": [{**RULE, "kind": "drops", "per": "tenant"}]}, "cannot be told apart"),
        ({"rules": [RULE, RULE]}, "two rules have the same name"),
        ({"rules": [{**RULE, "notify": "nobody"}]}, "'nobody', which is no receiver"),
        ({"rules": [{**RULE, "message": "{rule.__class__}"}]}, "is none of"),
        ({"rules": [{**RULE, "message": "{rule!r}"}]}, "is none of"),
        ({"rules": [{**RULE, "message": "{"}]}, "is not a template"),
        ({"receivers": [HOOK, HOOK]}, "two receivers have the same name"),
        ({"receivers": [{**HOOK, "url": "ftp://x"}]}, "must begin with http://"),
        ({"receivers": [{**HOOK, "url": "https://me:pw@example.com"}]}, "must not hold a user"),
        ({"receivers": [{**HOOK, "url_env": "X"}]}, "give url or url_env"),
        ({"receivers": [{"name": "m", "kind": "email", "to": "a@b.c"}]}, "needs host, sender and to"),
        (
            {"receivers": [{"name": "m", "kind": "email", "host": "h", "sender": "a@b", "to": "x\r\nBcc: y@z"}]},
            "is not a mail address",
        ),
        (
            {"receivers": [{**HOOK, "tenant": "acme"}], "rules": [{**RULE, "notify": "hook"}]},
            "does not tell tenants apart",
        ),
    ],
)
def test_what_cannot_be_is_refused(section: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        AlertSettings.model_validate(section)


def test_a_variable_that_is_not_set_stops_the_start() -> None:
    section = {"receivers": [{"name": "chat", "kind": "slack", "url_env": "LLMOPS_TEST_NOT_SET"}]}
    with pytest.raises(ConfigError, match="'chat': the variable LLMOPS_TEST_NOT_SET is not set"):
        open_receivers(AlertSettings.model_validate(section))


def test_addresses_and_secrets_are_masked() -> None:
    section = {"receivers": [{**HOOK, "url": "https://example.com/T0PSECRET", "secret": "T0PSECRET"}]}
    settings = Settings.model_validate({"alerts": section})
    assert "T0PSECRET" not in str(masked(settings)) + repr(settings)
