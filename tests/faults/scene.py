"""The stage of a scenario: upstream, gateway, callers, and readers of what the gateway wrote; and the judgement that
all scenarios share.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from llmops.spend.usage.directory import UsageDirectory
from llmops.store.database import Database
from tests.fakes.upstream import eventually

from .gateway import GatewayProcess
from .load import Caller, Load, Sent
from .plan import PRICES, PlanOf, mixed
from .records import Line, LogLines, stored_costs, stored_sums
from .report import Report
from .upstream import PacedUpstream

_CATCH_UP_S = 30.0
RULES: dict[str, Any] = {
    "limits": {
        "rules": [
            {"name": "rate", "per": "key", "requests_per_second": 100_000},
            {"name": "tokens", "per": "tenant", "tokens_per_minute": 100_000_000},
            {"name": "places", "per": "model", "concurrent_calls": 100_000},
            {"name": "month", "per": ["tenant", "user"], "tokens_per_month": 10**12},
        ]
    },
    "budgets": [
        {"name": "tenant", "per": "tenant", "usd": 500_000, "window": "month"},
        {"name": "feature", "per": "tag:feature", "usd": 500_000, "window": "total"},
    ],
}
"""Limits and budgets of every kind, too wide to refuse anybody."""


class NotInstalled(Exception):
    """A server that a scenario needs; its name and Debian's package."""

    def __init__(self, server: str, package: str) -> None:
        super().__init__(f"{server} is not installed (Debian: apt-get install {package})")
        self.server, self.package = server, package


_Program = TypeVar("_Program")


def needed(program: _Program | None, server: str, package: str) -> _Program:
    """The program, or `NotInstalled`."""
    if program is None:
        raise NotInstalled(server, package)
    return program


@dataclass
class Options:
    """How a scenario is run. ``runs`` None: as many as it has by default at full length."""

    folder: Path
    report: Report
    runs: int | None = None
    seed: int = 0
    quick: bool = False
    outage_s: float = 600.0
    rate: float = 260.0


@dataclass
class Scene:
    upstream: PacedUpstream
    gateway: GatewayProcess
    callers: list[Caller]
    lines: LogLines
    database: Database
    report: Report
    luck: random.Random

    def load(self, rate: float, plan_of: PlanOf = mixed, *, tags: int = 2) -> Load:
        return Load(self.gateway.port, self.callers, plan_of, rate=rate, luck=self.luck, tags=tags)

    async def until_logged(self, traces: Iterable[str], limit_s: float) -> list[str]:
        """Wait until each of these calls has its line; returns those that have none."""
        missing = list(traces)

        def complete() -> bool:
            nonlocal missing
            self.lines.read()
            missing = [trace for trace in missing if trace not in self.lines.by_trace]
            return not missing

        await eventually(complete, limit_s)
        return missing

    async def until_stored(self, lines: list[Line]) -> float:
        """Wait until the database has these calls, each at the charge that the log says; seconds that took."""
        begun_s = time.monotonic()
        missing = lines
        while True:
            stored = await asyncio.to_thread(stored_costs, self.database, [line.request_id for line in missing])
            for line in missing:
                if line.request_id in stored:
                    same = stored[line.request_id] == line.cost_nanousd
                    self.report.expect(same, "a call costs in the database what it costs in the log", line.request_id)
            missing = [line for line in missing if line.request_id not in stored]
            if not missing or time.monotonic() - begun_s > _CATCH_UP_S:
                break
            await asyncio.sleep(0.05)
        for line in missing:
            self.report.expect(False, "a call in the log is in the database", line.request_id)
        return time.monotonic() - begun_s

    async def judge_counters(self) -> None:
        """The load over, the gateway still serving: its counters of quotas and budgets say what the database says."""
        found: dict[str, Any] = {}
        deadline_s = time.monotonic() + 10
        while time.monotonic() < deadline_s:
            found = await self.gateway.counters()
            if not found["differences"]:
                break
            await asyncio.sleep(0.2)
        self.report.figures["counters compared with the database"] = found["compared"]
        self.report.expect(found["compared"] > 0, "there are counters to compare")
        for difference in found["differences"]:
            self.report.expect(False, "the counters say what the database says", difference)

    async def judge_books(self) -> None:
        """At the very end, the gateway stopped: log, database and the sums of both are the same."""
        report, lines = self.report, self.lines
        lines.read()
        for double in lines.doubles:
            report.expect(False, "nothing stands in the log twice", double)
        for raw in lines.unreadable:
            report.expect(False, "every line of the log is a whole record", raw)
        for line in lines.by_trace.values():
            report.expect(not line.is_negative, "nothing is negative", line.request_id)
        await asyncio.to_thread(self._judge_database)
        report.figures |= {"log lines": lines.lines, "log files": lines.files}

    def _judge_database(self) -> None:
        report, lines = self.report, self.lines
        directory = UsageDirectory(self.database, self.gateway.log_dir / "gateway.jsonl")
        report.expect(directory.catch_up(), "the database catches up with the log")
        sums = stored_sums(self.database)
        charged = sum(line.cost_nanousd or 0 for line in lines.by_trace.values())
        report.expect(sums["calls"] == lines.lines, "as many rows as lines", f"{sums['calls']} and {lines.lines}")
        report.expect(sums["nanousd"] == charged, "the same charges in both", f"{sums['nanousd']} and {charged}")
        found = directory.reconcile()
        report.expect(found.equal and not found.repeated_lines, "`llmops reconcile` finds nothing", found)
        report.figures["charged, nano-dollars"] = charged


def judge_whole(report: Report, sent: Sent, line: Line, killed_s: float | None = None) -> None:
    """A call whose client has the whole answer: it is charged exactly what the answer says that it used.

    Except where the gateway was killed between the answer's last byte and its line (`docs/decisions/011-ledger.md`).
    A client notices the end later than it happens, on a busy machine by a good part of a tenth of a second.
    """
    if line.cost_nanousd == sent.plan.nanousd and line.token_usage.source == "provider":
        report.count("charged exactly")
        return
    in_window = line.recovered and line.cost_nanousd == line.reserved_nanousd
    in_window = in_window and killed_s is not None and sent.ended_s > killed_s - 0.1
    if in_window:
        report.count("whole answers charged their estimate (killed in the documented window)")
    report.expect(in_window, "who has the whole answer is charged exactly", f"{line}, due {sent.plan.nanousd}")


@asynccontextmanager
async def scene(
    options: Options, plan_of: PlanOf = mixed, *, tenants: int = 3, keys: int = 2, **given: Any
) -> AsyncIterator[Scene]:
    """Everything in place, and the gateway serving; all of it ended afterwards."""
    async with PacedUpstream(plan_of) as upstream:
        base = {
            "server": {"drain_seconds": 20, "drain_delay_seconds": 0},
            "models": {
                name: [{"provider": "openai", "preset": "ollama", "base_url": f"{upstream.url}/v1", "price": price}]
                for name, price in PRICES.items()
            },
            **RULES,
        }
        gateway = GatewayProcess(options.folder, {**base, **given})
        callers = gateway.make_keys(tenants, keys)
        database = Database(gateway.settings.database.url)
        lines = LogLines(gateway.log_dir)
        try:
            gateway.start()
            await gateway.ready()
            yield Scene(upstream, gateway, callers, lines, database, options.report, random.Random(options.seed))
        finally:
            gateway.kill()
            database.close()
