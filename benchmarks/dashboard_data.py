"""``python -m benchmarks.dashboard_data --database URL``: everything that the dashboard shows, as a year leaves it.

Fills a new database with calls up to now (five times as many spans, since a call's are derived), their sums and
rollups, trees of spans as applications send them, scores, keys, budgets, and the alerts that a gateway finds in all
that. The dashboard's measurements in the browser use `fill_everything`.
"""

import argparse
import asyncio
import random
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from llmops.assembly import build_gateway
from llmops.clock import SystemClock
from llmops.demo.spans import SpanTree
from llmops.errors import Conflict
from llmops.gateway.lifecycle import GatewayLifecycle
from llmops.opening import open_identity
from llmops.rule_settings import BudgetSettings, LimitRuleSettings
from llmops.settings import Settings
from llmops.spend.repository_rules import RuleRepository
from llmops.spend.rule_registry import RuleRegistry
from llmops.spend.usage.records import CallRow
from llmops.spend.usage.repository.calls import CallRepository
from llmops.store.database import Database
from llmops.telemetry.assessments.assessment import assessment_of
from llmops.telemetry.assessments.repository.assessments import AssessmentRepository
from llmops.telemetry.rollups.repository.folding import FoldingRepository
from llmops.telemetry.traces.repository.spans import SpanRepository
from llmops.telemetry.traces.spool import Spool
from llmops.telemetry.traces.writer import Writer

from .lab import say
from .stored_calls import BEGIN_MS, made, trace_id
from .stored_calls import DAYS as MADE_DAYS

TENANTS = 50
_BATCH, _TREES, _SCORES = 10_000, 2_000, 20_000
_STEP_BYTES = 8_000_000
_SCORES_AT_ONCE = 500
_DAY_MS = 86_400_000
_WATCH_S = 4.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboard_data", description=__doc__)
    parser.add_argument("--database", metavar="URL", required=True, help="a new one, such as sqlite:///runs/big.db")
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--days", type=float, default=10.0)
    options = parser.parse_args()
    database = Database(options.database)
    try:
        fill_everything(database, options.calls, options.days)
        key = make_keys(options.database)
    finally:
        database.close()
    asyncio.run(find_alerts(options.database))
    print(key)


def fill_everything(database: Database, calls: int, days: float) -> None:
    """All that is rows: calls with sums and rollups, spans, scores and budgets. Some minutes for a million calls."""
    begun_s = time.perf_counter()
    now_ms = int(time.time() * 1000)
    database.ensure()
    _store_calls(database, calls, days, now_ms)
    say(f"{calls:,} calls in {time.perf_counter() - begun_s:.0f} s; they are summed up")
    CallRepository(database).rebuild_usage()
    folding = FoldingRepository(database)
    while folding.fold_hour(now_ms / 1000):
        pass
    _store_trees(database, now_ms, days)
    _store_scores(database, calls, now_ms, days)
    registry = RuleRegistry(RuleRepository(database), SystemClock(), is_tenant=lambda _tenant: True)
    for number in range(8):
        where = {"tenant": f"tenant-{number}"}
        registry.add(BudgetSettings.model_validate({"name": f"budget {number}", "where": where, "usd": 50 * 4**number}))
    registry.add(LimitRuleSettings.model_validate({"name": "pace", "per": "tenant", "requests_per_minute": 600}))
    say(f"everything is stored after {time.perf_counter() - begun_s:.0f} s")


def make_keys(url: str) -> str:
    """Tenants with a key each; returns an administrator's."""
    with tempfile.TemporaryDirectory(prefix="llmops-data-") as folder:
        identity = open_identity(_settings(url, folder))
        try:
            for number in range(TENANTS):
                try:
                    identity.registry.create_tenant(f"tenant-{number}", f"Tenant {number}")
                except Conflict:
                    continue
                identity.registry.create_key(name="application", tenant=f"tenant-{number}")
            return str(identity.registry.create_key(name="dashboard", role="admin")[1])
        finally:
            identity.close()


