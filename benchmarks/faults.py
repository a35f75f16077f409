"""``python -m benchmarks.faults``: what clients see of thirty kinds of upstream fault, ours beside LiteLLM.

Each fault has a model of its own whose first deployment always fails that way and whose second is healthy; every call
is judged by the words that arrive (the harness is the tests' own, ``tests/resilience_faults``). Faults whose only sign
is silence are played together with many callers, who mostly wait; all others one after another with few, so that times
are the gateway's and not a queue's. Then models without one healthy deployment are called: how many requests reach the
upstream for a call? LiteLLM runs from ``.benchmark/litellm`` (or BENCH_LITELLM_VENV); where it is not installed it is
left out, and that is said.

``--base-url`` plays the table against any other gateway: with ``--port`` its models can be pointed at the fault server
beforehand (one model for each name of ``llmops dev faults --list``; the healthy deployment is that port without a
fault's path).
"""

import argparse
import asyncio
import datetime
import json
import os
import signal
import sys
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec

from llmops.dev.faults import FAULTS

from . import wire
from .fault_evening import Length, play_given, play_started
from .fault_gateways import LIMIT_S, LITELLM, TARGETS
from .fault_report import Played, as_data, bars, kept, markdown
from .lab import say
from .machine import choose_cores, describe, pin_self, source_state
from .process import StartFailed

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the children as Ctrl-C does
    cores = choose_cores()
    pin_self(cores.load)
    facts = describe(cores)
    try:
        evening = _evening(options, cores.target)
    except KeyboardInterrupt:
        say("stopped; nothing is written")
        return 130
    if (now := source_state()) != facts["commit"]:
        facts["remark"] = f"the source changed during the run (then {now}): measure again"
    return _publish(evening, facts, options)


def _evening(options: argparse.Namespace, core: int | None) -> list[Played]:
    faults = [FAULTS[name] for name in options.fault or FAULTS]
    ours = Length(options.calls, options.at_once, options.dead_calls)
    if options.base_url:
        return [_run(play_given(options.base_url, options.key, options.port, faults, ours))]
    dead_calls = min(options.dead_calls, 5 * options.peer_calls)
    theirs = Length(options.peer_calls, min(4, options.at_once), dead_calls, together=6)  # it mostly waits to retry
    evening = []
    for target in options.targets:
        length = theirs if target == "litellm" else ours
        try:
            with tempfile.TemporaryDirectory(prefix="llmops-faults-") as folder:
                evening.append(_run(play_started(TARGETS[target], Path(folder), core, faults, length)))
        except StartFailed as exc:
            say(f"{target} is left out: {exc}")
    return evening


def _run(playing: Coroutine[Any, Any, Played]) -> Played:
    try:
        import uvloop
    except ImportError:  # it is not made for Windows
        return asyncio.run(playing)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(playing)


def _publish(evening: list[Played], facts: dict[str, str], options: argparse.Namespace) -> int:
    date = datetime.date.today().isoformat()
    judged = [bar for played in evening for bar in bars(played)]
    document = {
        "date": date,
        "machine": facts,
        "limit_on_silence_s": LIMIT_S,
        "bars": [{**msgspec.structs.asdict(bar), "verdict": bar.verdict} for bar in judged],
        "gateways": {played.name: as_data(played) for played in evening},
    }
    shown = markdown(evening, title=f"Upstream faults, {date}", facts=facts)
    print(json.dumps(document, indent=2) if options.json else shown)
    if not options.fault and set(options.targets) == {*TARGETS} and not options.base_url and options.calls >= 1000:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{date}-faults.json"
        path.write_text(json.dumps(document, indent=1) + "\n")
        path.with_suffix(".md").write_text(shown + "\n")
        say(f"written to {path}")
    ours = [played for played in evening if played.name != LITELLM]
    for played in ours:
        for case in played.cases:
            if not kept(case):
                say(f"not kept: {played.name}: {'; '.join(case.problems(fallback=True))[:600]}")
    missed = [bar for played in ours for bar in bars(played) if bar.verdict == "missed"]
    return 1 if options.gate and missed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--targets", nargs="+", choices=[*TARGETS], default=[*TARGETS], help="just these; no file then")
    parser.add_argument("--fault", action="append", choices=[*FAULTS], metavar="NAME", help="just this; repeatable")
    parser.add_argument("--calls", type=int, default=1000, help="of each fault in each form; fewer: no file (1000)")
    parser.add_argument("--peer-calls", type=int, default=20, help="the same for LiteLLM, which is slower (20)")
    parser.add_argument("--dead-calls", type=int, default=2000, help="of the models where nothing is healthy (2000)")
    parser.add_argument("--at-once", type=int, default=6, help="callers of a fault; LiteLLM gets 4 (6)")
    parser.add_argument("--base-url", help="a gateway that runs already, with /v1")
    parser.add_argument("--key", default=os.environ.get("BENCH_KEY", wire.KEY), help="its key")
    parser.add_argument("--port", type=int, default=0, help="of the fault server for --base-url; 0: a free one")
    parser.add_argument("--gate", action="store_true", help="status 1 where our gateway keeps a promise not")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    return parser


if __name__ == "__main__":
    sys.exit(main())
