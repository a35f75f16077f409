"""Money beside the calls: the log brought into the database, limits and budgets in force, what a crash left settled."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from ..app import Stack
from ..errors import StoreUnavailable
from ..identity.directory import IdentityDirectory
from ..opening import build_rules, open_log
from ..rule_settings import BudgetSettings
from ..spend.housekeeping import Housekeeping
from ..spend.price_book import PriceBook
from ..spend.recovery import Recovered
from ..spend.rule import Rule, rule_of
from ..spend.rule_directory import RuleDirectory
from ..spend.usage.directory import UsageDirectory
from ..spend.usage.seeder import Seeder
from ..telemetry.figures import Figure
from ..types import shadow_key
from .service import Service, failing

_log = logging.getLogger(__name__)
_LONG_BYTES = 20_000_000


def shadow_rule(rollout_id: str, usd: Decimal) -> Rule:
    """The budget of a shadow: it is not stored, for it follows from the rollout."""
    key = shadow_key(rollout_id)
    budget = BudgetSettings(name=f"shadow {rollout_id}", usd=usd, window="total", where={"key": key})
    return rule_of(budget, key)


class Accounts:
    """Over one stack. ``followers`` read the log and stop when it has been closed."""

    def __init__(self, stack: Stack, identity: IdentityDirectory) -> None:
        self.on_recovered: Callable[[Sequence[Recovered]], None] | None = None
        """Told of the calls of gateways that died as well."""
        self._stack = stack
        self._shadows: list[Rule] = []
        desk, clock = stack.parts.desk, stack.parts.clock
        self.usage = UsageDirectory(identity.database, stack.parts.log.path, lambda: stack.settings.traces.keeps_texts)
        self._ingester = self.usage.ingester(now_s=clock.now_s)
        self.seeder = Seeder(lambda: desk.rules.rules, self.usage.sums, desk.counters, clock.now_s)
        if stack.parts.shared_counters is not None:
            stack.parts.shared_counters.on_empty = self.seeder.seed
        self.rules = RuleDirectory(
            identity.database,
            clock,
            is_tenant=identity.registry.has_tenant,
            configured=lambda: build_rules(stack.settings),
            apply=self._put_in_force,
            state=self.seeder.state,
            refresh_s=stack.settings.auth.refresh_seconds,
        )
        self._housekeeping = Housekeeping(desk, lambda: open_log(stack.settings), clock, self._settle_recovered)

    async def bound(self, shadows: Mapping[str, Decimal]) -> None:
        """Put the budgets of these rollouts in force, at what has been spent of them. `StoreUnavailable` where nobody
        can say what that is."""
        self._shadows = [shadow_rule(rollout_id, usd) for rollout_id, usd in shadows.items()]
        self._put_in_force(self.rules.known)
        if not shadows:
            return
        await self._ingester.catch_up()
        try:
            await self.seeder.seed()
        except StoreUnavailable:
            if self._stack.parts.shared_counters is None:
                raise  # those in Redis have kept count

    def read_until_ms(self) -> int:
        """Up to this moment calls of this process that have ended are in the database."""
        return self._ingester.read_until_ms

    def reload(self) -> None:
        """The configuration's rules have changed."""
        self._put_in_force(self.rules.known)

    @property
    def followers(self) -> list[Service]:
        ingester = self._ingester
        return [Service(ingester.start, ingester.aclose, ingester.problems, ingester.figures)]

    @property
    def services(self) -> list[Service]:
        housekeeping, rules, seeder = self._housekeeping, self.rules, self.seeder
        desk = self._stack.parts.desk

        def figures() -> list[Figure]:
            return [*desk.figures(), Figure("llmops_ledger_recovered_total", housekeeping.recovered)]

        return [
            Service(housekeeping.start, housekeeping.aclose, housekeeping.problems, figures),
            Service(
                rules.refresher.start, rules.aclose, lambda: failing("limits and budgets", rules.refresher.failing)
            ),
            Service(self._know_what_is_spent),
            Service(self._know_prices),
            Service(seeder.start, seeder.aclose, seeder.problems),
        ]

    def _put_in_force(self, stored: Sequence[Rule]) -> None:
        self._stack.parts.desk.rules.replace([*build_rules(self._stack.settings), *stored, *self._shadows])
        self.seeder.soon()

    def _settle_recovered(self, recovered: Sequence[Recovered]) -> None:
        shared = self._stack.parts.shared_counters
        if shared is not None:
            for call in recovered:
                shared.settle_by_id(call.request_id, call.tokens, call.nanousd)
        if self.on_recovered is not None:
            self.on_recovered(recovered)

    async def _know_what_is_spent(self) -> None:
        if not any(rule.has_quota for rule in self._stack.parts.desk.rules.rules):
            return
        behind_bytes = self._ingester.behind_bytes
        if behind_bytes > _LONG_BYTES:
            _log.warning(
                "%d MB of the request log are brought into the database first, so that budgets and quotas are right",
                behind_bytes // 1_000_000,
            )
        await self._ingester.catch_up()

    async def _know_prices(self) -> None:
        models = self._stack.table.models
        if any(each.rates is None and each.provider.name != "mock" for model in models for each in model.deployments):
            await asyncio.to_thread(PriceBook.warm)
