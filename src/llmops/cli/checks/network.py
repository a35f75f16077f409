"""Is the port free, does every upstream answer, and do its clock and ours agree? No call is made, so none is paid."""

import asyncio
import ssl
import time
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path

from ...errors import PortTaken
from ...gateway.server import bind
from ...gateway.state_file import find_running, state_path
from ...policies.routing import Model
from ...providers.transport import Origin
from ..config import read_health
from .finding import Finding

_LIMIT_S = 3.0
_SKEW_LIMIT_S = 30.0


def check_port(host: str, port: int, log_dir: Path) -> list[Finding]:
    """Free, taken by a gateway of ours, or taken by something else."""
    where = f"{host} port {port}"
    try:
        bind(host, port).close()
    except PortTaken as exc:
        health = read_health(f"http://{f'[{host}]' if ':' in host else host}:{port}")
        if health is None:
            return [Finding("error", "port", str(exc), "stop that program, or set server.port (llmops serve --port)")]
        state = find_running(state_path(log_dir))
        said = f"a gateway {health.get('version', '?')} answers on {where}" + (f" (pid {state.pid})" if state else "")
        if health["problems"]:
            return [
                Finding(
                    "warning",
                    "port",
                    f"{said} and reports: {'; '.join(health['problems'])}",
                    "see /health and the gateway's log on stderr",
                )
            ]
        return [Finding("ok", "port", said)]
    return [Finding("ok", "port", f"{where} is free")]


async def check_upstreams(models: list[Model]) -> list[Finding]:
    """One finding for each distinct origin behind the models."""
    origins = {
        Origin.of(deployment.base_url): None
        for model in models
        for deployment in model.deployments
        if deployment.base_url
    }
    return list(await asyncio.gather(*(check_upstream(origin) for origin in origins)))


async def check_upstream(origin: Origin, limit_s: float = _LIMIT_S) -> Finding:
    """Connect (with TLS where the URL says so), ask ``HEAD /`` and compare clocks where the answer has a date."""
    what = f"upstream {origin}"
    tls = ssl.create_default_context() if origin.scheme == "https" else None
    try:
        async with asyncio.timeout(limit_s):
            reader, writer = await asyncio.open_connection(origin.host, origin.port, ssl=tls)
    except TimeoutError:
        return Finding(
            "error",
            what,
            f"no connection within {limit_s:g} s",
            "is a firewall or proxy in the way? The gateway connects directly and reads no proxy variables",
        )
    except ssl.SSLError as exc:
        return Finding(
            "error",
            what,
            f"TLS failed: {exc.reason or exc}",
            "does the base_url's host match its certificate, and does this machine trust its issuer?",
        )
    except OSError as exc:
        return Finding(
            "error", what, f"cannot be reached: {exc.strerror or exc}", "is the server running, and the base_url right?"
        )
    try:
        skew_s = await _clock_skew_s(reader, writer, origin, limit_s)
    finally:
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(limit_s):
                await writer.wait_closed()
    if skew_s is None:
        return Finding("ok", what, "reachable (its clock could not be compared)")
    if abs(skew_s) > _SKEW_LIMIT_S:
        return Finding(
            "warning",
            what,
            f"reachable; this machine's clock is {abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} it",
            "set the clock (NTP): records are dated by it",
        )
    return Finding("ok", what, f"reachable; clocks agree within {max(1, round(abs(skew_s)))} s")


async def _clock_skew_s(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, origin: Origin, limit_s: float
) -> float | None:
    """Our time minus the upstream's, to the second that a Date header is exact to; None where it tells none."""
    writer.write(f"HEAD / HTTP/1.1\r\nHost: {origin.host_header}\r\nConnection: close\r\n\r\n".encode("latin-1"))
    try:
        async with asyncio.timeout(limit_s):
            head = await reader.readuntil(b"\r\n\r\n")
    except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "date":
            try:
                return time.time() - parsedate_to_datetime(value.strip()).timestamp()
            except (ValueError, OverflowError):
                return None
    return None
