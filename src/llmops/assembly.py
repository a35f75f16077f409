"""The composition root of the gateway: HTTP around a `Stack`, and everything that runs beside the calls.

What runs beside them is a list of services. They start in its order and stop in the reverse; a gateway that cannot
start one of them does not begin to serve. What is wrong with one while it runs is shown by ``/health``.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .app import Stack, build_rules, open_identity, open_log, open_sharing, open_tokens, overload_rules, probe_rules
from .caching.census import cache_figures
from .config import default_file, load_settings
from .dialects.registry import CONVERSATIONAL, DIALECTS
from .gateway.access import Access
from .gateway.application import Application
from .gateway.client_address import ClientAddress
from .gateway.control_plane import ControlPlane
from .gateway.data_plane import DataPlane
from .gateway.lifecycle import GatewayLifecycle
from .gateway.load_sampler import LoadSampler, Memory
from .gateway.operations import get_routes
from .gateway.trace_intake import TraceIntake
from .monitoring.alerts.directory import AlertDirectory
from .monitoring.alerts.receivers.opening import open_receivers
from .monitoring.alerts.signals import Watcher
from .monitoring.alerts.supply import breaker_states, build_sources, lost_figures
from .monitoring.alerts.watch import AlertWatch
from .monitoring.slo.directory import SLODirectory
from .monitoring.slo.score_counts import ScoreCounts
from .resilience.census import census
from .resilience.overload import Overload
from .resilience.prober import Prober
from .resilience.shedder import Shedder
from .settings import Settings
from .spend.housekeeping import Housekeeping
from .spend.price_book import PriceBook
from .spend.recovery import Recovered
from .spend.rule import Rule
from .spend.rule_directory import RuleDirectory
from .spend.usage.directory import UsageDirectory
from .spend.usage.seeder import Seeder
from .telemetry.assessments.assessment import Assessment
from .telemetry.assessments.repository.assessments import AssessmentRepository
from .telemetry.assessments.repository.counts import AssessmentCounts
from .telemetry.export.orders import orders_of
from .telemetry.export.repository.exports import ExportRepository
from .telemetry.export.service import ExportService
from .telemetry.exposition import exposition
from .telemetry.figures import Figure
from .telemetry.metrics import Snapshot
from .telemetry.rollups.overview import Overview
from .telemetry.rollups.repository.folding import FoldingRepository
from .telemetry.rollups.upkeep import Upkeep
from .telemetry.traces.directory import TraceDirectory
from .telemetry.traces.report import Orders
from .telemetry.traces.repository.upkeep import is_kept
from .telemetry.traces.spool import Spool
from .telemetry.traces.tally import TraceTally
from .telemetry.traces.writer_service import WriterService
from .telemetry.worker_metrics import WorkerMetrics
from .version import __version__

_log = logging.getLogger(__name__)
_LONG_BYTES = 20_000_000
WORKERS_DIR_VARIABLE = "LLMOPS_WORKERS_DIR"
_SPOOL_FOLDER = "traces"
_SPOOL_FILE_BYTES = 64_000_000


async def _nothing() -> None:
    pass


class Service(NamedTuple):
    """Something that runs beside the calls. ``problems`` are what an operator should know of it now."""

    start: Callable[[], Awaitable[None]] = _nothing
    stop: Callable[[], Awaitable[None]] = _nothing
    problems: Callable[[], Sequence[str]] = tuple
    figures: Callable[[], Iterable[Figure]] = tuple
    """What it counts, for the metrics; asked in other threads too, so it only reads."""


class Services:
    """Services in the order in which they start; they stop in the reverse."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._services = services
        self._running: list[Service] = []

    async def start(self) -> None:
        for service in self._services:
            self._running.append(service)  # one that fails on its way still has to be stopped
            await service.start()

    async def stop(self) -> None:
        while self._running:
            await self._running.pop().stop()

    def problems(self) -> list[str]:
        return [problem for service in self._services for problem in service.problems()]

    def figures(self) -> list[Figure]:
        return [figure for service in self._services for figure in service.figures()]


