"""Adding and removing limits and budgets while gateways run: the rules around the repository.

A tenant's own rules hold for that tenant only, and only those it may remove; what the operator has set for it stays.
Methods block on the database: call them from a thread.
"""

import re
import secrets
from collections.abc import Callable

from ..clock import Clock
from ..errors import Forbidden, NotFound
from .repository_rules import RuleRepository, missing
from .stored_rule import Kind, RuleSettings, StoredRule, kind_of, written

_ID = re.compile(r"[0-9a-f]{12}")


class RuleRegistry:
    def __init__(self, repository: RuleRepository, clock: Clock, *, is_tenant: Callable[[str], bool]) -> None:
        """``is_tenant`` says whether a tenant of that id exists; a rule for one that does not would bind nobody."""
        self._repository = repository
        self._clock = clock
        self._is_tenant = is_tenant

    def rules(self, kind: Kind, tenant: str | None = None) -> list[StoredRule]:
        """All rules of a kind, or those that are for one tenant alone, oldest first."""
        return [rule for rule in self._repository.rules() if rule.kind == kind and tenant in (None, bound_tenant(rule))]

    def add(self, settings: RuleSettings, *, tenant: str | None = None) -> StoredRule:
        """A new rule. With ``tenant`` it becomes that tenant's own, and is bound to it; `Forbidden` when the settings
        say another. `NotFound` for a tenant that does not exist, unless a pattern stands for it."""
        wanted = settings.where.get("tenant")
        if tenant is not None:
            if wanted not in (None, tenant):
                raise Forbidden(
                    "limits and budgets of another tenant are made by an administrator", param="where.tenant"
                )
            settings = settings.model_copy(update={"where": {**settings.where, "tenant": tenant}})
        elif wanted is not None and "*" not in wanted and not self._is_tenant(wanted):
            raise NotFound(f"there is no tenant {wanted[:64]!r}; create it first", param="where.tenant")
        rule = StoredRule(
            id=secrets.token_hex(6),
            kind=kind_of(settings),
            tenant=tenant,
            settings=written(settings),
            created_at_s=self._clock.now_s(),
        )
        self._repository.add(rule)
        return rule

    def remove(self, kind: Kind, rule_id: str, *, tenant: str | None = None) -> StoredRule:
        """End a rule; its counts are forgotten. For ``tenant`` another's rule is as good as none (`NotFound`), and one
        that the operator has set for it is `Forbidden`."""
        if not _ID.fullmatch(rule_id):
            raise missing(kind, rule_id)
        rule = self._repository.rule(kind, rule_id)
        if tenant not in (None, rule.tenant):
            if bound_tenant(rule) != tenant:
                raise missing(kind, rule_id)
            raise Forbidden(f"the {kind} {rule_id} was set by an administrator, who alone may remove it")
        self._repository.remove(kind, rule_id)
        return rule


def bound_tenant(rule: StoredRule) -> str | None:
    """The one tenant that a rule is about. A pattern is none, even if it fits."""
    where = rule.settings.get("where")
    tenant = where.get("tenant") if isinstance(where, dict) else None
    return tenant if isinstance(tenant, str) else None
