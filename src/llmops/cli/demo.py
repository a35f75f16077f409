"""``llmops demo``: a living installation to look at, a minute after the start."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .output import USAGE_ERROR, JsonFlag, clean_errors, print_json, say

if TYPE_CHECKING:
    from ..demo.player import Player
    from ..demo.shape import Arrival
    from ..demo.stage import Stage

_PORT, _DASHBOARD_PORT = 8000, 8501
_FOLDER = Path("runs/demo")
_STOP_S = 10.0


def demo(
    minutes: Annotated[
        float, typer.Option(min=1, max=1440, help="How much traffic is played before it goes on.")
    ] = 60.0,
    speed: Annotated[float, typer.Option(min=1, max=3600, help="How many times as fast as real.")] = 60.0,
    rate: Annotated[float, typer.Option(min=0.01, max=50, help="Calls a second, on average.")] = 2.0,
    seed: Annotated[int, typer.Option(help="The same seed plays the same visits.")] = 1,
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Play the arrivals and lengths of an Azure LLM trace.")
    ] = None,
    then: Annotated[
        Literal["live", "stop"], typer.Option(help="When the present is reached: go on at real pace, or stop.")
    ] = "live",
    folder: Annotated[Path, typer.Option(help="Where its database, log and keys are; emptied at the start.")] = _FOLDER,
    keep: Annotated[bool, typer.Option("--keep", help="Play on in what is in the folder.")] = False,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help=f"The gateway's. Default: {_PORT}, or a free one.")
    ] = None,
    dashboard: Annotated[bool, typer.Option(help="Start the dashboard beside it.")] = True,
    dashboard_port: Annotated[int | None, typer.Option(min=1, max=65535, help="Default: 8501, or a free one.")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Default: the one that is shipped.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Play an hour of a company's traffic through the real gateway within a minute, and go on.

    Every upstream is a mock: nothing leaves this machine and nothing costs money. Requests, money, traces, alerts and
    feedback are recorded as always, in a folder of their own. Ctrl-C ends it.
    """
    with clean_errors():
        from ..demo.show import Show
        from ..demo.stage import Stage, shipped_config
        from ..demo.time_lapse import TimeLapse

        arrivals = _arrivals(trace, rate, minutes, seed)
        lapse = TimeLapse(minutes * 60, speed)
        chosen = _free(_PORT) if port is None else port
        stage = Stage(folder, config or shipped_config(), lapse, minutes=minutes, per_s=rate, port=chosen)
        stage.prepare(keep=keep)
        show = Show(stage, arrivals, minutes=minutes, seed=seed)
        with _dashboard(stage, dashboard_port) if dashboard else _no_dashboard() as address, _bar(minutes) as progress:
            show.play(lambda: _announce(stage, address(), minutes, speed, goes_on=then == "live"), progress,
                      goes_on=then == "live")  # fmt: skip
    _tell_end(stage, show.statuses, as_json=as_json)


def _arrivals(trace: Path | None, rate: float, minutes: float, seed: int) -> "Iterator[Arrival]":
    import random

    from ..demo.player import CALLS_A_VISIT
    from ..demo.shape import arrivals, read_trace

    per_s = rate / CALLS_A_VISIT
    if trace is None:
        return arrivals(random.Random(f"{seed}/arrivals"), per_s, minutes * 60)
    try:
        return read_trace(trace, per_s, minutes * 60)
    except (OSError, ValueError) as exc:
        say(f"error: --trace: {exc}")
        raise typer.Exit(USAGE_ERROR) from exc


def _free(wanted: int) -> int:
    """The port, or 0 (any) where somebody has it: a demo should start."""
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return 0
    return wanted


def _announce(stage: "Stage", dashboard: str | None, minutes: float, speed: float, *, goes_on: bool) -> None:
    from ..demo.script import HOUR_MINUTES, PLOT

    lines = [
        f"the demo plays {minutes:g} minutes of traffic, {speed:g} times as fast"
        + (", and then goes on at real pace" if goes_on else ""),
        f"  dashboard  {dashboard or 'not started; it needs the extra `dashboard`'}",
        f"  gateway    {stage.url}   (control plane: {stage.url}/docs)",
        f"  records    {stage.folder}   (keys: keys.json)",
        f"  commands   llmops stats --config {stage.config}",
        "",
    ]
    for act in PLOT:
        lines.append(f"  minute {act.minute * minutes / HOUR_MINUTES:>4.3g}  {act.told}")
    say("\n".join([*lines, "", "stop: Ctrl-C"]))


@contextmanager
def _bar(minutes: float) -> "Iterator[Callable[[float, Player], None]]":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as shown:
        task = shown.add_task("playing", total=minutes, said="")

        def progress(played: float, player: "Player") -> None:
            names = ", ".join(act.name for act in player.acts)
            what = names or ("live" if played >= minutes else "playing")
            said = f"minute {min(played, minutes):.0f} of {minutes:g}, {player.calls:,} calls"
            shown.update(task, description=f"{what:12}", completed=min(played, minutes), said=said)

        yield progress


@contextmanager
def _no_dashboard() -> Iterator[Callable[[], str | None]]:
    yield lambda: None


@contextmanager
def _dashboard(stage: "Stage", port: int | None) -> Iterator[Callable[[], str | None]]:
    """Gives what says its address; None when it has ended, as without its extra."""
    from ..demo.stage import ADMIN

    chosen = port or _free(_DASHBOARD_PORT) or _any_port()
    command = [sys.executable, "-m", f"{__name__.split('.')[0]}", "dashboard", "--port", str(chosen)]
    with (stage.folder / "dashboard.log").open("wb") as output:
        process = subprocess.Popen(
            command,
            env={
                **os.environ,
                "LLMOPS_GATEWAY_URL": stage.url,
                "LLMOPS_DASHBOARD_KEY": stage.keys[ADMIN],
                "LLMOPS_CONFIG": str(stage.config),
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is ours to pass on
        )
    try:
        yield lambda: f"http://127.0.0.1:{chosen}" if process.poll() is None else None
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _any_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _tell_end(stage: "Stage", statuses: dict[int, int], *, as_json: bool) -> None:
    if as_json:
        print_json({
            "calls": sum(statuses.values()),
            "statuses": {str(status): count for status, count in sorted(statuses.items())},
            "url": stage.url,
            "folder": str(stage.folder),
            "config": str(stage.config),
        })  # fmt: skip
        return
    by_status = ", ".join(f"{count:,} of status {status}" for status, count in sorted(statuses.items()))
    say(f"{sum(statuses.values()):,} calls ({by_status}); they are kept: llmops stats --config {stage.config}")
