"""What is measured: nothing in between, nginx, our gateway, and the peers; and how each is started.

A target is a name and a function from (folder, port, upstream port) to a `Launch`. One that cannot run here carries
the reason in ``missing``; the benchmark prints it and goes on without.
"""

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from . import nginx, peers
from .launch import Launch
from .load import REPOSITORY
from .settings import write_settings

Start = Callable[[Path, int, int], Launch]

DIRECT, NGINX, OURS = "direct", "nginx", "ours"
GATEWAY = "-m llmops serve --port {port}"


class Target(msgspec.Struct, frozen=True):
    """``start`` is None for "direct": the load goes to the upstream itself."""

    name: str
    start: Start | None
    missing: str | None = None


def all_targets() -> list[Target]:
    no_nginx = None if nginx.installed() else "nginx is not installed: make bench-setup"
    return [
        Target(DIRECT, None),
        Target(NGINX, start_nginx, no_nginx),
        Target(OURS, start_ours),
        Target("sglang-router", peers.start_sglang_router, peers.missing("sglang-router")),
        Target("litellm", peers.start_litellm, peers.missing("litellm")),
    ]


def start_nginx(folder: Path, port: int, upstream_port: int) -> Launch:
    return Launch(nginx.proxy_command(folder, port, upstream_port), ready_path="/health")


def start_ours(folder: Path, port: int, upstream_port: int) -> Launch:
    """Our gateway, as `gateway_command` says."""
    settings = write_settings(folder, upstream_port)
    env = {"PYTHONPATH": f"{REPOSITORY / 'src'}:{REPOSITORY}", "LLMOPS_CONFIG": str(settings)}
    words = shlex.split(gateway_command().replace("{port}", str(port)))
    return Launch(words, env=env, ready_path="/ready")


def gateway_command() -> str:
    """What starts the gateway on ``{port}``; BENCH_GATEWAY puts another in its place, and the results name it."""
    return os.environ.get("BENCH_GATEWAY") or f"{shlex.quote(sys.executable)} {GATEWAY}"
