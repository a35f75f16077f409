"""The configuration that our gateway is measured with: the defaults, and one model at the mock upstream.

The answer cache is off by name, for the load repeats one question and a cache would answer it.
"""

import json
from pathlib import Path

from . import wire
from .process import HOST


def write_settings(folder: Path, upstream_port: int) -> Path:
    """Write the gateway's YAML for one upstream and return its path."""
    settings = {
        "models": {wire.MODEL: [{"provider": "openai", "base_url": f"http://{HOST}:{upstream_port}/v1"}]},
        "cache": {"enabled": False},
        "log": {"dir": str(folder / "logs")},
    }
    path = folder / "llmops.yaml"
    path.write_text(json.dumps(settings))  # JSON is YAML
    return path
