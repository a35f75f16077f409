"""Limits and budgets over HTTP: those of the configuration to look at, those of the database to change as well.

A caller sees what is about its own tenant alone, and an editor adds and removes such rules; an administrator all. What
an administrator has set for a tenant the tenant cannot remove, and another tenant's is answered like one that does not
exist.
"""

from typing import Any

from fastapi import APIRouter

from ...rule_settings import BudgetSettings, LimitRuleSettings
from ...spend.rule_directory import RuleDirectory
from ...spend.rule_registry import bound_tenant
from ...spend.rule_shown import show_stored
from ...spend.stored_rule import Kind, RuleSettings
from ..access import Caller
from .audit import Noting, Reason
from .roles import Editor, Viewer


def router(rules: RuleDirectory, note: Noting) -> APIRouter:
    """Routes whose functions block on the database, and which FastAPI therefore runs in threads."""
    routes = APIRouter(prefix="/api", tags=["limits and budgets"])
    registry = rules.registry

    def added(settings: RuleSettings, caller: Caller, reason: str | None) -> dict[str, Any]:
        rule = registry.add(settings, tenant=caller.tenant)
        note(caller, f"{rule.kind}.add", rule.id, tenant=bound_tenant(rule), after=rule.settings, reason=reason)
        return show_stored(rule)

    def removed(kind: Kind, rule_id: str, caller: Caller, reason: str | None) -> dict[str, Any]:
        rule = registry.remove(kind, rule_id, tenant=caller.tenant)
        note(caller, f"{kind}.remove", rule.id, tenant=bound_tenant(rule), before=rule.settings, reason=reason)
        return show_stored(rule)

    @routes.get("/limits", summary="Limits, and what is used of their quotas")
    def list_limits(caller: Viewer) -> list[dict[str, Any]]:
        return rules.shown("limit", caller.tenant)

    @routes.post("/limits", summary="Add a limit; it holds within a second", status_code=201)
    def add_limit(wanted: LimitRuleSettings, caller: Editor, reason: Reason = None) -> dict[str, Any]:
        return added(wanted, caller, reason)

    @routes.delete("/limits/{rule_id}", summary="Remove a limit of the database")
    def remove_limit(rule_id: str, caller: Editor, reason: Reason = None) -> dict[str, Any]:
        return removed("limit", rule_id, caller, reason)

    @routes.get("/budgets", summary="Budgets, and what is spent of them")
    def list_budgets(caller: Viewer) -> list[dict[str, Any]]:
        return rules.shown("budget", caller.tenant)

    @routes.post("/budgets", summary="Add a budget; it holds within a second", status_code=201)
    def add_budget(wanted: BudgetSettings, caller: Editor, reason: Reason = None) -> dict[str, Any]:
        return added(wanted, caller, reason)

    @routes.delete("/budgets/{rule_id}", summary="Remove a budget of the database")
    def remove_budget(rule_id: str, caller: Editor, reason: Reason = None) -> dict[str, Any]:
        return removed("budget", rule_id, caller, reason)

    return routes
