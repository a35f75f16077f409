"""The peers, each in a virtual environment of its own: ``.benchmark/<peer>``, or where BENCH_<PEER>_VENV points.

LiteLLM runs as its production page asks: one worker for the one core, a master key, JSON logs at ERROR, no debug, no
database. sglang-router runs with one worker behind it and the round-robin policy (its default builds a prefix tree of
all prompts, which is of no use with one worker); it keeps no records and checks no keys.
"""

import json
import os
from pathlib import Path

from . import wire
from .launch import Launch
from .load import REPOSITORY
from .process import HOST, free_port

PACKAGES = {"litellm": "litellm[proxy]", "sglang-router": "sglang-router"}
FOLDER = REPOSITORY / ".benchmark"


def python_of(peer: str) -> Path:
    """The interpreter of a peer's virtual environment, whether or not it is there."""
    override = os.environ.get(f"BENCH_{peer.upper().replace('-', '_')}_VENV")
    return (Path(override) if override else FOLDER / peer) / "bin" / "python"


def missing(peer: str) -> str | None:
    python = python_of(peer)
    return None if python.exists() else f"{peer} is not installed ({python}): make bench-setup"


def start_litellm(folder: Path, port: int, upstream_port: int) -> Launch:
    upstream = {"model": f"openai/{wire.MODEL}", "api_key": "none", "api_base": f"http://{HOST}:{upstream_port}/v1"}
    settings = {
        "model_list": [{"model_name": wire.MODEL, "litellm_params": upstream}],
        "litellm_settings": {"request_timeout": 600, "set_verbose": False, "json_logs": True},
        "general_settings": {"master_key": wire.KEY},
    }
    path = folder / "litellm.yaml"
    path.write_text(json.dumps(settings))  # JSON is YAML
    command = [str(python_of("litellm").with_name("litellm")), "--config", str(path), "--host", HOST, "--port"]
    env = {"LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    return Launch([*command, str(port), "--num_workers", "1"], env, "/health/liveliness", 120, patience=4)


def start_sglang_router(folder: Path, port: int, upstream_port: int) -> Launch:
    options = {
        "--worker-urls": f"http://{HOST}:{upstream_port}",
        "--host": HOST,
        "--port": str(port),
        "--policy": "round_robin",
        "--log-level": "error",
        "--prometheus-host": HOST,
        "--prometheus-port": str(free_port()),
    }
    words = [word for option in options.items() for word in option]
    return Launch([str(python_of("sglang-router")), "-m", "sglang_router.launch_router", *words], timeout_s=60)
