"""Loading the settings: one checked configuration from a YAML file and the environment.

Precedence, highest first: values given in code, the contract's variables (``LLM_PROVIDER``, ``LOG_DIR`` …), then
``LLMOPS_…`` (``LLMOPS_SERVER__PORT=9000`` sets ``server.port``), then the YAML file (``LLMOPS_CONFIG``, otherwise
``configs/default.yaml`` in the working directory), then the defaults here. Unknown keys, wrong types and impossible
values stop the start with the key, the value and what would be right. Loading reads files and the environment and does
nothing else.
"""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from .errors import ConfigError
from .jwt_settings import JwtIssuerSettings
from .last_resort_settings import LastResortSettings
from .price_settings import PriceSettings
from .rule_settings import BudgetSettings, LimitRuleSettings
from .settings import DeploymentSettings, ModelSettings, Settings
from .slo_settings import SLOSettings

DEFAULT_FILE = Path("configs/default.yaml")
FILE_VARIABLE = "LLMOPS_CONFIG"
ENV_PREFIX = "LLMOPS_"

#: The fixed contract: variable → path in the settings.
CONTRACT_VARIABLES: Mapping[str, tuple[str, str]] = {
    "LLM_PROVIDER": ("llm", "provider"),
    "LLM_MODEL": ("llm", "model"),
    "LLM_TIMEOUT_SECONDS": ("llm", "timeout_seconds"),
    "LLM_MAX_RETRIES": ("llm", "max_retries"),
    "OPENAI_BASE_URL": ("llm", "openai_base_url"),
    "CACHE_ENABLED": ("cache", "enabled"),
    "CACHE_TTL_SECONDS": ("cache", "ttl_seconds"),
    "CACHE_MAX_ENTRIES": ("cache", "max_entries"),
    "RATE_LIMIT_QPS": ("limits", "requests_per_second"),
    "RATE_LIMIT_TPM": ("limits", "tokens_per_minute"),
    "PROMPT_VERSION": ("prompts", "version"),
    "LOG_DIR": ("log", "dir"),
    "LLMOPS_DATABASE_URL": ("database", "url"),
    "LLMOPS_REDIS_URL": ("redis", "url"),
}


def load_settings(file: Path | None = None, **values: Any) -> Settings:
    """Load and check; `ConfigError` lists every problem. ``values`` are nested dictionaries over all else."""
    path = file or default_file()
    _YamlFile.path = path
    try:
        problems = _unknown_variables()
        if problems:
            raise ConfigError(problems, source="the environment")
        return _Loaded(**values)
    except ValidationError as exc:
        source = f"the configuration (file {path})" if path else "the configuration"
        raise ConfigError([_explain(error) for error in exc.errors()], source=source) from exc
    except SettingsError as exc:
        raise ConfigError(
            [f"{exc}: a whole section in one variable is given as JSON"], source="the environment"
        ) from exc
    finally:
        _YamlFile.path = None


def default_file() -> Path | None:
    """The file that is read where none is named: ``LLMOPS_CONFIG``, or `DEFAULT_FILE` where it exists."""
    named = os.environ.get(FILE_VARIABLE)
    if named:
        return Path(named)
    return DEFAULT_FILE if DEFAULT_FILE.exists() else None


class _Loaded(BaseSettings, Settings):
    """`Settings` filled from the sources in their order."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=ENV_PREFIX, env_nested_delimiter="__", env_ignore_empty=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (
            init_settings,
            _ContractVariables(settings_cls),
            EnvSettingsSource(settings_cls),
            _YamlFile(settings_cls),
        )


class _ContractVariables(PydanticBaseSettingsSource):
    """The contract's variables, under their fixed names."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for variable, (section, key) in CONTRACT_VARIABLES.items():
            value = os.environ.get(variable, "")
            if value != "":
                found.setdefault(section, {})[key] = value
        return found


class _YamlFile(PydanticBaseSettingsSource):
    path: Path | None = None

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        if self.path is None:
            return {}
        return read_yaml(self.path)


def read_yaml(path: Path) -> dict[str, Any]:
    """The file's mapping; `ConfigError` when it cannot be read or is not one."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)
    except FileNotFoundError as exc:
        raise ConfigError([f"{path}: there is no such file"]) from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError([f"{path}: cannot be read: {exc}"]) from exc
    except (yaml.YAMLError, ValueError, RecursionError) as exc:  # ValueError: a date that is none
        raise ConfigError([f"{path}: is not valid YAML: {' '.join(str(exc).split())}"]) from exc
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError([f"{path}: must hold sections such as 'server:', not a {type(content).__name__}"])
    return content


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML in which a key that is given twice is an error instead of a surprise."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is not a text; put it in quotes", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def _unknown_variables() -> list[str]:
    """Variables that begin like ours and mean nothing: most likely a typing mistake."""
    sections = {f"{ENV_PREFIX}{name.upper()}": field.annotation for name, field in Settings.model_fields.items()}
    problems = []
    for variable in sorted(os.environ):
        if not variable.startswith(ENV_PREFIX) or variable == FILE_VARIABLE or variable in _OTHER_VARIABLES:
            continue
        section, _, key = variable.partition("__")
        model = sections.get(section)
        if model is None:
            problems.append(f"{variable}: unknown variable{_suggest(section, sections)}")
        elif key and isinstance(model, type) and issubclass(model, BaseModel):
            known = [name.upper() for name in model.model_fields]
            if key.split("__")[0] not in known:
                problems.append(f"{variable}: unknown variable{_suggest(key, known)}")
    return problems


#: Read elsewhere: where the workers of one server meet, the pepper of the keys' digests, and a command's own key.
_OTHER_VARIABLES = frozenset(
    {
        "LLMOPS_WORKERS_DIR",
        "LLMOPS_KEY_PEPPER",
        "LLMOPS_ADMIN_KEY",
        "LLMOPS_GATEWAY_URL",
        "LLMOPS_DASHBOARD_KEY",
        *CONTRACT_VARIABLES,
    }
)


def _suggest(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(sorted(known))}"


def _explain(error: Any) -> str:
    """One finding in words: the key, the value, what would be right."""
    path = [str(step) for step in error["loc"]]
    key = ".".join(path)
    if not path:  # about several sections together
        return str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key{_suggest(path[-1], _keys_beside(path))}"
    if error["type"] == "missing":
        return f"{key}: is missing"
    value = error.get("input")
    secret = bool({"api_key", "headers", "url", "jwks_url"} & set(path))
    shown = "(hidden)" if secret else repr(value) if not isinstance(value, dict) else "this section"
    message = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    return f"{key}: {shown}: {message}"


def _keys_beside(path: list[str]) -> list[str]:
    model: Any = Settings
    for step in path[:-1]:
        field = getattr(model, "model_fields", {}).get(step)
        if field is not None:
            model = field.annotation
        if step == "models":
            model = ModelSettings
        elif step == "jwt":
            model = JwtIssuerSettings
        elif step == "deployments":
            model = DeploymentSettings
        elif step == "last_resorts":
            model = LastResortSettings
        elif step in ("prices", "price"):
            model = PriceSettings
        elif step == "rules":
            model = LimitRuleSettings
        elif step == "budgets":
            model = BudgetSettings
        elif step == "slos":
            model = SLOSettings
    return list(getattr(model, "model_fields", {}))
