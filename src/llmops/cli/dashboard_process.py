"""The dashboard beside ``llmops serve``: a process that lives as long as the gateway and decides nothing for it.

Where the extra is missing or its port is taken the gateway serves all the same, and it is said.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from .output import say

PORT = 8501
SWITCH = "SERVE_DASHBOARD"
_END_S = 5.0


def wanted(flag: bool | None) -> bool:
    """The flag, or else the variable ``SERVE_DASHBOARD``; without either, no."""
    return flag if flag is not None else os.environ.get(SWITCH, "0").lower() in ("1", "true", "yes", "on")


@contextmanager
def beside(url: str, *, port: int = PORT) -> Iterator[str | None]:
    """Run it for the gateway at ``url``; its address, or None where there is none."""
    if find_spec("streamlit") is None:
        say("note: no dashboard, its extra is not installed: pip install 'llmops-lab[dashboard]'")
        yield None
        return
    if not _is_free(port):
        say(f"note: no dashboard, port {port} is in use; `llmops dashboard --port {port + 1}` starts one")
        yield None
        return
    command = [sys.executable, "-P", "-m", "llmops", "dashboard", "--gateway", url, "--port", str(port)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ctrl-C has reached it as well, as it has everybody of this terminal."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _is_free(port: int) -> bool:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
