"""The configuration: where values come from, and what each mistake is told.

Every message names the key, shows the value and says what would be right.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmops.config import CONTRACT_VARIABLES, load_settings, read_yaml
from llmops.errors import ConfigError
from llmops.settings import Settings, masked

Load = Callable[..., Settings]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """``load(yaml, VARIABLE="value")``: settings from that file and nothing but those variables, in an empty folder."""
    import os

    for variable in list(os.environ):
        if variable.startswith("LLMOPS_") or variable in CONTRACT_VARIABLES or variable.endswith("_API_KEY"):
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)

    def run(text: str = "", values: dict[str, Any] | None = None, **variables: str) -> Settings:
        file = tmp_path / "given.yaml"
        file.write_text(text)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        try:
            return load_settings(file, **(values or {}))
        finally:
            for name in variables:
                monkeypatch.delenv(name)

    return run


def problems_of(load: Load, text: str = "", **variables: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(text, **variables)
    assert all(problem in caught.value.message for problem in caught.value.problems)
    return caught.value.problems


DEPLOYMENT = "models: {m: [{provider: openai, %s}]}"
RESORTS = "models: {m: {deployments: [{provider: mock}], last_resorts: [%s]}}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sever: {port: 1}", "sever: unknown key; did you mean 'server'?"),
        ("server: {prot: 1}", "server.prot: unknown key; did you mean 'port'?"),
        ("server: {zzz: 1}", "server.zzz: unknown key; known: body_limit_bytes"),
        ("server: {port: high}", "server.port: 'high': must be a valid integer"),
        ("server: {port: 70000}", "server.port: 70000: must be less than or equal to 65535"),
        ("server: {port: 0}", "server.port: 0: must be greater than or equal to 1"),
        ("server: {port: null}", "server.port: None: must be a valid integer"),
        ("server: [1]", "server: [1]: must be a valid dictionary"),
        ("server: 8000", "server: 8000: must be a valid dictionary"),
        (
            "llm: {provider: openia}",
            "llm.provider: 'openia': must be 'mock', 'openai', 'azure', 'anthropic' or 'gemini'",
        ),
        ("llm: {timeout_seconds: -1}", "llm.timeout_seconds: -1: must be greater than 0"),
        ("llm: {timeout_seconds: .nan}", "llm.timeout_seconds: nan:"),
        ("llm: {timeout_seconds: .inf}", "llm.timeout_seconds: inf:"),
        ("llm: {model: ''}", "llm.model: '': "),
        ("log: {capture_messages: maybe}", "log.capture_messages: 'maybe': must be a valid boolean"),
        ("log: {flush_milliseconds: 1.5}", "log.flush_milliseconds: 1.5: must be a valid integer"),
        ("models: {m: []}", "models.m.deployments: []:"),
        ("models: {m: 7}", "models.m: 7:"),
        (
            "models: {m: [{provider: openai, modle: x}]}",
            "models.m.deployments.0.modle: unknown key; did you mean 'model'?",
        ),
        ("models: {m: [{model: x}]}", "models.m.deployments.0.provider: is missing"),
        (
            "models: {m: {strategy: random, deployments: [{provider: mock}]}}",
            "models.m.strategy: 'random': must be 'ordered', 'weighted', 'least_busy', 'lowest_latency' or 'cheapest'",
        ),
        (RESORTS % "kept", "models.m.last_resorts.0: 'kept': must be one of: stale, {model:"),
        (RESORTS % "7", "models.m.last_resorts.0: 7: must be one of: stale, {model:"),
        (RESORTS % "{}", "models.m.last_resorts.0: this section: must be one of: stale, {model:"),
        (RESORTS % "{model: a, template: b}", "models.m.last_resorts.0: this section: must be one of: stale,"),
        (RESORTS % "{modle: a}", "models.m.last_resorts.0.modle: unknown key; did you mean 'model'?"),
        (RESORTS % "{model: 'gpt-*'}", "model: 'gpt-*': must be one model's name, not a pattern"),
        (RESORTS % "{template: ''}", "models.m.last_resorts.0.template: '': "),
        ("models: {m: [{provider: mock, weight: 0}]}", "models.m.deployments.0.weight: 0: must be greater than 0"),
        ("models: {m: [{provider: mock, mock: {error_rate: 2}}]}", "models.m.deployments.0.mock.error_rate: 2:"),
        (
            "models: {m: [{provider: anthropic, preset: vllm}]}",
            "preset 'vllm' goes with provider 'openai', not 'anthropic'",
        ),
        (
            "models: {m: [{provider: azure}]}",
            "provider 'azure' needs base_url, e.g. https://<resource>.openai.azure.com",
        ),
        ("models: {a: [{provider: mock, name: n}], b: [{provider: mock, name: n}]}", "two deployments are called 'n'"),
        ("models: {'': [{provider: mock}]}", "'' is not a usable model name"),
        (f"models: {{{'x' * 201}: [{{provider: mock}}]}}", "is not a usable model name"),
        (DEPLOYMENT % "base_url: example.com", "base_url: 'example.com': must begin with http:// or https://"),
        (DEPLOYMENT % "base_url: 'http://a b/v1'", "models.m.deployments.0.base_url: 'http://a b/v1': "),
        (DEPLOYMENT % "base_url: 'http://a/é'", "models.m.deployments.0.base_url: 'http://a/é': "),
        (DEPLOYMENT % 'base_url: "http://a/v1\\r\\nX-Evil: 1"', "models.m.deployments.0.base_url: "),
        (DEPLOYMENT % "api_key: a, api_key_env: B", "give api_key or api_key_env, not both"),
        (DEPLOYMENT % "headers: {'x y': a}", "'x y' is not a header name"),
        (DEPLOYMENT % 'headers: {x: "a\\nb"}', "the value of 'x' holds control characters"),
        (DEPLOYMENT % "headers: {x: 日本}", "the value of 'x' "),
        (DEPLOYMENT % "headers: {Content-Length: '1'}", "'Content-Length' is the gateway's own"),
        (DEPLOYMENT % "operations: [chat, images]", "models.m.deployments.0.operations.1: 'images': must be 'chat'"),
        (DEPLOYMENT % "api_version: 'a b'", "models.m.deployments.0.api_version: 'a b': "),
    ],
)
def test_a_mistake_is_named_with_its_value_and_what_would_be_right(load: Load, text: str, message: str) -> None:
    (problem,) = problems_of(load, text)
    assert message in problem


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server: {port: 1\n", "is not valid YAML"),
        ("server:\n  port: 1\n  port: 2\n", "the key 'port' is given twice"),
        ("server: {}\nserver: {}\n", "the key 'server' is given twice"),
        ("models: {m: [{provider: mock, mock: {seed: 1, seed: 2}}]}", "the key 'seed' is given twice"),
        ("[]", "must hold sections such as 'server:', not a list"),
        ("just words", "must hold sections such as 'server:', not a str"),
        ("a: !!python/object/apply:os.system [ls]", "is not valid YAML"),
        ("? [a, b]\n: 1\n", "is not valid YAML"),
        ("a: 2026-99-99", "is not valid YAML"),
        ("a: " + "[" * 3000, "is not valid YAML"),
        ("a: *nowhere", "is not valid YAML"),
        ("\t- x", "is not valid YAML"),
        ("server: {port: 1}\n---\nserver: {port: 2}\n", "is not valid YAML"),
    ],
)
def test_a_file_that_cannot_be_read_is_said_so(load: Load, tmp_path: Path, text: str, message: str) -> None:
    (problem,) = problems_of(load, text)
    assert message in problem and str(tmp_path / "given.yaml") in problem


def test_keys_that_are_no_words(load: Load) -> None:
    assert "1" in problems_of(load, "1: {port: 1}")[0]
    assert "server" in problems_of(load, "server: {1: 2}")[0]


def test_merge_keys_work(load: Load) -> None:
    text = "models: {a: [&base {provider: mock, weight: 2}], b: [{<<: *base, weight: 3}]}"
    assert load(text).models["b"].deployments[0].weight == 3


def test_a_file_that_is_not_there_or_not_text(load: Load, tmp_path: Path) -> None:
    load()
    with pytest.raises(ConfigError, match="there is no such file"):
        load_settings(tmp_path / "missing.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(tmp_path / "binary.yaml")


def test_all_problems_are_told_at_once(load: Load) -> None:
    found = problems_of(load, "server: {port: x, hots: y}\nllm: {timeout_seconds: 0}")
    assert [problem.split(":")[0] for problem in found] == ["server.port", "server.hots", "llm.timeout_seconds"]


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("LLMOPS_SERVR__PORT", "unknown variable; did you mean 'LLMOPS_SERVER'?"),
        ("LLMOPS_SERVER__PROT", "unknown variable; did you mean 'PORT'?"),
        ("LLMOPS_PORT", "unknown variable"),
    ],
)
def test_a_variable_that_means_nothing_is_a_mistake(load: Load, variable: str, message: str) -> None:
    (problem,) = problems_of(load, **{variable: "1"})
    assert variable in problem and message in problem


def test_variables_that_others_read_are_no_mistakes(load: Load) -> None:
    load(LLMOPS_ADMIN_KEY="sk-x", LLMOPS_KEY_PEPPER="p" * 32)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("LLMOPS_SERVER__PORT", "high", "server.port: 'high': must be a valid integer"),
        ("LLM_PROVIDER", "openia", "llm.provider: 'openia'"),
        ("LLM_TIMEOUT_SECONDS", "soon", "llm.timeout_seconds: 'soon'"),
        ("CACHE_ENABLED", "perhaps", "cache.enabled: 'perhaps'"),
        ("LLMOPS_SERVER", "{nonsense", "server"),
        ("LLMOPS_MODELS", "[1", "models"),
    ],
)
def test_a_variable_with_a_wrong_value(load: Load, variable: str, value: str, message: str) -> None:
    assert message in problems_of(load, **{variable: value})[0]


def test_a_secret_is_never_shown(load: Load) -> None:
    secret = "sk-do-not-show-me"
    for text in (
        DEPLOYMENT % f"api_key: [{secret}]",
        DEPLOYMENT % f"api_key: {secret}, api_key_env: X",
        DEPLOYMENT % f"api_key: {secret}, wieght: 1",
        DEPLOYMENT % f"headers: {{x: [{secret}]}}",
    ):
        assert secret not in "\n".join(problems_of(load, text)), text
    settings = load(DEPLOYMENT % f"api_key: {secret}, headers: {{X-Org: {secret}}}")
    assert secret not in str(masked(settings)) and secret not in repr(settings.models["m"].deployments[0].api_key)
    assert masked(settings)["models"]["m"]["deployments"][0]["headers"] == {"X-Org": "**********"}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:do-not-show@h:5432/d",
        "postgresql://h/d?sslmode=require&password=do-not-show",
        "x://a:do-not-show@h",
    ],
)
def test_the_databases_password_is_never_shown(url: str, load: Load) -> None:
    shown = masked(load(LLMOPS_DATABASE_URL=url))["database"]["url"]
    assert "do-not-show" not in shown and "**********" in shown
    assert "do-not-show" not in "\n".join(problems_of(load, f"database: {{url: ['{url}']}}"))


CONTRACT: dict[str, tuple[str, Callable[[Settings], Any], Any]] = {
    "LLM_PROVIDER": ("openai", lambda s: s.llm.provider, "openai"),
    "LLM_MODEL": ("gpt-4o", lambda s: s.llm.model, "gpt-4o"),
    "LLM_TIMEOUT_SECONDS": ("7.5", lambda s: s.llm.timeout_seconds, 7.5),
    "LLM_MAX_RETRIES": ("3", lambda s: s.llm.max_retries, 3),
    "OPENAI_BASE_URL": ("http://h/v1", lambda s: s.llm.openai_base_url, "http://h/v1"),
    "CACHE_ENABLED": ("true", lambda s: s.cache.enabled, True),
    "CACHE_TTL_SECONDS": ("9", lambda s: s.cache.ttl_seconds, 9.0),
    "CACHE_MAX_ENTRIES": ("11", lambda s: s.cache.max_entries, 11),
    "RATE_LIMIT_QPS": ("2.5", lambda s: s.limits.requests_per_second, 2.5),
    "RATE_LIMIT_TPM": ("1000", lambda s: s.limits.tokens_per_minute, 1000),
    "PROMPT_VERSION": ("v7", lambda s: s.prompts.version, "v7"),
    "LOG_DIR": ("/tmp/logs-of-mine", lambda s: s.log.dir, Path("/tmp/logs-of-mine")),
    "LLMOPS_DATABASE_URL": ("postgresql://h/d", lambda s: s.database.url, "postgresql://h/d"),
    "LLMOPS_REDIS_URL": ("redis://h/1", lambda s: s.redis.url, "redis://h/1"),
}


def test_the_contracts_variables_are_all_there() -> None:
    assert set(CONTRACT) == set(CONTRACT_VARIABLES)


@pytest.mark.parametrize("variable", CONTRACT)
def test_a_variable_of_the_contract(load: Load, variable: str) -> None:
    value, read, expected = CONTRACT[variable]
    assert read(load(**{variable: value})) == expected
    assert read(load(**{variable: ""})) == read(load())


def test_precedence(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code, then the contract's variables, then LLMOPS_…, then the file, then the defaults; key by key."""

    def seen(text: str = "", values: dict[str, Any] | None = None, **variables: str) -> tuple[float, int]:
        settings = load(text, values, **variables)
        return settings.llm.timeout_seconds, settings.llm.max_retries

    file = "llm: {timeout_seconds: 4, max_retries: 4}"
    assert seen() == (120.0, 2)
    assert seen(file) == (4.0, 4)
    assert seen(file, LLMOPS_LLM__TIMEOUT_SECONDS="3") == (3.0, 4)
    assert seen(file, LLMOPS_LLM__TIMEOUT_SECONDS="3", LLM_TIMEOUT_SECONDS="2") == (2.0, 4)
    assert seen(file, {"llm": {"timeout_seconds": 1}}, LLM_TIMEOUT_SECONDS="2", LLMOPS_LLM__MAX_RETRIES="5") == (1.0, 5)


