"""The section ``redis``: its short variable, what is refused, and that no password is shown."""

import pytest

from llmops.config import load_settings
from llmops.errors import ConfigError
from llmops.settings import Settings, masked


def test_without_a_url_processes_count_by_themselves() -> None:
    assert Settings().redis.url is None
    assert masked(Settings())["redis"]["url"] is None


def test_the_short_variable_sets_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_REDIS_URL", "rediss://:do-not-show@cache:6380/1")
    settings = load_settings()
    assert settings.redis.url == "rediss://:do-not-show@cache:6380/1"
    assert masked(settings)["redis"]["url"] == "rediss://:**********@cache:6380/1"


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"url": "http://:do-not-show@cache"}, "must begin with redis://, rediss:// or unix://"),
        ({"namespace": "{a}"}, "redis.namespace: '{a}'"),
        ({"limits_on_loss": "maybe"}, "'local', 'open' or 'closed'"),
        ({"budgets_on_loss": "local"}, "'closed' or 'open'"),
        ({"command_timeout_seconds": 0}, "greater than 0"),
    ],
)
def test_what_cannot_be_is_refused_without_a_password(section: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(redis=section)
    assert message in str(caught.value) and "do-not-show" not in str(caught.value)
