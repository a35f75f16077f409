"""Limits and budgets as the shell and the control plane show them: plain data, with what is used of them now.

Counters go by names that `rule` makes: the rule, the value of each of its dimensions, and what is counted.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from .rule import SEPARATOR, Rule
from .stored_rule import PREFIX, StoredRule, written

Uses = Mapping[str, list[tuple[tuple[str, ...], str, int]]]
"""By a rule's id: the values of its dimensions, what is counted, and how much of it is used."""

MAX_COUNTERS = 100
"""Of a rule with very many counters those are shown of which most is used."""
_USD = "usd/"


def uses_by_rule(state: Iterable[tuple[str, int]]) -> Uses:
    """The state of counters, by name, sorted out by rule."""
    uses: dict[str, list[tuple[tuple[str, ...], str, int]]] = {}
    for name, used in state:
        rule_id, *values, measure = name.split(SEPARATOR)
        uses.setdefault(rule_id, []).append((tuple(values), measure, used))
    return uses


def show_configured(rule: Rule, uses: Uses | None = None) -> dict[str, Any]:
    """A rule of the configuration."""
    settings = written(rule.settings)
    return _show(rule.id, "configuration", settings, _used(rule.id, settings, uses), tenant=None, created_at=None)


def show_stored(rule: StoredRule, uses: Uses | None = None) -> dict[str, Any]:
    """A rule of the database."""
    created_at = datetime.fromtimestamp(rule.created_at_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    used = _used(f"{PREFIX}{rule.id}", rule.settings, uses)
    return _show(rule.id, "database", rule.settings, used, tenant=rule.tenant, created_at=created_at)


def _show(
    shown_id: str,
    source: str,
    settings: Mapping[str, Any],
    used: list[dict[str, Any]] | None,
    *,
    tenant: str | None,
    created_at: str | None,
) -> dict[str, Any]:
    return {"id": shown_id, "source": source, "tenant": tenant, "created_at": created_at, **settings, "used": used}


def _used(rule_id: str, settings: Mapping[str, Any], uses: Uses | None) -> list[dict[str, Any]] | None:
    """What is used of a rule's quotas or budget in their present windows, most first; None where nobody knows."""
    if uses is None:
        return None
    per = settings.get("per") or []
    found = sorted(uses.get(rule_id, ()), key=lambda use: -use[2])[:MAX_COUNTERS]
    return [
        {"of": dict(zip(per, values, strict=False)), "window": measure.rpartition("/")[2], **_amount(measure, used)}
        for values, measure, used in found
    ]


def _amount(measure: str, used: int) -> dict[str, Any]:
    """Money as text, since no binary fraction keeps it."""
    if measure.startswith(_USD):
        return {"used_usd": f"{Decimal(used).scaleb(-9).normalize():f}"}
    return {"used_tokens": used}
