"""The gateway put together: HTTP around a `Stack`, and the services beside the calls in their order."""

import asyncio
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..app import Stack
from ..audit.repository import AuditRepository
from ..audit.trail import AuditTrail
from ..caching.census import cache_figures
from ..clock import Clock, SystemClock
from ..config import default_file, load_settings
from ..dialects.registry import CONVERSATIONAL, DIALECTS
from ..evals.datasets.repository.datasets import DatasetRepository
from ..evals.directory import EvalDirectory
from ..evals.review.desk import ReviewDesk
from ..gateway.access import Access
from ..gateway.application import Application
from ..gateway.client_address import ClientAddress
from ..gateway.control_plane import ControlPlane
from ..gateway.data_plane import DataPlane
from ..gateway.lifecycle import GatewayLifecycle
from ..gateway.load_sampler import LoadSampler, Memory
from ..gateway.operations import get_routes
from ..opening import open_identity, open_sharing, open_tokens, overload_rules, probe_rules
from ..releases.table import ReleaseTable
from ..resilience.census import census
from ..resilience.overload import Overload
from ..resilience.prober import Prober
from ..resilience.shedder import Shedder
from ..settings import Settings
from ..telemetry.export.repository.exports import ExportRepository
from ..telemetry.exposition import Row, exposition, rows
from ..telemetry.figures import Figure
from ..telemetry.metrics import Snapshot
from ..telemetry.traces.directory import TraceDirectory
from ..telemetry.worker_metrics import WorkerMetrics
from ..version import __version__
from .accounts import Accounts
from .flags import Flags
from .online_evals import OnlineEvals
from .prompts import Prompts
from .releases import Releases
from .rollouts import Rollouts
from .service import Service, Services, failing
from .spans import Spans
from .watching import Watching

WORKERS_DIR_VARIABLE = "LLMOPS_WORKERS_DIR"
_PUBLISH_EVERY_S = 1.0
_log = logging.getLogger(__name__)


def build_gateway(
    settings: Settings | None = None,
    *,
    file: Path | None = None,
    values: Mapping[str, Any] | None = None,
    clock: Clock | None = None,
) -> Application:
    """The ASGI application over a `Stack`.

    A reload reads the same file again, under ``values`` (what the command line says). Without a file at the start it
    takes one that has appeared since.
    """
    values = values or {}
    file = file or default_file()
    settings = settings or load_settings(file, **values)
    identity = open_identity(settings, clock)
    tokens = open_tokens(settings, identity.keyring, clock)
    released = ReleaseTable(CONVERSATIONAL)
    prompts = Prompts(settings, clock or SystemClock(), identity.database)
    stack = Stack(
        settings, clock=clock, keyring=identity.keyring, tokens=tokens, releases=released, prompts=prompts.hot
    )
    parts, services = stack.parts, Services()
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
    access = Access(
        identity.keyring, parts.clock, tokens, address_of=lambda scope, headers: data_plane.address.of(scope, headers)
    )
    accounts = Accounts(stack, identity)
    spans = Spans(stack, identity.database, access, data_plane)
    watching = Watching(stack, identity, accounts.rules, services.figures)
    online = OnlineEvals(stack, identity.database, watching.assessments)
    sampler = LoadSampler(
        lambda now_s, lag_s, share: overload.sample(now_s, lag_s, parts.metrics.in_flight, share),
        parts.clock.monotonic_s,
        Memory(processes=settings.server.workers).share,
    )
    releases, flags = Releases(stack, identity.database, watching.overview), Flags(stack, identity.database)
    prober = Prober(parts.fleet, lambda: probe_rules(stack.settings), stack.probe, parts.clock.monotonic_s)
    metrics = _Metrics(stack, services)

    services.add(
        Service(identity.refresher.start, identity.aclose, lambda: failing("keys", identity.refresher.failing))
    )
    if tokens is not None:
        services.add(Service(tokens.start, tokens.aclose, tokens.problems))
    services.add(*prompts.services)
    services.add(*accounts.followers, *watching.followers, *spans.followers, *_shared(stack))
    services.add(Service(metrics.share, stack.aclose, stack.degradations), *accounts.services)
    services.add(Service(stop=metrics.aclose))
    services.add(Service(sampler.start, sampler.aclose, shedder.problems), Service(prober.start, prober.aclose))
    audit = AuditTrail(AuditRepository(identity.database), parts.clock)
    rollouts = Rollouts(stack, identity.database, releases.directory, watching.slos.standings, audit, accounts.bound)
    accounts.on_recovered = rollouts.lose
    services.add(*releases.services, *flags.services, *rollouts.services)
    services.add(*spans.services, *watching.services, Service(stop=audit.aclose, problems=audit.problems))
    services.add(*online.services)

    def reload() -> list[str]:
        wanted, before = load_settings(file, **values), stack.settings
        watching.check(wanted)
        spans.check(wanted)
        online.check(wanted)
        notes = stack.reload(wanted)
        accounts.reload()
        spans.reload(before)
        online.reload()
        data_plane.handler, data_plane.limits = stack.handler, stack.settings.server
        data_plane.address = ClientAddress(stack.settings.server.trusted_proxies)
        overload.rules = overload_rules(stack.settings)
        data_plane.shedder = shedder if stack.settings.resilience.enabled else None
        return notes

    lifecycle = GatewayLifecycle(
        on_start=services.start,
        on_stop=services.stop,
        reload=reload,
        in_flight=lambda: parts.metrics.in_flight,
        degradations=services.problems,
        drain_s=settings.server.drain_seconds,
        drain_delay_s=settings.server.drain_delay_seconds,
        now_s=parts.clock.now_s,
    )
    started_at_s = parts.clock.now_s()
    return Application(
        data_plane=data_plane,
        lifecycle=lifecycle,
        get_routes=get_routes(
            lifecycle, access, stack.table_names, metrics.scrape, lambda: started_at_s, released=released.names
        ),
        post_routes={"/v1/traces": spans.intake} if settings.traces.enabled else {},
        control_plane=ControlPlane(
            stack,
            access,
            identity,
            accounts.rules,
            accounts.usage,
            accounts.seeder.comparison,
            cache=parts.cache,
            assessments=watching.assessments,
            exports=ExportRepository(identity.database),
            traces=TraceDirectory(identity.database, settings.traces.semconv),
            datasets=DatasetRepository(identity.database),
            review=ReviewDesk(identity.database, watching.assessments),
            evals=EvalDirectory(identity.database),
            audit=audit,
            releases=releases.cards,
            rollouts=rollouts.directory,
            flags=flags,
            prompts=prompts,
            alerts=watching.alerts,
            drift=online.drift,
            overview=watching.overview,
            numbers=metrics.numbers,
            slos=watching.slos,
            grace_s=settings.auth.rotation_grace_seconds,
            now_s=parts.clock.now_s,
        ),
        openai_dialect=DIALECTS["chat"],
        anthropic_dialect=DIALECTS["messages"],
    )


