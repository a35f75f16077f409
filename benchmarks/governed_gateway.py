"""The gateways that `governed` compares: one configuration each, a folder each, and the same key in each database.

What governs is switched on in steps: nothing, a key, then four limits, a hard budget, a price and the ledger, then the
same with the counts in Redis. All bounds are far above any load, for a refused call would be a quick one.
"""

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmops.clock import SystemClock
from llmops.config import load_settings
from llmops.identity.key import DEFAULT_TENANT, Key
from llmops.identity.repository import IdentityRepository
from llmops.identity.secret import Digester, load_pepper, parse
from llmops.opening import open_identity

from . import wire
from .launch import Launch
from .load import REPOSITORY
from .process import HOST
from .targets import Target, gateway_command

PRICE = {"input": 0.15, "output": 0.60}
"""USD per million tokens."""
CALL_NANOUSD = 12 * 150 + 9 * 600
"""What a call with the usage of `wire.ANSWER` costs at that price."""
LIMITS = (
    {"per": "tenant", "requests_per_second": 1_000_000},
    {"per": "key", "tokens_per_minute": 100_000_000},
    {"per": "key", "concurrent_calls": 10_000},
    {"per": "model", "tokens_per_day": 10**12},
)
BUDGET = {"per": "tenant", "usd": 100_000, "window": "month", "hard": True}
RECONCILE_S = 600


class Governed:
    """One gateway. ``ruled`` is everything but Redis; with a ``redis_url`` the counts are there; ``resilient`` is as
    shipped; ``more`` are further sections of the configuration."""

    def __init__(
        self,
        name: str,
        *,
        keyed: bool = True,
        ruled: bool = True,
        redis_url: str | None = None,
        resilient: bool = True,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.ruled = ruled
        self._keyed = keyed
        self._redis_url = redis_url
        self._resilient = resilient
        self._more = dict(more or {})
        self._config = Path()
        self._admin_key = ""

    @property
    def target(self) -> Target:
        return Target(self.name, self._start)

    def reconcile(self) -> dict[str, Any]:
        """What ``llmops reconcile`` says while the gateway runs; `ReconcileFailed` when it says nothing."""
        found: dict[str, Any] = self.asked("reconcile")
        return found

    def asked(self, *words: str) -> Any:
        """What a command of the shell says, with ``--json``; `ReconcileFailed` when it says nothing."""
        shown = " ".join(words)
        command = [sys.executable, "-m", "llmops", *words, "--json", "--config", str(self._config)]
        environment = self._environment() | {"LLMOPS_ADMIN_KEY": self._admin_key}
        prefix = ["env", *(f"{name}={value}" for name, value in environment.items())]
        try:
            done = subprocess.run(
                [*prefix, *command], cwd=self._config.parent, capture_output=True, text=True, timeout=RECONCILE_S,
                check=False,
            )  # fmt: skip
            return json.loads(done.stdout)
        except subprocess.TimeoutExpired as exc:
            raise ReconcileFailed(f"{self.name}: llmops {shown} takes longer than {RECONCILE_S} s") from exc
        except ValueError as exc:
            raise ReconcileFailed(f"{self.name}: llmops {shown}: {done.stderr[-500:]}") from exc

    def settings(self, folder: Path, upstream_port: int) -> dict[str, Any]:
        """The configuration, as it is written into ``folder``."""
        deployment: dict[str, Any] = {"provider": "openai", "base_url": f"http://{HOST}:{upstream_port}/v1"}
        if self.ruled:
            deployment["price"] = PRICE
        return {
            "models": {wire.MODEL: [deployment]},
            "limits": {"rules": list(LIMITS) if self.ruled else []},
            "budgets": [BUDGET] if self.ruled else [],
            "ledger": {"enabled": self.ruled},
            "redis": {"url": self._redis_url},
            "resilience": {"enabled": self._resilient},
            "database": {"url": f"sqlite:///{folder / 'llmops.db'}"},
            "log": {"dir": str(folder / "logs")},
            **self._more,
        }

    def prepare(self, config: Path) -> None:
        """What else has to be in the database before it starts."""

    def _start(self, folder: Path, port: int, upstream_port: int) -> Launch:
        own = folder / self.name
        own.mkdir()
        self._config = own / "llmops.yaml"
        self._config.write_text(json.dumps(self.settings(own, upstream_port)))  # JSON is YAML
        if self._keyed:
            self._admin_key = make_keys(self._config)
        self.prepare(self._config)
        words = shlex.split(gateway_command().replace("{port}", str(port)))
        return Launch(words, env=self._environment(), ready_path="/ready")

    def _environment(self) -> dict[str, str]:
        return {"PYTHONPATH": f"{REPOSITORY / 'src'}:{REPOSITORY}", "LLMOPS_CONFIG": str(self._config)}


class ReconcileFailed(Exception):
    """The proof could not be made."""


def make_keys(config: Path) -> str:
    """Put the load's key into the configured database; returns an administrator's, which the proof needs."""
    settings = load_settings(config)
    identity = open_identity(settings)
    try:
        _, admin = identity.registry.create_key(name="the proof's", role="admin")
        credential, clock = parse(wire.KEY), SystemClock()
        assert credential is not None
        pepper = load_pepper(identity.database.folder or settings.log.dir.parent)
        key = Key(
            id=credential.public_id, tenant=DEFAULT_TENANT, name="the load's", role="caller",
            digest=Digester(pepper).digest(credential.secret), created_at_s=clock.now_s(),
        )  # fmt: skip
        IdentityRepository(identity.database).add_key(key)
    finally:
        identity.close()
    return str(admin)
