"""Money beside the calls: the log brought into the database, limits and budgets in force, what a crash left settled."""

import asyncio
import logging
from collections.abc import Sequence

from ..app import Stack
from ..identity.directory import IdentityDirectory
from ..opening import build_rules, open_log
from ..spend.housekeeping import Housekeeping
from ..spend.price_book import PriceBook
from ..spend.recovery import Recovered
from ..spend.rule import Rule
from ..spend.rule_directory import RuleDirectory
from ..spend.usage.directory import UsageDirectory
from ..spend.usage.seeder import Seeder
from ..telemetry.figures import Figure
from .service import Service, failing

_log = logging.getLogger(__name__)
_LONG_BYTES = 20_000_000


class Accounts:
    """Over one stack. ``followers`` read the log and stop when it has been closed."""

    def __init__(self, stack: Stack, identity: IdentityDirectory) -> None:
        self._stack = stack
        desk, clock = stack.parts.desk, stack.parts.clock
        self.usage = UsageDirectory(identity.database, stack.parts.log.path, lambda: stack.settings.traces.keeps_texts)
        self._ingester = self.usage.ingester()
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
        self._stack.parts.desk.rules.replace([*build_rules(self._stack.settings), *stored])
        self.seeder.soon()

    def _settle_recovered(self, recovered: Sequence[Recovered]) -> None:
        shared = self._stack.parts.shared_counters
        if shared is not None:
            for call in recovered:
                shared.settle_by_id(call.request_id, call.tokens, call.nanousd)

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
