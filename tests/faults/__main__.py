"""``python -m tests.faults [scenario …]``: run scenarios at full length, by default all, and print what they found.

Exit code 0: every promise was kept; 1: one was broken, or a scenario could not be run.
"""

import argparse
import asyncio
import json
import logging
import random
import sys
import tempfile
import traceback
from pathlib import Path

import uvloop

from .catalogue import SCENARIOS
from .report import Report
from .scene import Options


def main() -> int:
    arguments = _arguments()
    logging.getLogger("llmops").setLevel(logging.CRITICAL)  # what the books' comparison says of itself
    reports = []
    for name in arguments.scenario or SCENARIOS:
        report = Report(name, quiet=False)
        report.figures["seed"] = seed = random.randrange(2**32) if arguments.seed is None else arguments.seed
        with tempfile.TemporaryDirectory(prefix="llmops-faults-", ignore_cleanup_errors=True) as folder:
            options = Options(
                Path(folder),
                report,
                runs=arguments.runs,
                seed=seed,
                outage_s=arguments.outage_seconds,
                rate=arguments.rate,
            )
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                try:
                    runner.run(SCENARIOS[name](options))  # type: ignore[arg-type]
                except Exception as exc:  # noqa: BLE001 - a border: the other scenarios are worth running all the same
                    traceback.print_exc()
                    report.expect(False, "the scenario runs to its end", f"{type(exc).__name__}: {exc}")
        if not arguments.json:
            print(report.text(), flush=True)
        reports.append(report)
    if arguments.json:
        found = [{"scenario": r.scenario, "kept": r.kept, "figures": r.figures, "broken": r.broken} for r in reports]
        print(json.dumps(found, indent=2))
    return 0 if all(report.kept for report in reports) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("scenario", nargs="*", choices=[*SCENARIOS, []], metavar="scenario", help=", ".join(SCENARIOS))
    parser.add_argument("--runs", type=int, help="how often (kills) or how many (clients); default: by scenario")
    parser.add_argument("--seed", type=int, help="repeat a run's choices, though not its timing")
    parser.add_argument("--outage-seconds", type=float, default=600.0, help="how long a store is away (600)")
    parser.add_argument("--rate", type=float, default=260.0, help="calls a second (260)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
