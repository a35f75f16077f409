"""A limit or budget as it is kept in the database: its settings in the one shape that YAML and the API have too.

Settings are checked when they come in, and again when they are read: another version may have written them.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from pydantic import ValidationError

from ..errors import InvalidRequest, StoreUnavailable
from ..rule_settings import BudgetSettings, LimitRuleSettings
from .rule import Rule, rule_of

Kind = Literal["limit", "budget"]
RuleSettings = LimitRuleSettings | BudgetSettings
PREFIX = "db:"
"""How the counters of such rules begin, so that they never meet those of the configuration."""

_MODELS: Mapping[Kind, type[LimitRuleSettings] | type[BudgetSettings]] = {
    "limit": LimitRuleSettings,
    "budget": BudgetSettings,
}


class StoredRule(msgspec.Struct, frozen=True, kw_only=True):
    """``tenant`` is whose own rule it is; None for the operator's, which no tenant may remove."""

    id: str
    kind: Kind
    tenant: str | None
    settings: dict[str, Any]
    created_at_s: float

    def rule(self) -> Rule:
        """What calls are judged by; `StoreUnavailable` when this version cannot make sense of the settings."""
        try:
            return rule_of(read_settings(self.kind, self.settings), f"{PREFIX}{self.id}")
        except InvalidRequest as exc:
            raise StoreUnavailable(
                f"the {self.kind} {self.id} in the database is none that this version understands ({exc.message}); "
                f"remove it with `llmops {self.kind}s remove {self.id}`"
            ) from exc


def kind_of(settings: RuleSettings) -> Kind:
    return "budget" if isinstance(settings, BudgetSettings) else "limit"


def read_settings(kind: Kind, values: Mapping[str, Any]) -> RuleSettings:
    """Settings out of plain data; `InvalidRequest` with everything that is wrong, on one line."""
    try:
        return _MODELS[kind].model_validate(dict(values))
    except ValidationError as exc:
        problems = [_explain(error) for error in exc.errors()]
        raise InvalidRequest("; ".join(problems), param=_key(exc.errors()[0]) or None) from exc


def written(settings: RuleSettings) -> dict[str, Any]:
    """Settings as plain data that JSON keeps exactly; money as text."""
    return settings.model_dump(mode="json", exclude_none=True)


def _explain(error: Any) -> str:
    key, message = _key(error), error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    if error["type"] == "missing":
        return f"{key}: is missing"
    if error["type"] == "extra_forbidden":
        return f"{key}: is not known"
    if not key or isinstance(error.get("input"), (dict, list)):
        return f"{key}: {message}" if key else str(message)
    return f"{key}: {str(error.get('input'))[:80]!r}: {message}"


def _key(error: Any) -> str:
    return ".".join(str(step) for step in error["loc"] if step != "[key]")
