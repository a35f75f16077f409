"""``llmops dev``: tools for who builds on the gateway. `faults` is an upstream that fails on purpose, `replay` one that
gives recorded answers."""

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .output import USAGE_ERROR, JsonFlag, clean_errors, print_json, print_table, say

if TYPE_CHECKING:
    from ..dev.faults import FaultServer, Rehearsal
    from ..dev.replay import ReplayServer

app = typer.Typer(help="Tools for who builds on the gateway.", no_args_is_help=True)

_PORT = 8090
_REPLAY_PORT = 8091


@app.callback()
def dev() -> None:
    """Tools for who builds on the gateway."""


@app.command("faults")
def faults(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to bind on 127.0.0.1; 0: a free one.")] = _PORT,
    fault: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this one strikes by chance; repeatable.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0, max=1, help="Share of requests that a fault strikes by chance.")] = 0.05,
    seed: Annotated[int, typer.Option(help="The same seed strikes in the same order.")] = 0,
    words: Annotated[int, typer.Option(min=6, max=100_000, help="Length of an answer.")] = 24,
    pause_ms: Annotated[float, typer.Option(min=0, max=60_000, help="Between the words of a healthy stream.")] = 0.0,
    show_list: Annotated[bool, typer.Option("--list", help="Print the table of faults and end.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Serve an upstream that fails in thirty ways, for rehearsing what your gateway does then.

    It speaks OpenAI's chat completions, embeddings and models. A base URL of http://127.0.0.1:PORT/v1 is struck by
    chance, http://127.0.0.1:PORT/fault/NAME/v1 always; so is a request with the header `x-fault: NAME`. GET /_faults
    counts.
    """
    if show_list:
        _print_table(port, as_json=as_json)
        return
    from ..dev.faults import FAULTS, FaultServer, Rehearsal, fault_named

    try:
        chosen = tuple(fault_named(name) for name in fault) if fault else tuple(FAULTS.values())
    except KeyError as exc:
        say(f"error: --fault: {exc.args[0]}")
        raise typer.Exit(USAGE_ERROR) from exc
    rehearsal = Rehearsal(rate=rate, seed=seed, faults=chosen, words=words, pause_s=pause_ms / 1000)
    if not any(each.by_chance for each in chosen):
        say(f"note: {chosen[0].name} never strikes by chance; see `llmops dev faults --list` for its address")
    server = FaultServer(rehearsal, port=port)
    with clean_errors(), asyncio.Runner(loop_factory=_loop) as runner:
        runner.run(_serve(server, rehearsal))
    if as_json:
        print_json(server.tally.shown())
    else:
        _print_tally(server)


@app.command("replay")
def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE.jsonl", help='Lines of {"prompt": …, "response": …}.')],
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to bind on 127.0.0.1; 0: a free one.")
    ] = _REPLAY_PORT,
    latency_ms: Annotated[float, typer.Option(min=0, max=600_000, help="Before each answer.")] = 0.0,
    as_json: JsonFlag = False,
) -> None:
    """Serve recorded answers as an upstream: an eval end to end, without the models.

    It speaks OpenAI's chat completions. The answer is found by the request's model and its last user message; what is
    not recorded is a 404. GET /_replay counts.
    """
    from ..dev.replay import Recording, RecordingError, ReplayServer

    try:
        recording = Recording.read(file)
    except RecordingError as exc:
        say(f"error: {exc}")
        raise typer.Exit(1) from exc
    server = ReplayServer(recording, port=port, latency_s=latency_ms / 1000)
    with clean_errors(), asyncio.Runner(loop_factory=_loop) as runner:
        runner.run(_serve_replay(server, recording.models, len(recording)))
    if as_json:
        print_json(server.counts())
    else:
        say(", ".join(f"{name} {count:,}" for name, count in server.counts().items()))


async def _serve_replay(server: "ReplayServer", models: list[str], count: int) -> None:
    async with server:
        say(
            f"{count:,} recorded answers are given on {server.url}\n"
            + (f"models: {', '.join(models)}\n" if models else "")
            + f"counters: {server.url.removesuffix('/v1')}/_replay   stop: Ctrl-C"
        )
        await _stopped()


async def _stopped() -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await stopping.wait()


def _loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:  # it is not made for Windows
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


async def _serve(server: "FaultServer", rehearsal: "Rehearsal") -> None:
    async with server:
        say(
            f"faults answer on {server.url}: {rehearsal.rate:.1%} of requests are struck, seed {rehearsal.seed}\n"
            f"always struck: {server.url_for('NAME')} (names: llmops dev faults --list)\n"
            f"counters: {server.url.removesuffix('/v1')}/_faults   stop: Ctrl-C"
        )
        await _stopped()


def _print_tally(server: "FaultServer") -> None:
    tally = server.tally
    say(f"{tally.requests:,} requests over {tally.connections:,} connections, {tally.healthy:,} answered in health")
    if tally.struck:
        print_table(["fault", "struck"], [[name, f"{count:,}"] for name, count in sorted(tally.struck.items())])


def _print_table(port: int, *, as_json: bool) -> None:
    from ..dev.faults import EXPECTATIONS, FAULTS
    from ..dev.faults.server import fault_url

    if as_json:
        print_json(
            [
                {
                    "name": fault.name,
                    "kind": fault.kind,
                    "summary": fault.summary,
                    "stream": fault.stream,
                    "complete": fault.complete,
                    "base_url": fault_url(fault.name, port),
                }
                for fault in FAULTS.values()
            ]
        )
        return
    rows = [[fault.name, fault.summary, fault.stream or "-", fault.complete or "-"] for fault in FAULTS.values()]
    print_table(["fault", "what it does", "stream", "complete"], rows)
    say("What a gateway with one healthy fallback makes of it:")
    for word, meaning in EXPECTATIONS.items():
        say(f"  {word:9} {meaning}")
    say(f"Point a deployment's base_url at one: {fault_url('NAME', port)}; {fault_url('tls-failure', port)};")
    say(f"and for dns-failure {fault_url('dns-failure', port)}, which needs no server at all")
