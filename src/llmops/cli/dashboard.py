"""``llmops dashboard``: Streamlit on the pages of this package, beside a gateway that answers elsewhere."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from .output import clean_errors, say

_SCRIPT = Path(__file__).parents[1] / "dashboard.py"
_URL_VARIABLE = "LLMOPS_GATEWAY_URL"


def dashboard(
    host: Annotated[
        str, typer.Option(help="Address to bind; any but loopback needs a gateway that asks for keys.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to bind.")] = 8501,
    gateway: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The gateway; default: LLMOPS_GATEWAY_URL, otherwise this folder's."),
    ] = None,
) -> None:
    """Serve the dashboard. Needs the extra: pip install 'llmops-lab[dashboard]'."""
    with clean_errors():
        check_installed()
        url = gateway or os.environ.get(_URL_VARIABLE) or _configured_url()
        refuse_open_gateway(host, url)
    os.environ[_URL_VARIABLE] = url
    shown = f"[{host}]" if ":" in host else host
    say(f"dashboard on http://{shown}:{port}, of the gateway at {url}   stop: Ctrl-C")
    os.execv(  # nothing of this process is needed any more, and Ctrl-C reaches Streamlit itself
        sys.executable,
        [
            *(sys.executable, "-P", "-m", "streamlit", "run", str(_SCRIPT)),
            *("--server.address", host, "--server.port", str(port)),
        ],
    )


def check_installed() -> None:
    """`ConfigError` without the extra."""
    from importlib.util import find_spec

    from ..errors import ConfigError

    if find_spec("streamlit") is None:
        raise ConfigError(["the dashboard is an extra that is not installed; pip install 'llmops-lab[dashboard]'"])


def refuse_open_gateway(host: str, url: str) -> None:
    """A dashboard that others can reach lets them do what the gateway lets this machine do: all, without keys."""
    from ..errors import ConfigError
    from ..viewing.loopback import is_loopback
    from ..viewing.source import Source

    try:
        source = Source(url)
    except ValueError as exc:
        raise ConfigError([str(exc)]) from exc
    if is_loopback(host):
        return
    problem = source.ask("/api/whoami").problem
    if problem is None:
        raise ConfigError(
            [
                f"--host {host!r}: the gateway at {url} asks nobody for a key yet, so whoever reaches this "
                "address is its administrator; make one with `llmops keys create NAME --role admin`, or use 127.0.0.1"
            ]
        )
    if problem.trouble != "unauthenticated":
        raise ConfigError(
            [f"--host {host!r}: start the gateway at {url} first; does it ask for keys? {problem.message}"]
        )


def _configured_url() -> str:
    """Where this folder's configuration has the gateway."""
    from ..config import default_file, load_settings
    from .serve import reached

    return reached(load_settings(default_file()))
