"""``llmops config``: show the configuration, check a file, have a running gateway read its file again."""

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError
from .output import ConfigOption, JsonFlag, clean_errors, print_json, say

if TYPE_CHECKING:
    from ..gateway.state_file import GatewayState

app = typer.Typer(help="Show, check and reload the configuration.", no_args_is_help=True)

_RELOAD_LIMIT_S = 10.0
_POLL_S = 0.05


@app.command("show")
def show(config: ConfigOption = None, as_json: JsonFlag = False) -> None:
    """Print the configuration in force: file, environment and defaults together, secrets masked."""
    with clean_errors():
        from ..config import load_settings
        from ..settings import masked

        settings = load_settings(config)
        if as_json:
            print_json(masked(settings))
        else:
            import yaml

            typer.echo(yaml.safe_dump(masked(settings), sort_keys=False), nl=False)


@app.command("check")
def check_file(
    file: Annotated[Path, typer.Argument(help="The configuration file.")], as_json: JsonFlag = False
) -> None:
    """Check FILE as a start would, with the environment over it and the credentials it needs; start nothing."""
    from ..app import check
    from ..config import load_settings

    problems: list[str] = []
    models: list[str] = []
    try:
        settings = load_settings(file)
        models = sorted(model.name for model in check(settings))
    except ConfigError as exc:
        problems = exc.problems
    if as_json:
        print_json({"file": str(file), "ok": not problems, "problems": problems, "models": models})
    else:
        if problems:
            say("\n".join([f"{file} cannot be used:", *(f"  - {problem}" for problem in problems)]))
        else:
            typer.echo(f"{file} is good; models: {', '.join(models)}")
    raise typer.Exit(1 if problems else 0)


@app.command("reload")
def reload(config: ConfigOption = None, as_json: JsonFlag = False) -> None:
    """Have the running gateway read its configuration file again; a bad file is refused and the old one stays."""
    with clean_errors():
        from ..config import load_settings
        from ..gateway.state_file import find_running, state_path

        path = state_path(load_settings(config).log.dir)
        state = find_running(path)
        if state is None:
            raise ConfigError(
                [
                    f"{path}: no running gateway has left its note there; is it running, and with the same "
                    "log.dir? One that was not started by `llmops serve` is sent SIGHUP by hand"
                ],
                source="the running gateway",
            )
        if state.config is not None:
            load_settings(Path(state.config))  # a file that can be seen to be bad is not even sent
        answers = ask_to_reload(state)
    failed = next((answer["config_error"] for answer in answers if answer["config_error"]), None)
    generation = max(answer["config_generation"] for answer in answers)
    if as_json:
        print_json({"ok": failed is None, "pid": state.pid, "config_generation": generation, "error": failed})
    elif failed is not None:
        say(f"refused, the configuration before stays in force: {failed}")
    else:
        typer.echo(f"reloaded: configuration generation {generation} is in force (pid {state.pid})")
    raise typer.Exit(0 if failed is None else 1)


def ask_to_reload(state: "GatewayState", limit_s: float = _RELOAD_LIMIT_S) -> list[dict[str, Any]]:
    """Send SIGHUP and wait for what ``/health`` says after it; with several workers, for a run of fresh answers."""
    asked_at_s = time.time()
    try:
        os.kill(state.pid, signal.SIGHUP)
    except PermissionError as exc:
        raise ConfigError(
            [f"pid {state.pid} belongs to another user; run this as the one who started the gateway"],
            source="the running gateway",
        ) from exc
    deadline_s = time.monotonic() + limit_s
    wanted = 1 if state.workers == 1 else 8 * state.workers  # each fresh connection reaches some worker
    answers: list[dict[str, Any]] = []
    while len(answers) < wanted:
        if time.monotonic() > deadline_s:
            raise ConfigError(
                [f"pid {state.pid} at {state.url} has not confirmed within {limit_s:g} s; its log on stderr says why"],
                source="the running gateway",
            )
        health = read_health(state.url)
        if health is not None and health["config_read_at_s"] >= asked_at_s:
            answers.append(health)
        else:
            answers.clear()
            time.sleep(_POLL_S)
    return answers


def read_health(url: str, timeout_s: float = 2.0) -> dict[str, Any] | None:
    """What the gateway at ``url`` says of itself; None when nothing that is one of ours answers."""
    from http.client import HTTPConnection, HTTPException
    from urllib.parse import urlsplit

    import msgspec

    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        connection.request("GET", "/health")
        health = msgspec.json.decode(connection.getresponse().read(), type=dict[str, Any])
    except (OSError, HTTPException, msgspec.DecodeError):
        return None
    finally:
        connection.close()
    return health if "config_generation" in health else None
