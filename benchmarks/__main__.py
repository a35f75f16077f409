"""``python -m benchmarks``: measure the gateway and write ``benchmarks/results/<date>-gateway.json``.

The Markdown tables (with ``--json`` the same as JSON) go to stdout, progress to stderr. A part that cannot run is
said and left out; only with ``--gate`` is a missed bar an error of the command.
"""

import argparse
import datetime
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import footprint, report, scenarios
from .lab import Lab, say
from .machine import choose_cores, describe, pin_self, source_state
from .process import StartFailed
from .scenarios import QUICK, Readings, Size
from .targets import DIRECT, OURS, all_targets, gateway_command

RESULTS = Path(__file__).parent / "results"
SCENARIOS: dict[str, Callable[[Lab, Size], Readings]] = {
    "chat": scenarios.chat,
    "slow-chat": scenarios.slow_chat,
    "flat-streams": scenarios.flat_streams,
    "first-chunks": scenarios.first_chunks,
    "slow-streams": scenarios.slow_streams,
}
FOOTPRINT = ("memory", "start")


def main() -> int:
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the children as Ctrl-C does
    cores = choose_cores()
    pin_self(cores.load)
    facts = {**describe(cores), "gateway": gateway_command().replace(sys.executable, "python")}
    results = report.Results(date=datetime.date.today().isoformat(), quick=options.quick, machine=facts)
    size = QUICK if options.quick else Size(rounds=options.rounds, seconds=options.seconds)
    try:
        with tempfile.TemporaryDirectory(prefix="llmops-bench-") as folder:
            lab = Lab(Path(folder), cores, [])
            _choose_targets(lab, options.targets)
            _measure(lab, size, options.only or [*SCENARIOS, *FOOTPRINT], results)
            if (now := source_state()) != facts["commit"]:
                lab.remark(f"the source changed during the run ({facts['commit']}, then {now}): measure again")
            results.remarks = lab.remarks
    except KeyboardInterrupt:
        say("stopped; nothing is written")
        return 130
    _publish(results, options)
    missed = [bar.name for bar in report.bars(results) if bar.verdict == "missed"]
    return 1 if options.gate and missed else 0


def _measure(lab: Lab, size: Size, wanted: list[str], results: report.Results) -> None:
    for name in wanted:
        if name in SCENARIOS:
            try:
                results.readings.update(SCENARIOS[name](lab, size))
            except (StartFailed, OSError) as exc:
                lab.remark(f"{name} is left out: {exc}")
        elif name == "memory":
            results.footprint |= footprint.memory(lab, size)
        else:
            results.footprint |= footprint.start_time(lab) | footprint.import_time(lab)


def _choose_targets(lab: Lab, wanted: list[str] | None) -> None:
    if lab.cores.remark:
        lab.remark(lab.cores.remark)
    for target in all_targets():
        if wanted and target.name not in (DIRECT, OURS, *wanted):
            continue
        if target.missing:
            lab.remark(f"{target.name} is left out: {target.missing}")
        else:
            lab.targets.append(target)


def _publish(results: report.Results, options: argparse.Namespace) -> None:
    document = report.as_json(results)
    if not options.quick and not options.only and not options.targets:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{results.date}-gateway.json"
        path.write_bytes(document)
        say(f"written to {path}")
    sys.stdout.write(document.decode() if options.json else report.markdown(results) + "\n")


def _parser() -> argparse.ArgumentParser:
    names = [*SCENARIOS, *FOOTPRINT]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=names, help="measure just this; may be repeated")
    parser.add_argument("--targets", nargs="+", help="compare with just these, beside direct and ours")
    parser.add_argument("--rounds", type=int, default=Size().rounds)
    parser.add_argument("--seconds", type=float, default=Size().seconds, help="length of one chat measurement")
    parser.add_argument("--quick", action="store_true", help="short rounds, to see that everything works")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--gate", action="store_true", help="end with 1 if a bar is missed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
