"""Limits and budgets that are changed while gateways run, as a whole: the registry that changes them, the refresher
that brings them into force, and what there is to show of them together with the configuration's.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..clock import Clock
from ..rule_settings import BudgetSettings
from ..store.database import Database
from .repository_rules import RuleRepository
from .rule import Rule
from .rule_refresher import RuleRefresher
from .rule_registry import RuleRegistry
from .rule_shown import Uses, show_configured, show_stored, uses_by_rule
from .stored_rule import Kind


def _nothing() -> Sequence[Rule]:
    return ()


def _ignore(_rules: Sequence[Rule]) -> None:
    """A shell has no calls to judge."""


class RuleDirectory:
    """``database`` stays the caller's, who closes it after ``aclose``.

    ``configured`` gives the configuration's rules, ``state`` the name and use of every quota and budget that is counted
    now (`Meter.name`; None where nobody knows). Both are called from threads.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        is_tenant: Callable[[str], bool],
        configured: Callable[[], Sequence[Rule]] = _nothing,
        apply: Callable[[Sequence[Rule]], None] = _ignore,
        state: Callable[[], Iterable[tuple[str, int]]] | None = None,
        refresh_s: float = 0.5,
    ) -> None:
        repository = RuleRepository(database)
        self.registry = RuleRegistry(repository, clock, is_tenant=is_tenant)
        self.refresher = RuleRefresher(repository, apply, period_s=refresh_s)
        self._configured = configured
        self._state = state

    @property
    def known(self) -> Sequence[Rule]:
        """The database's rules as they were last read: what a reload of the configuration puts beside its own."""
        return self.refresher.known

    def shown(self, kind: Kind, tenant: str | None = None) -> list[dict[str, Any]]:
        """The rules of a kind from both sources as plain data; with ``tenant`` those that are about it alone."""
        uses: Uses | None = uses_by_rule(self._state()) if self._state is not None else None
        configured = [
            show_configured(rule, uses)
            for rule in self._configured()
            if isinstance(rule.settings, BudgetSettings) == (kind == "budget")
            and tenant in (None, rule.settings.where.get("tenant"))
        ]
        return configured + [show_stored(rule, uses) for rule in self.registry.rules(kind, tenant)]

    async def aclose(self) -> None:
        await self.refresher.aclose()
