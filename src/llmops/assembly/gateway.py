"""The gateway put together: HTTP around a `Stack`, and the services beside the calls in their order."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..app import Stack
from ..audit.repository import AuditRepository
from ..audit.trail import AuditTrail
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
from ..gateway.operations import get_routes
from ..opening import open_identity, open_sharing, open_tokens, probe_rules
from ..releases.table import ReleaseTable
from ..resilience.prober import Prober
from ..settings import Settings
from ..telemetry.export.repository.exports import ExportRepository
from ..telemetry.traces.directory import TraceDirectory
from .accounts import Accounts
from .flags import Flags
from .metrics import GatewayMetrics
from .online_evals import OnlineEvals
from .prompts import Prompts
from .releases import Releases
from .rollouts import Rollouts
from .service import Service, Services, failing
from .shedding import Shedding
from .spans import Spans
from .watching import Watching


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
    shedding = Shedding(stack)
    data_plane = DataPlane(
        handler=stack.handler,
        limits=stack.settings.server,
        dialects=DIALECTS,
        conversational=CONVERSATIONAL,
        sink=parts.log,
        metrics=parts.metrics,
        clock=parts.clock,
        ids=parts.ids,
        shedder=shedding.shedder,
    )
    access = Access(
        identity.keyring, parts.clock, tokens, address_of=lambda scope, headers: data_plane.address.of(scope, headers)
    )
    accounts = Accounts(stack, identity)
    spans = Spans(stack, identity.database, access, data_plane)
    watching = Watching(stack, identity, accounts.rules, services.figures)
    online = OnlineEvals(stack, identity.database, watching.assessments)
    releases, flags = Releases(stack, identity.database, watching.overview), Flags(stack, identity.database)
    prober = Prober(parts.fleet, lambda: probe_rules(stack.settings), stack.probe, parts.clock.monotonic_s)
    metrics = GatewayMetrics(stack, services)

    services.add(
        Service(identity.refresher.start, identity.aclose, lambda: failing("keys", identity.refresher.failing))
    )
    if tokens is not None:
        services.add(Service(tokens.start, tokens.aclose, tokens.problems))
    services.add(*prompts.services)
    services.add(*accounts.followers, *watching.followers, *spans.followers, *_shared(stack))
    services.add(Service(metrics.share, stack.aclose, stack.degradations), *accounts.services)
    services.add(Service(stop=metrics.aclose))
    services.add(shedding.service, Service(prober.start, prober.aclose))
    audit = AuditTrail(AuditRepository(identity.database), parts.clock)
    rollouts = Rollouts(
        stack,
        identity.database,
        releases.directory,
        watching.slos.standings,
        audit,
        accounts.bound,
        accounts.read_until_ms,
    )
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
        shedding.reload()
        data_plane.shedder = shedding.shedder
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