def test_which_file_is_read(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load()
    assert load_settings().server.port == 8000
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "default.yaml").write_text("server: {port: 1111}")
    assert load_settings().server.port == 1111
    (tmp_path / "other.yaml").write_text("server: {port: 2222}")
    monkeypatch.setenv("LLMOPS_CONFIG", str(tmp_path / "other.yaml"))
    assert load_settings().server.port == 2222
    (tmp_path / "third.yaml").write_text("server: {port: 3333}")
    assert load_settings(tmp_path / "third.yaml").server.port == 3333
    monkeypatch.setenv("LLMOPS_CONFIG", str(tmp_path / "missing.yaml"))
    with pytest.raises(ConfigError, match=r"missing\.yaml: there is no such file"):
        load_settings()


def test_an_empty_file_is_all_defaults(load: Load) -> None:
    assert load("") == load("# only a comment\n") == load("{}")


def test_the_file_that_is_shipped_is_the_defaults(load: Load) -> None:
    shipped = Path(__file__).parents[1] / "configs" / "default.yaml"
    assert load_settings(shipped).model_dump() == load().model_dump() and read_yaml(shipped)["server"]


def test_the_short_form_of_a_model(load: Load) -> None:
    short = load("models: {m: [{provider: mock, weight: 2}]}")
    assert short.models == load("models: {m: {deployments: [{provider: mock, weight: 2}]}}").models
