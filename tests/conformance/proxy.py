"""The LiteLLM proxy at the chain's end: its models answer with LiteLLM's own mock responses, errors included."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.peers import python_of
from benchmarks.process import HOST, free_port, running, wait_until_ready

KEY = "sk-conformance"
TEXT = "Greetings from the end of the chain, 世界."
CALLS = [
    {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": '{"city": "Oslo"}'}}
    for name in ("weather", "clock")
]
VECTOR = [0.25, -0.5, 0.75]
MODELS: dict[str, dict[str, Any]] = {
    "text": {"mock_response": TEXT},
    "tools": {"mock_response": "I will look.", "mock_tool_calls": CALLS},
    "vector": {"model": "openai/text-embedding-3-small", "mock_response": VECTOR},
    "slow-down": {"mock_response": "litellm.RateLimitError"},
    "too-long": {"mock_response": "litellm.ContextWindowExceededError"},
    "broken": {"mock_response": "litellm.InternalServerError"},
}
_START_TIMEOUT_S = 120


@contextmanager
def litellm(folder: Path) -> Iterator[str]:
    """Run the proxy; give its address. Raises `StartFailed` with the last lines of its output."""
    settings = {
        "model_list": [
            {"model_name": name, "litellm_params": {"model": "openai/gpt-4o", "api_key": "none", **mock}}
            for name, mock in MODELS.items()
        ],
        "litellm_settings": {"num_retries": 0},
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
        "general_settings": {"master_key": KEY},
    }
    path = folder / "litellm.yaml"
    path.write_text(json.dumps(settings))  # JSON is YAML
    port = free_port()
    command = [
        str(python_of("litellm").with_name("litellm")),
        "--config",
        str(path),
        "--host",
        HOST,
        "--port",
        str(port),
        "--num_workers",
        "1",
    ]
    env = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    with running("litellm", command, folder=folder, env=env) as process:
        wait_until_ready(process, port, "/health/liveliness", _START_TIMEOUT_S)
        yield f"http://{HOST}:{port}"