async def find_alerts(url: str) -> None:
    """Have a gateway look at all that for a moment, as it always does."""
    with tempfile.TemporaryDirectory(prefix="llmops-data-") as folder:
        app = build_gateway(_settings(url, folder))
        assert isinstance(app.lifecycle, GatewayLifecycle)
        await app.lifecycle.start()
        await asyncio.sleep(_WATCH_S)
        await app.lifecycle.stop()


def _settings(url: str, folder: str) -> Settings:
    rules = [
        {"name": "success", "kind": "success_rate", "per": ["model"], "threshold": 0.995, "window_seconds": 3600},
        {"name": "slow", "kind": "latency", "per": ["tenant"], "threshold": 1.5, "window_seconds": 3600},
        {"name": "budget", "kind": "budget_used", "threshold": {"warning": 0.2, "critical": 0.8}},
    ]
    slos = [{"name": "availability", "objective": "availability", "target": 0.99, "per": "model"}]
    return Settings.model_validate({
        "database": {"url": url},
        "log": {"dir": f"{folder}/logs"},
        "alerts": {"interval_seconds": 1, "rules": rules},
        "slos": slos,
    })  # fmt: skip


def _store_calls(database: Database, calls: int, days: float, now_ms: int) -> None:
    repository = CallRepository(database)
    rows: list[CallRow] = []
    squeeze, begin_ms = days / MADE_DAYS, now_ms - days * _DAY_MS
    for number, row in enumerate(made(calls), 1):
        at_ms = int(begin_ms + (row.started_at_ms - BEGIN_MS) * squeeze)
        day = datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
        rows.append(msgspec.structs.replace(row, started_at_ms=at_ms, day=day))
        if len(rows) == _BATCH or number == calls:
            repository.replace(rows)
            rows = []
        if number % 200_000 == 0:
            say(f"{number:,} calls stored")


def _store_trees(database: Database, now_ms: int, days: float) -> None:
    """Trees of an application's steps, by the road of all spans."""
    luck = random.Random(7)
    with tempfile.TemporaryDirectory(prefix="llmops-data-") as name:
        folder = Path(name)
        spool = Spool(folder, limit_bytes=10**9)
        for _ in range(_TREES):
            begin_s = now_ms / 1000 - days * 86_400 * luck.random() ** 3
            tree = SpanTree(luck, "search", "answer question", begin_s, {"openinference.span.kind": "CHAIN"})
            for number, kind in enumerate(("RETRIEVER", "RERANKER", "LLM", "TOOL")):
                at_s = begin_s + number * 0.4
                tree.add(kind.lower(), at_s, at_s + luck.random(), {"openinference.span.kind": kind})
            body = msgspec.json.encode(tree.body(begin_s + 2.5))
            tenant = f"tenant-{int(TENANTS * luck.random() ** 4)}"
            spool.append(tenant, "json", body, spans=5, received_us=int(begin_s * 1e6))
        spool.close()
        writer = Writer(folder, SpanRepository(database))
        try:
            while writer.step(_STEP_BYTES, now_ms / 1000):
                pass
        finally:
            writer.close()


def _store_scores(database: Database, calls: int, now_ms: int, days: float) -> None:
    """The newest calls' thumbs and a judge's numbers."""
    luck, repository = random.Random(8), AssessmentRepository(database)
    found = []
    for number in range(min(_SCORES, calls)):
        is_thumb = luck.random() < 0.5
        given = {
            "trace_id": trace_id(calls - 1 - number),
            "name": "helpful" if is_thumb else "relevance",
            "value": luck.random() < 0.8 if is_thumb else round(luck.betavariate(8, 2), 3),
            "source": "human" if is_thumb else "judge",
            "comment": luck.choice(("too long", "exactly", "wrong product")) if luck.random() < 0.2 else None,
        }
        at_ms = now_ms - int(number * days * _DAY_MS / calls)
        found.append(assessment_of(given, f"tenant-{int(TENANTS * luck.random() ** 4)}", at_ms, f"s{number}"))
    for begin in range(0, len(found), _SCORES_AT_ONCE):
        repository.store(found[begin : begin + _SCORES_AT_ONCE])


if __name__ == "__main__":
    main()
