"""The real tools of Prometheus and Alertmanager, and files for them."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.store.required import missing


def tool(name: str, package: str = "prometheus") -> str:
    """Where a program is; skips or fails the test where it is not (`required`)."""
    found = shutil.which(name)
    return found if found is not None else missing(name, package)


def alertmanager_program() -> str:
    """Debian calls it otherwise."""
    return shutil.which("alertmanager") or tool("prometheus-alertmanager", "prometheus-alertmanager")


def asked(*command: str | Path, folder: Path) -> str:
    """What a tool says; a failure is one of the test."""
    done = subprocess.run(
        [str(each) for each in command], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def write_yaml(path: Path, value: Mapping[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(value), sort_keys=False))
    return path