def _shared(stack: Stack) -> list[Service]:
    """What meets other processes in Redis, where there is one."""
    parts = stack.parts
    counters, answers = parts.shared_counters, parts.shared_answers
    sharing = open_sharing(stack.settings, parts.fleet, parts.clock)

    def answer_problems() -> list[str]:
        return answers.problems() if answers is not None and stack.settings.cache.enabled else []

    return [
        *([Service(counters.start, counters.aclose, counters.problems)] if counters is not None else []),
        *([Service(answers.start, answers.aclose, answer_problems)] if answers is not None else []),
        *([Service(sharing.start, sharing.aclose, sharing.problems)] if sharing is not None else []),
    ]


class _Metrics:
    """What ``/metrics`` says, of this process or of all workers together."""

    def __init__(self, stack: Stack, services: Services) -> None:
        self._stack = stack
        self._services = services
        folder = os.environ.get(WORKERS_DIR_VARIABLE)
        self._folder = Path(folder) if folder is not None else None
        self._workers: WorkerMetrics | None = None
        self._publishing: asyncio.Task[None] | None = None

    async def share(self) -> None:
        """Publish after each batch of calls, and now and then: not all that is counted comes with a call."""
        if self._folder is not None:
            self._workers = workers = WorkerMetrics(self._folder)
            self._stack.parts.log.after_flush = lambda: workers.publish(self._snapshot)
            self._publishing = asyncio.get_running_loop().create_task(self._publish(workers))

    async def aclose(self) -> None:
        if self._publishing is not None:
            self._publishing.cancel()
            with suppress(asyncio.CancelledError):
                await self._publishing

    async def _publish(self, workers: WorkerMetrics) -> None:
        failing = False
        while True:
            await asyncio.sleep(_PUBLISH_EVERY_S)
            try:
                await asyncio.to_thread(workers.publish, self._snapshot)
                failing = False
            except OSError as exc:
                if not failing:
                    _log.error("the worker's metrics cannot be shared: %s", exc)
                failing = True

    async def scrape(self) -> bytes:
        return exposition(await self._now())

    async def numbers(self) -> list[Row]:
        return list(rows(await self._now()))

    async def _now(self) -> Snapshot:
        await self._stack.parts.log.flush()
        mine = self._snapshot()
        return self._workers.together(mine) if self._workers else mine

    def _snapshot(self) -> Snapshot:
        parts = self._stack.parts
        is_resilient = self._stack.settings.resilience.enabled
        return parts.metrics.snapshot(
            log_written=parts.log.written,
            log_dropped=parts.log.dropped,
            log_waiting=parts.log.waiting,
            cache=cache_figures(parts.cache),
            health=census(parts.fleet, parts.clock.monotonic_s()) if is_resilient else None,
            figures=[Figure("llmops_build_info", 1, (__version__,)), *self._services.figures()],
        )
