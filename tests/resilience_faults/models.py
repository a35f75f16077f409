"""The gateway's models for the table: one for each fault and named like it, so that no case wears out another's
deployments; with a fallback each has a healthy deployment behind the faulty one.
"""

from collections.abc import Mapping
from typing import Any

from llmops.dev.faults import FAULTS, FaultServer

LIMITS = {
    "connect_timeout_seconds": 1.0,
    "first_byte_timeout_seconds": 0.5,
    "idle_timeout_seconds": 0.5,
    "timeout_seconds": 6.0,
}
IDLE_S = LIMITS["idle_timeout_seconds"]

NEVER_EJECTS = {
    "failures_in_a_row": 1000,
    "least_calls": 100_000,
    "forbidden_in_a_row": 1000,
    "cooldown_seconds": 0.001,
    "max_cooldown_seconds": 0.001,
}
"""A breaker that lets every call meet the fault."""


def models(server: FaultServer, *, fallback: bool) -> Mapping[str, Any]:
    elsewhere = server.url.replace("127.0.0.1", "localhost")  # connections are shared by name: none that is spoilt
    healthy = [{"provider": "openai", "base_url": elsewhere, "model": "m"}] if fallback else []
    return {name: [{"provider": "openai", "base_url": server.url_for(name), "model": "m"}, *healthy] for name in FAULTS}