def build_gateway(
    settings: Settings | None = None, *, file: Path | None = None, values: Mapping[str, Any] | None = None
) -> Application:
    """The ASGI application over a `Stack`.

    A reload reads the same file again, under ``values`` (what the command line says). Without a file at the start it
    takes one that has appeared since.
    """
    values = values or {}
    file = file or default_file()
    settings = settings or load_settings(file, **values)
    identity = open_identity(settings)
    tokens = open_tokens(settings, identity.keyring)
    stack = Stack(settings, keyring=identity.keyring, tokens=tokens)
    parts = stack.parts
    overload = Overload(overload_rules(settings), parts.clock.monotonic_s())
    shedder = Shedder(overload, parts.luck, parts.metrics.shed)
    data_plane = DataPlane(
        handler=stack.handler,
        limits=stack.settings.server,
        dialects=DIALECTS,
        conversational=CONVERSATIONAL,
        sink=parts.log,
        metrics=parts.metrics,
        clock=parts.clock,
        ids=parts.ids,
        shedder=shedder if settings.resilience.enabled else None,
    )
    sampler = LoadSampler(
        lambda now_s, lag_s, share: overload.sample(now_s, lag_s, parts.metrics.in_flight, share),
        parts.clock.monotonic_s,
        Memory(processes=settings.server.workers).share,
    )
    started_at_s = parts.clock.now_s()

    usage = UsageDirectory(identity.database, parts.log.path)
    ingester = usage.ingester()
    upkeep = Upkeep(FoldingRepository(identity.database), lambda: stack.settings.history, parts.clock.now_s)
    seeder = Seeder(lambda: parts.desk.rules.rules, usage.sums, parts.desk.counters, parts.clock.now_s)
    shared, answers, sharing = parts.shared_counters, parts.shared_answers, open_sharing(stack)
    if shared is not None:
        shared.on_empty = seeder.seed

    def put_in_force(stored: Sequence[Rule]) -> None:
        parts.desk.rules.replace([*build_rules(stack.settings), *stored])
        seeder.soon()

    rules = RuleDirectory(
        identity.database,
        parts.clock,
        is_tenant=identity.registry.has_tenant,
        configured=lambda: build_rules(stack.settings),
        apply=put_in_force,
        state=seeder.state,
        refresh_s=settings.auth.refresh_seconds,
    )
    workers = WorkerMetrics(Path(os.environ[WORKERS_DIR_VARIABLE])) if WORKERS_DIR_VARIABLE in os.environ else None

    def snapshot() -> Snapshot:
        log = parts.log
        health = census(parts.fleet, parts.clock.monotonic_s()) if stack.settings.resilience.enabled else None
        return parts.metrics.snapshot(
            log_written=log.written,
            log_dropped=log.dropped,
            log_waiting=log.waiting,
            cache=cache_figures(parts.cache),
            health=health,
            figures=[Figure("llmops_build_info", 1, (__version__,)), *services.figures()],
        )

    def answer_problems() -> list[str]:
        return answers.problems() if answers is not None and stack.settings.cache.enabled else []

    async def share_metrics() -> None:
        if workers is not None:
            parts.log.after_flush = lambda: workers.publish(snapshot())

    def settle_recovered(recovered: Sequence[Recovered]) -> None:
        if shared is not None:
            for call in recovered:
                shared.settle_by_id(call.request_id, call.tokens, call.nanousd)

    async def know_what_is_spent() -> None:
        if not any(rule.has_quota for rule in parts.desk.rules.rules):
            return
        if ingester.behind_bytes > _LONG_BYTES:
            _log.warning(
                "%d MB of the request log are brought into the database first, so that budgets and quotas are right",
                ingester.behind_bytes // 1_000_000,
            )
        await ingester.catch_up()

    async def know_prices() -> None:
        models = stack.table.models
        if any(each.rates is None and each.provider.name != "mock" for model in models for each in model.deployments):
            await asyncio.to_thread(PriceBook.warm)

    traces = settings.traces
    tally, spool_limit = TraceTally(), traces.spool_megabytes * 1_000_000
    spool = Spool(
        settings.log.dir / _SPOOL_FOLDER,
        limit_bytes=spool_limit,
        file_bytes=min(_SPOOL_FILE_BYTES, spool_limit // 4),
    )
    writer = WriterService(
        Orders(
            database_url=settings.database.url,
            folder=str(spool.folder),
            retention_days=traces.retention_days,
            max_bytes=int(traces.max_gigabytes * 1e9),
            mask_after_days=traces.mask_after_days,
        ),
        tally,
        lambda: is_kept(identity.database),
    )

    exports = ExportService(lambda: orders_of(stack.settings, parts.log.path, spool.folder), spool.folder)

    def span_figures() -> list[Figure]:
        tally.waiting_bytes = spool.waiting_bytes
        return tally.figures()

    async def stop_traces() -> None:
        await asyncio.to_thread(intake.close)
        spool.close()
        await writer.aclose()

    overview = Overview(identity.database, parts.clock.now_s)
    scores = ScoreCounts(AssessmentCounts(identity.database))
    slos = SLODirectory(overview, lambda: stack.settings.slos, parts.clock.now_s, scores)

    def count_scores(stored: Sequence[Assessment]) -> None:
        for each in stored:
            if each.value is not None:
                parts.metrics.score(each.name, each.value, tenant=each.tenant)

    open_receivers(settings.alerts)  # a receiver of no use stops the start
    alerts = AlertWatch(
        identity.database,
        lambda: stack.settings.alerts,
        build_sources(identity.database, rules, slos.standings),
        Watcher(
            lambda: breaker_states(parts.fleet, parts.clock.monotonic_s),
            lambda: {"log records": parts.log.dropped, **lost_figures(services.figures())},
        ),
        parts.clock,
    )
    prober = Prober(parts.fleet, lambda: probe_rules(stack.settings), stack.probe, parts.clock.monotonic_s)
    housekeeping = Housekeeping(parts.desk, lambda: open_log(stack.settings), parts.clock, settle_recovered)
    services = Services(
        [
            Service(identity.refresher.start, identity.aclose, lambda: _failing("keys", identity.refresher.failing)),
            *([Service(tokens.start, tokens.aclose, tokens.problems)] if tokens is not None else []),
            # It stops when the log has been closed.
            Service(ingester.start, ingester.aclose, ingester.problems, ingester.figures),
            Service(upkeep.start, upkeep.aclose, upkeep.problems),
            # So does this one.
            Service(exports.start, exports.aclose, exports.problems, exports.figures),
            *([Service(shared.start, shared.aclose, shared.problems)] if shared is not None else []),
            *([Service(answers.start, answers.aclose, answer_problems)] if answers is not None else []),
            *([Service(sharing.start, sharing.aclose, sharing.problems)] if sharing is not None else []),
            Service(share_metrics, stack.aclose, stack.degradations),
            Service(housekeeping.start, housekeeping.aclose, housekeeping.problems, parts.desk.ledger.figures),
            Service(
                rules.refresher.start, rules.aclose, lambda: _failing("limits and budgets", rules.refresher.failing)
            ),
            Service(know_what_is_spent),
            Service(know_prices),
            Service(seeder.start, seeder.aclose, seeder.problems),
            Service(sampler.start, sampler.aclose, shedder.problems),
            Service(prober.start, prober.aclose),
            Service(writer.start, stop_traces, writer.problems, span_figures),
            Service(alerts.start, alerts.aclose, alerts.problems),
        ]
    )

    def reload() -> list[str]:
        wanted = load_settings(file, **values)
        open_receivers(wanted.alerts)
        orders_of(wanted, parts.log.path, spool.folder)
        exports_before = stack.settings.exports
        notes = stack.reload(wanted)
        put_in_force(rules.known)
        if stack.settings.exports != exports_before:
            exports.reload()
        data_plane.handler, data_plane.limits = stack.handler, stack.settings.server
        data_plane.address = ClientAddress(stack.settings.server.trusted_proxies)
        overload.rules = overload_rules(stack.settings)
        data_plane.shedder = shedder if stack.settings.resilience.enabled else None
        return notes

    async def scrape() -> bytes:
        await parts.log.flush()
        mine = snapshot()
        return exposition(workers.together(mine) if workers else mine)

    access = Access(
        identity.keyring, parts.clock, tokens, address_of=lambda scope, headers: data_plane.address.of(scope, headers)
    )
    intake = TraceIntake(
        access=access,
        keeper=spool,
        tally=tally,
        limits=lambda: data_plane.limits,
        unpacked_limit_bytes=lambda: stack.settings.traces.body_limit_megabytes * 1_000_000,
        clock=parts.clock,
        on_kept=writer.want,
    )
    lifecycle = GatewayLifecycle(
        on_start=services.start,
        on_stop=services.stop,
        reload=reload,
        in_flight=lambda: parts.metrics.in_flight,
        degradations=services.problems,
        drain_s=stack.settings.server.drain_seconds,
        drain_delay_s=stack.settings.server.drain_delay_seconds,
        now_s=parts.clock.now_s,
    )
    return Application(
        data_plane=data_plane,
        lifecycle=lifecycle,
        get_routes=get_routes(lifecycle, access, stack.table_names, scrape, lambda: started_at_s),
        post_routes={"/v1/traces": intake} if traces.enabled else {},
        control_plane=ControlPlane(
            stack,
            access,
            identity,
            rules,
            usage,
            seeder.comparison,
            cache=parts.cache,
            assessments=AssessmentRepository(identity.database, on_stored=count_scores),
            exports=ExportRepository(identity.database),
            traces=TraceDirectory(identity.database, settings.traces.semconv),
            alerts=AlertDirectory(identity.database, lambda: stack.settings.alerts, parts.clock),
            overview=overview,
            slos=slos,
            grace_s=settings.auth.rotation_grace_seconds,
        ),
        openai_dialect=DIALECTS["chat"],
        anthropic_dialect=DIALECTS["messages"],
    )


def _failing(what: str, why: str | None) -> list[str]:
    return [f"{what} cannot be refreshed: {why}"] if why else []
