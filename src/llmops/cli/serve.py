"""``llmops serve``: the gateway in this process, or in several under a supervisor."""

import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError
from . import dashboard_process
from .output import ConfigOption, clean_errors, say

if TYPE_CHECKING:
    from ..settings import Settings


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to bind; any but loopback needs an administrator's key.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port to bind.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that share the port.")] = None,
    dashboard: Annotated[
        bool | None,
        typer.Option("--dashboard/--no-dashboard", help="Also the dashboard, on port 8501. Default: SERVE_DASHBOARD."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Start the gateway. Flags win over the environment, the environment over the file."""
    with clean_errors():
        from ..config import default_file, load_settings

        given = {"host": host, "port": port, "workers": workers}
        values = {"server": {name: value for name, value in given.items() if value is not None}}
        file = config or default_file()
        settings = load_settings(file, **values)
        refuse_public_address(settings)
        serve_it = _serve_alone if settings.server.workers == 1 else _serve_workers
        is_wanted = dashboard_process.wanted(dashboard)
        beside_it = dashboard_process.beside(reached(settings)) if is_wanted else nullcontext()
        with beside_it as shown:
            status = serve_it(settings, file, values, shown)
    raise typer.Exit(status)


def refuse_public_address(settings: "Settings") -> None:
    """Unless there can be an administrator, only this machine may call: whoever reaches the port could spend money."""
    import ipaddress

    host = settings.server.host
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if loopback or any(issuer.gives_admin for issuer in settings.auth.jwt) or _has_admin_key(settings):
        return
    raise ConfigError(
        [
            f"server.host: {host!r}: there is no administrator's key yet, so everybody who reaches this address could "
            "spend on your provider accounts; make one with `llmops keys create NAME --role admin` and one for calls "
            "with `llmops keys create NAME`, configure a token issuer that can make administrators (auth.jwt), or use "
            "127.0.0.1 (or ::1)"
        ]
    )


def _has_admin_key(settings: "Settings") -> bool:
    from ..opening import open_identity

    identity = open_identity(settings)
    try:
        return identity.registry.has_active("admin")
    finally:
        identity.close()


def _serve_alone(settings: "Settings", file: Path | None, values: Mapping[str, Any], dashboard: str | None) -> int:
    from ..app import check
    from ..assembly import build_gateway
    from ..gateway.server import serve
    from ..telemetry import operator_log

    names = sorted(model.name for model in check(settings))  # before the port is taken and the log's folder made
    bound = _bind(settings)
    app = build_gateway(settings, file=file, values=values)
    operator_log.configure()
    with _noted(settings, file):
        serve(app, bound, on_started=lambda: _announce(settings, file, names, dashboard))
    return 0


def _serve_workers(settings: "Settings", file: Path | None, values: Mapping[str, Any], dashboard: str | None) -> int:
    from ..app import check
    from ..assembly import WORKERS_DIR_VARIABLE
    from ..gateway.server import bind
    from ..gateway.supervisor import Supervisor
    from ..telemetry import operator_log

    names = sorted(model.name for model in check(settings))
    _bind(settings).close()  # a shared socket would not notice another program
    server = {**values["server"], "host": settings.server.host, "port": settings.server.port}
    with (
        bind(settings.server.host, settings.server.port, shared=True),  # the port stays ours while workers come and go
        tempfile.TemporaryDirectory(prefix="llmops-workers-") as folder,
        _noted(settings, file),
    ):
        operator_log.configure()
        command = worker_command(file, {"server": server})
        supervisor = Supervisor(
            command,
            settings.server.workers,
            environment={WORKERS_DIR_VARIABLE: folder},
            address=(settings.server.host, settings.server.port),
        )
        return asyncio.run(supervisor.run(lambda: _announce(settings, file, names, dashboard)))


def _bind(settings: "Settings") -> socket.socket:
    """The server's socket; where the port is taken by a gateway of ours, the error says which."""
    from ..errors import PortTaken
    from ..gateway.server import bind
    from ..gateway.state_file import find_running, state_path

    try:
        return bind(settings.server.host, settings.server.port)
    except PortTaken as exc:
        running = find_running(state_path(settings.log.dir))
        if running is None or running.url != url_of(settings):
            raise
        raise PortTaken(f"{exc} (a gateway of yours, pid {running.pid}, answers there already)") from exc


def worker_command(file: Path | None, values: Mapping[str, Any]) -> list[str]:
    """What the supervisor runs for each worker."""
    import msgspec

    module = f"{__name__.rpartition('.')[0]}.worker"
    arguments = [str(file) if file else "", msgspec.json.encode(values).decode()]
    return [sys.executable, "-m", module, *arguments]


def _noted(settings: "Settings", file: Path | None) -> AbstractContextManager[None]:
    from ..gateway.state_file import GatewayState, noted, state_path

    state = GatewayState(
        pid=os.getpid(),
        url=url_of(settings),
        config=str(file.resolve()) if file else None,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        workers=settings.server.workers,
    )
    path = state_path(settings.log.dir)
    if not os.access(next(each for each in path.absolute().parents if each.exists()), os.W_OK):
        say(f"note: {path} cannot be written, so `llmops config reload` will not find this gateway; send it SIGHUP")
        return nullcontext()
    return noted(path, state)


def url_of(settings: "Settings") -> str:
    host = settings.server.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.server.port}"


def reached(settings: "Settings") -> str:
    """Where a program on this machine finds it."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.server.host, settings.server.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.server.port}"


def _announce(settings: "Settings", file: Path | None, names: list[str], dashboard: str | None = None) -> None:
    """Where it answers, which models it has and what to try next, on stderr."""
    from ..opening import LOG_NAME
    from ..version import __version__

    url = url_of(settings)
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    callable_names = [name for name in names if "*" not in name]
    model = settings.llm.model if settings.llm.model in names else (callable_names or ["mock"])[0]
    say(
        "\n".join(
            [
                f"LLMOps Lab {__version__} answers on {url}",
                f"  models   {shown}",
                *([f"  dashboard {dashboard}"] if dashboard else []),
                *([f"  workers  {settings.server.workers}"] if settings.server.workers > 1 else []),
                f"  log      {settings.log.dir / LOG_NAME}",
                f"  config   {file or 'defaults and environment (no file)'}",
                "",
                "Try it:",
                f"  curl {url}/v1/chat/completions -H 'content-type: application/json' \\",
                f"""    -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'""",
                "or from Python, with the OpenAI SDK unchanged:",
                "  from openai import OpenAI",
                f'  client = OpenAI(base_url="{url}/v1", api_key="unused")',
                '  messages = [{"role": "user", "content": "Hello"}]',
                f'  print(client.chat.completions.create(model="{model}", messages=messages))',
                f"Control plane: {url}/docs   metrics: {url}/metrics   stop: Ctrl-C",
            ]
        )
    )
