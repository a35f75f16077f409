"""The gateways that `faults` compares, each configured for the same table with the same limits.

A model for each fault: its first deployment always fails that way, its second is healthy. Each fault has a fault
server of its own, so that what was asked of the fallback is counted by fault. Two models have nothing healthy at all.

"ours" is as shipped; "ours, every call struck" has breakers that never eject and so meets the fault a thousand times
and not five, and it sheds no load: a hundred gzip bombs in a row are too much to do. LiteLLM has its fallbacks and its
cool-downs as they are by default, and two retries as we have.
"""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmops.dev.faults import FAULTS, FaultServer
from tests.resilience_faults.models import NEVER_EJECTS, models

from . import peers, wire
from .launch import Launch
from .load import REPOSITORY
from .process import StartFailed
from .targets import gateway_command

OURS, STRUCK, LITELLM = "ours", "ours, every call struck", "litellm"
TARGETS = {"ours": OURS, "struck": STRUCK, "litellm": LITELLM}
"""By the word on the command line."""
DEAD: dict[str, tuple[str, ...]] = {
    "one dead deployment": ("http-503",),
    "three dead deployments": ("rst-before-headers", "http-503", "http-500"),
}
"""Models without hope, and how their deployments fail."""
LIMIT_S = 1.0
"""On connecting, on silence and until an answer begins, for every gateway."""
_TOTAL_S = 8.0
_STRUCK = {"breaker": NEVER_EJECTS, "overload": {"max_lag_seconds": 10}}

Servers = Mapping[str, FaultServer]
"""By the name of the fault, or of the dead model."""


def start(name: str, folder: Path, port: int, servers: Servers) -> Launch:
    """How to start this gateway; `StartFailed` where it is not installed."""
    if name == LITELLM:
        return _litellm(folder, port, servers)
    return _ours(folder, port, servers, resilience=_STRUCK if name == STRUCK else {})


def _ours(folder: Path, port: int, servers: Servers, resilience: Mapping[str, Any]) -> Launch:
    limits = {
        "connect_timeout_seconds": LIMIT_S,
        "first_byte_timeout_seconds": LIMIT_S,
        "idle_timeout_seconds": LIMIT_S,
        "timeout_seconds": _TOTAL_S,
    }
    of_faults = {name: models(servers[name], fallback=True)[name] for name in FAULTS}
    dead = {
        name: [{"provider": "openai", "base_url": servers[name].url_for(fault), "model": "m"} for fault in faults]
        for name, faults in DEAD.items()
    }
    settings = {
        "models": {**of_faults, **dead},
        "llm": limits,
        "resilience": resilience,
        "log": {"dir": str(folder / "logs")},
        "database": {"url": f"sqlite:///{folder}/llmops.db"},
    }
    path = folder / "llmops.yaml"
    path.write_text(json.dumps(settings))  # JSON is YAML
    env = {"PYTHONPATH": f"{REPOSITORY / 'src'}:{REPOSITORY}", "LLMOPS_CONFIG": str(path)}
    words = shlex.split(gateway_command().replace("{port}", str(port)))
    return Launch(words, env=env, ready_path="/ready")


def _litellm(folder: Path, port: int, servers: Servers) -> Launch:
    if reason := peers.missing("litellm"):
        raise StartFailed(reason)

    def deployment(name: str, base_url: str) -> dict[str, Any]:
        limits = {"timeout": LIMIT_S, "stream_timeout": LIMIT_S, "max_retries": 0}
        upstream = {"model": "openai/m", "api_key": "none", "api_base": base_url, **limits}
        return {"model_name": name, "litellm_params": upstream}

    faulty = [deployment(name, servers[name].url_for(name)) for name in FAULTS]
    healthy = [deployment(f"{name} fallback", servers[name].url) for name in FAULTS]
    dead = [deployment(name, servers[name].url_for(fault)) for name, faults in DEAD.items() for fault in faults]
    settings = {
        "model_list": [*faulty, *healthy, *dead],
        "router_settings": {"num_retries": 2, "fallbacks": [{name: [f"{name} fallback"]} for name in FAULTS]},
        "litellm_settings": {"request_timeout": _TOTAL_S, "set_verbose": False, "json_logs": True},
        "general_settings": {"master_key": wire.KEY},
    }
    launch = peers.start_litellm(folder, port, 0)
    (folder / "litellm.yaml").write_text(json.dumps(settings))  # in place of the one that measures its speed
    return launch
