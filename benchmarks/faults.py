"""``python -m benchmarks.faults``: what clients see of thirty kinds of upstream fault, ours beside LiteLLM.

Each fault has a model of its own whose first deployment always fails that way and whose second is healthy; every call
is judged by the words that arrive. The harness is the tests' own, ``tests/resilience_faults``. LiteLLM is started from
``.benchmark/litellm`` (or BENCH_LITELLM_VENV) with its fallbacks, two retries and the same limits on silence; it is
left out, and that is said, where it is not installed. ``--base-url`` plays the table against any other gateway: with
``--port`` its models can be pointed at the fault server beforehand (one model for each name of ``llmops dev faults
--list``; the healthy deployment is that port without a fault's path).
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llmops.dev.faults import FAULTS, Fault, FaultServer, Rehearsal
from tests.resilience_faults.caller import Caller
from tests.resilience_faults.case import Play, Result, play_all
from tests.resilience_faults.models import models

from . import peers, wire
from .lab import say
from .launch import Launch
from .load import REPOSITORY
from .process import HOST, StartFailed, free_port, running, wait_until_ready
from .targets import gateway_command

OURS, LITELLM, OTHER = "ours", "litellm", "given"
_LIMIT_S = 1.0
"""On silence, and until an answer begins, for every gateway."""
_TOTAL_S = 8.0
_HANG_S = 20.0


def main() -> int:
    options = _parser().parse_args()
    found = asyncio.run(_measure(options))
    if options.json:
        print(json.dumps({name: [_row(result) for result in results] for name, results in found.items()}, indent=2))
    else:
        print(_markdown(found))
    broken = [problem for result in found.get(OURS, ()) for problem in result.problems(fallback=True)]
    for problem in broken:
        say(f"not kept: {problem}")
    return 1 if options.gate and broken else 0


async def _measure(options: argparse.Namespace) -> dict[str, list[Result]]:
    faults = [FAULTS[name] for name in options.fault or FAULTS]
    found: dict[str, list[Result]] = {}
    for name in [OTHER] if options.base_url else options.targets:
        async with FaultServer(Rehearsal(drip_s=_LIMIT_S / 4), port=options.port) as server:
            try:
                with tempfile.TemporaryDirectory(prefix="llmops-faults-") as folder:
                    with _target(name, Path(folder), server, options.base_url) as base_url:
                        say(f"{name}: {len(faults)} faults, {options.calls} calls for each form of an answer")
                        caller = Caller(base_url, key=options.key or wire.KEY, limit_s=_HANG_S)
                        play = Play(caller, server, _LIMIT_S, calls=options.calls, at_once=options.at_once)
                        found[name] = await _play(play, faults)
            except StartFailed as exc:
                say(f"{name} is left out: {exc}")
    return found


async def _play(play: Play, faults: Sequence[Fault]) -> list[Result]:
    results: list[Result] = []
    for fault in faults:
        played = await play_all(play, [fault])
        results += played
        problems = [problem for result in played for problem in result.problems(fallback=True)]
        say(f"  {fault.name}: {'; '.join(problems)[:200] or 'as it should be'}")
    return results


@contextmanager
def _target(name: str, folder: Path, server: FaultServer, base_url: str | None) -> Iterator[str]:
    """The base URL of a started gateway. Waiting for it blocks this program, in which nothing else happens then."""
    if base_url:
        yield base_url
        return
    port = free_port()
    launch = _ours(folder, port, server) if name == OURS else _litellm(folder, port, server)
    with running(name, launch.command, folder=folder, env=launch.env) as process:
        wait_until_ready(process, port, launch.ready_path, launch.timeout_s)
        yield f"http://{HOST}:{port}/v1"


def _ours(folder: Path, port: int, server: FaultServer) -> Launch:
    limits = {
        "connect_timeout_seconds": _LIMIT_S,
        "first_byte_timeout_seconds": _LIMIT_S,
        "idle_timeout_seconds": _LIMIT_S,
        "timeout_seconds": _TOTAL_S,
    }
    settings = {
        "models": models(server, fallback=True),
        "llm": limits,
        "log": {"dir": str(folder / "logs")},
        "database": {"url": f"sqlite:///{folder}/llmops.db"},
    }
    path = folder / "llmops.yaml"
    path.write_text(json.dumps(settings))  # JSON is YAML
    env = {"PYTHONPATH": f"{REPOSITORY / 'src'}:{REPOSITORY}", "LLMOPS_CONFIG": str(path)}
    return Launch(gateway_command().replace("{port}", str(port)).split(), env=env, ready_path="/ready")


def _litellm(folder: Path, port: int, server: FaultServer) -> Launch:
    if reason := peers.missing("litellm"):
        raise StartFailed(reason)

    def deployment(name: str, base_url: str) -> dict[str, Any]:
        limits = {"timeout": _LIMIT_S, "stream_timeout": _LIMIT_S, "max_retries": 0}
        upstream = {"model": "openai/m", "api_key": "none", "api_base": base_url, **limits}
        return {"model_name": name, "litellm_params": upstream}

    settings = {
        "model_list": [deployment("healthy", server.url), *(deployment(name, server.url_for(name)) for name in FAULTS)],
        "router_settings": {"num_retries": 2, "fallbacks": [{name: ["healthy"]} for name in FAULTS]},
        "litellm_settings": {"request_timeout": _TOTAL_S, "set_verbose": False, "json_logs": True},
        "general_settings": {"master_key": wire.KEY},
    }
    path = folder / "litellm.yaml"
    path.write_text(json.dumps(settings))
    launch = peers.start_litellm(folder, port, server.port)
    path.write_text(json.dumps(settings))  # in place of the one for the measurement of its speed
    return launch


def _row(result: Result) -> dict[str, Any]:
    return {
        "fault": result.fault.name,
        "stream": result.stream,
        "expected": result.fault.expectation(stream=result.stream),
        "calls": result.calls,
        "struck": result.struck,
        **{given: result.given[given] for given in ("whole", "error", "broken", "hung")},
        "longest_s": round(max(result.seconds), 3),
        "problems": list(result.problems(fallback=True)),
    }


def _markdown(found: dict[str, list[Result]]) -> str:
    """A row a case and a column a gateway: what its clients were given, and whether that is as it should be."""
    head = ["fault", "answer", "should", *found]
    rows = [head, ["---"] * len(head)]
    for cases in zip(*found.values(), strict=True):
        first = cases[0]
        form = "stream" if first.stream else "complete"
        rows.append([first.fault.name, form, str(first.fault.expectation(stream=first.stream)), *map(_cell, cases)])
    kept = [f"{sum(1 for each in results if _kept(each))} of {len(results)} kept" for results in found.values()]
    rows.append(["**all**", "", "", *kept])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(result: Result) -> str:
    given = ", ".join(f"{count} {what}" for what, count in sorted(result.given.items()))
    return f"{'kept' if _kept(result) else '**not**'}: {given}; longest {max(result.seconds):.1f} s"


def _kept(result: Result) -> bool:
    return not any(result.problems(fallback=True))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--targets", nargs="+", choices=(OURS, LITELLM), default=[OURS, LITELLM])
    parser.add_argument("--fault", action="append", choices=[*FAULTS], metavar="NAME", help="just this; repeatable")
    parser.add_argument("--calls", type=int, default=20, help="for each fault and form; 1000 is the full length")
    parser.add_argument("--at-once", type=int, default=4, help="callers at the same time")
    parser.add_argument("--base-url", help="a gateway that runs already, with /v1")
    parser.add_argument("--key", default=os.environ.get("BENCH_KEY"), help="its key")
    parser.add_argument("--port", type=int, default=0, help="of the fault server; 0: a free one")
    parser.add_argument("--gate", action="store_true", help="status 1 where our gateway keeps a promise not")
    parser.add_argument("--json", action="store_true", help="the table as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
