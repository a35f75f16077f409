"""The stage: a folder of the demo's own, with its database, log, keys and configuration, and the gateway in it.

The gateway is the real one on its real server, with the time lapse as its clock. Its configuration is written to
``demo.yaml`` in the folder, so that every command works on what was played: ``llmops stats --config …``.
"""

import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from ..config import load_settings
from ..errors import ConfigError, Conflict
from ..gateway.state_file import GatewayState, find_running, noted, state_path
from . import script
from .cast import TENANTS
from .script import Act
from .time_lapse import TimeLapse

if TYPE_CHECKING:
    from ..gateway.lifecycle import GatewayLifecycle
    from ..gateway.server import GatewayServer

ADMIN = "admin"
_CONFIG, _KEYS, _EVALS = "demo.yaml", "keys.json", "evals"
_HOST = "127.0.0.1"


def shipped_config() -> Path:
    """`configs/demo.yaml`: of the installed package, or of the checkout."""
    here = Path(__file__)
    found = [here.with_name(_CONFIG), here.parents[3] / "configs" / _CONFIG]
    for path in found:
        if path.is_file():
            return path
    raise ConfigError([f"{found[-1]}: there is no such file; name a configuration with --config"])


class Stage:
    """``minutes`` and ``per_s`` say how much traffic its limits and budgets are for."""

    def __init__(
        self, folder: Path, config: Path, lapse: TimeLapse, *, minutes: float, per_s: float, port: int
    ) -> None:
        self.folder = folder.absolute()
        self.lapse = lapse
        self.keys: dict[str, str] = {}
        """By tenant; `ADMIN`'s is the dashboard's."""
        self._socket = _bound(port)
        self.port: int = self._socket.getsockname()[1]
        self._config = script.fitted(_read(config), minutes, per_s) | self._places()
        self._values: dict[str, Any] = {}
        self._server: GatewayServer | None = None
        self._lifecycle: GatewayLifecycle | None = None

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self.port}"

    @property
    def config(self) -> Path:
        """The configuration that is in force."""
        return self.folder / _CONFIG

    def prepare(self, *, keep: bool) -> None:
        """An empty folder (or, with ``keep``, as it is), the configuration, tenants and keys; `ConfigError`."""
        running = find_running(state_path(self.folder / "logs"))
        if running is not None:
            raise ConfigError([f"a demo is playing in {str(self.folder)!r} already (pid {running.pid}); stop it first"])
        if not keep:
            _clear(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write([])
        self._make_keys()
        if not (self.folder / _EVALS).exists():
            from .exam import examine

            examine(load_settings(self.config, **self._values), self.folder / _EVALS)

    def apply(self, acts: Sequence[Act]) -> None:
        """Put these acts into the configuration, and have the gateway take it."""
        self._write(acts)
        if self._lifecycle is not None:
            self._lifecycle.reload()

    @contextmanager
    def gateway(self) -> Iterator["GatewayServer"]:
        """The server, not serving yet: ``await server.serve(stage.sockets)``. Noted for the shell's commands."""
        from ..assembly import build_gateway
        from ..gateway.lifecycle import GatewayLifecycle
        from ..gateway.server import GatewayServer

        settings = load_settings(self.config, **self._values)
        app = build_gateway(settings, file=self.config, values=self._values, clock=self.lapse)
        assert isinstance(app.lifecycle, GatewayLifecycle)
        self._lifecycle = app.lifecycle
        self._server = GatewayServer(app, on_started=None, parent=None)
        state = GatewayState(
            pid=os.getpid(),
            url=self.url,
            config=str(self.config),
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        try:
            with noted(state_path(self.folder / "logs"), state):
                yield self._server
        finally:
            self._lifecycle = None
            self._socket.close()

    @property
    def sockets(self) -> list[socket.socket]:
        return [self._socket]

    def _places(self) -> dict[str, Any]:
        return {
            "log": {"dir": str(self.folder / "logs"), "flush_milliseconds": 1000},
            "database": {"url": f"sqlite:///{self.folder / 'llmops.db'}"},
            "redis": {"url": None},
            "server": {"port": self.port or 8000, "drain_seconds": 3, "drain_delay_seconds": 0},
        }

    def _write(self, acts: Sequence[Act]) -> None:
        config = script.with_acts(self._config, acts)
        draft = self.config.with_suffix(".draft")
        draft.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
        draft.replace(self.config)
        # What the file says also wins over the environment: it is meant for other gateways than this one.
        self._values.clear()
        self._values.update(config)

    def _make_keys(self) -> None:
        from ..opening import open_identity

        path = self.folder / _KEYS
        if path.exists():
            self.keys = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
            return
        identity = open_identity(load_settings(self.config, **self._values), self.lapse)
        try:
            for tenant in TENANTS:
                with suppress(Conflict):
                    identity.registry.create_tenant(tenant.id, tenant.name)
                name = tenant.tags["feature"]
                self.keys[tenant.id] = str(identity.registry.create_key(name=name, tenant=tenant.id)[1])
            self.keys[ADMIN] = str(identity.registry.create_key(name="dashboard", role="admin")[1])
        finally:
            identity.close()
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(self.keys))


def _read(path: Path) -> Mapping[str, Any]:
    """The configuration as it is written; it is checked when it is loaded."""
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise ConfigError([f"{path}: cannot be read: {' '.join(str(exc).split())}"]) from exc
    if not isinstance(content, dict):
        raise ConfigError([f"{path}: must hold sections such as 'models:', not a {type(content).__name__}"])
    return content


def _clear(folder: Path) -> None:
    """Nothing is removed that no demo has made."""
    if not folder.exists():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / _CONFIG).exists()):
        raise ConfigError([f"{str(folder)!r} is not empty and no demo's; name another with --folder"])
    shutil.rmtree(folder)


def _bound(port: int) -> socket.socket:
    from ..gateway.server import bind

    bound = bind(_HOST, port)
    # With its protocol named, or asyncio leaves Nagle's algorithm on and every answer takes 40 ms.
    return socket.socket(bound.family, bound.type, socket.IPPROTO_TCP, fileno=bound.detach())
