"""``python -m tests.resilience_faults.azure``: a trace of real traffic amid faults, and what is left of it afterwards.

One gateway process, two deployments, one request in twenty at them struck by a mixture of faults, half of the calls
streams. No call may hang or be silently damaged, each has exactly one line in the request log, nothing is raised that
nobody expected, memory does not grow with the calls, and tasks, files and connections are afterwards what they were.
"""

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from llmops.dev.faults import FAULTS, FaultServer, Rehearsal
from tests.faults.report import Report

from .azure_gateway import MODEL, Look, WatchedGateway, watched_gateway
from .azure_load import MOST_WORDS, Played, Replay
from .azure_trace import Row, make_trace, read_trace, repeated
from .verdict import Given

MIXTURE = (
    "rst-before-headers",
    "rst-after-headers",
    "rst-mid-stream",
    "half-open",
    "stall-after-tokens",
    "truncated-json",
    "error-event-mid",
    "http-429",
    "http-500",
    "http-503",
)
_CALM_S = 20.0
_WARM_UP = 0.5
"""Until what has a bound has filled it: kept answers, the database's pages, lengths and sessions."""
_WARM_UP_CALLS = 200
_SLOPE_MIB = 1.0
"""Per 100,000 calls."""
_SLOPE_CALLS = 20_000
"""Fewer calls after the warm-up say nothing about a slope."""
_ALARMS = ("Traceback (most recent call last)", "never retrieved", "was never awaited")


@dataclass(frozen=True)
class Options:
    """``seconds`` is how long the replay takes when the gateway keeps up."""

    folder: Path
    rows: Sequence[Row]
    calls: int
    seconds: float
    rate: float = 0.05
    at_once: int = 128
    seed: int = 0


class _Line(msgspec.Struct):
    """What is read of a line of the request log."""

    trace_id: str
    error_type: str | None = None
    attempts: int = 0


@dataclass
class Watch:
    """The gateway's memory by the number of calls that it has had."""

    samples: list[tuple[int, float]] = field(default_factory=list)

    def slope_mib(self, calls: int) -> float | None:
        """Per 100,000 calls, after the warm-up; least squares."""
        late = [(made, mib) for made, mib in self.samples if made >= _WARM_UP * calls]
        if len(late) < 3 or calls * (1 - _WARM_UP) < _SLOPE_CALLS:
            return None
        middle = sum(made for made, _ in late) / len(late), sum(mib for _, mib in late) / len(late)
        spread = sum((made - middle[0]) ** 2 for made, _ in late)
        return sum((made - middle[0]) * (mib - middle[1]) for made, mib in late) / spread * 100_000


async def soak(options: Options, report: Report) -> None:
    """Play the trace and note in ``report`` what was found."""
    faults = tuple(FAULTS[name] for name in MIXTURE)

    def upstream(seed: int) -> FaultServer:
        return FaultServer(Rehearsal(rate=options.rate, seed=seed, faults=faults, words=MOST_WORDS))

    async with upstream(options.seed) as first, upstream(options.seed + 1) as second:
        async with watched_gateway(options.folder, (first, second)) as gateway:
            warming = Replay(gateway.port, MODEL, seed=options.seed + 1)
            rows = repeated(options.rows, _WARM_UP_CALLS)
            await warming.run(rows, speed=_speed(options.rows, _WARM_UP_CALLS, 1.0), at_once=8)
            before = await _calm(gateway, None)
            replay, watch = Replay(gateway.port, MODEL, seed=options.seed), Watch()
            await _play(options, report, gateway, replay, watch)
            after = await _calm(gateway, before)
        _check_end(report, before, after)
        asked = first.tally.requests + second.tally.requests
        report.figures["requests upstream for a call"] = round(asked / (options.calls + _WARM_UP_CALLS), 3)
        report.figures["faults that struck"] = dict((first.tally.struck + second.tally.struck).most_common())
    _check_answers(report, replay.played)
    _check_memory(report, watch, options.calls)
    for alarm in _ALARMS:
        report.expect(alarm not in gateway.said, "its output has no unhandled exception", gateway.said[-2000:])
    _check_log(report, options.folder, replay.played.traces)


async def _play(options: Options, report: Report, gateway: WatchedGateway, replay: Replay, watch: Watch) -> None:
    loop, played = asyncio.get_running_loop(), replay.played

    async def sample() -> None:
        while True:
            await asyncio.sleep(min(2.0, options.seconds / 20))
            seen = await gateway.look()
            watch.samples.append((played.calls, seen.resident_mib))
            report.say(f"{played.calls:,} calls, {seen.resident_mib:.1f} MiB, {seen.tasks} tasks")

    sampling = asyncio.create_task(sample())
    begun_s = loop.time()
    speed = _speed(options.rows, options.calls, options.seconds)
    try:
        await replay.run(repeated(options.rows, options.calls), speed=speed, at_once=options.at_once)
    finally:
        sampling.cancel()
    report.figures["faster than the trace"] = round(speed)
    report.figures["calls a second"] = round(played.calls / (loop.time() - begun_s))


def _check_answers(report: Report, played: Played) -> None:
    report.figures |= {
        "calls": played.calls,
        "streams": played.streams,
        "words": played.words,
        "sent later than planned, at worst s": round(played.latest_s, 2),
        "goodput": f"{played.given['whole'] / played.calls:.3%}",
        "given": dict(played.given),
        "statuses": dict(sorted(played.statuses.items())),
        "longest call s": round(played.longest_s, 2),
        "told": "".join(f"\n    {times} x {what}" for what, times in played.told.most_common(12)),
    }
    bad: tuple[Given, ...] = ("hung", "broken")
    for what in bad:
        for why in played.examples.get(what, []):
            report.expect(False, f"no call is {what}", why)


async def _calm(gateway: WatchedGateway, before: Look | None) -> Look:
    """What is left when nothing is under way and all is as ``before``, or when that takes too long."""
    deadline_s = asyncio.get_running_loop().time() + _CALM_S
    while True:
        look = await gateway.look()
        calm = look.is_idle and (before is None or look.is_within(before))
        if calm or asyncio.get_running_loop().time() > deadline_s:
            return look
        await asyncio.sleep(0.2)


def _check_end(report: Report, before: Look, after: Look) -> None:
    report.figures["tasks"] = f"{before.tasks} -> {after.tasks}"
    report.figures["sockets but upstream connections"] = f"{before.sockets} -> {after.sockets}"
    report.figures["other open files"] = f"{sum(before.files.values())} -> {sum(after.files.values())}"
    report.figures["upstream connections kept idle"] = f"{before.upstream_connections} -> {after.upstream_connections}"
    report.expect(after.is_idle, "nothing is under way when all clients are gone", after)
    report.expect(after.is_within(before), "tasks, sockets and files are what they were", f"{before}, then {after}")


def _check_memory(report: Report, watch: Watch, calls: int) -> None:
    if watch.samples:
        report.figures["resident MiB, first, highest, last"] = [
            round(mib, 1) for mib in (watch.samples[0][1], max(mib for _, mib in watch.samples), watch.samples[-1][1])
        ]
    slope = watch.slope_mib(calls)
    if slope is not None:
        report.figures["MiB for 100,000 calls more"] = round(slope, 2)
        report.expect(slope < _SLOPE_MIB, f"memory grows by less than {_SLOPE_MIB:g} MiB in 100,000 calls", slope)


def _check_log(report: Report, folder: Path, sent: set[str]) -> None:
    """Each call that was sent has one line, and nothing else has one but the calls of the warm-up."""
    lines: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    attempts: Counter[int] = Counter()
    decoder = msgspec.json.Decoder(_Line)
    for file in (folder / "logs").glob("*.jsonl"):
        with file.open("rb") as opened:
            for line in opened:
                found = decoder.decode(line)
                lines[found.trace_id] += 1
                if found.trace_id in sent:
                    attempts[found.attempts] += 1
                    if found.error_type:
                        errors[found.error_type] += 1
    report.figures["attempts of a call"] = dict(sorted(attempts.items()))
    report.figures["errors in the log"] = dict(errors.most_common())
    report.figures["lines in the log"] = lines.total() - _WARM_UP_CALLS
    wrong = [trace for trace in sent if lines[trace] != 1]
    report.expect(not wrong, "each call has exactly one line in the request log", f"{len(wrong)} have not: {wrong[:3]}")
    others = len(lines) - len(sent) - _WARM_UP_CALLS
    report.expect(others == 0, "nothing else has one", others)
    report.expect(not errors["internal_error"], "no call ends in an error of ours", errors)


def _speed(rows: Sequence[Row], calls: int, seconds: float) -> float:
    return rows[-1].at_s * (calls / len(rows)) / seconds


def main() -> int:
    options = _parser().parse_args()
    rows = read_trace(options.trace) if options.trace else make_trace(options.seed)
    report = Report("azure", quiet=options.quiet)
    report.figures["trace"] = f"{options.trace.name}, {len(rows):,} rows" if options.trace else "made"
    with tempfile.TemporaryDirectory(prefix="llmops-soak-", ignore_cleanup_errors=True) as folder:
        played = Options(
            Path(folder), rows, options.calls, options.calls / options.per_second, options.rate, options.at_once,
            options.seed,
        )  # fmt: skip
        with asyncio.Runner(loop_factory=_loop()) as runner:
            runner.run(soak(played, report))
    print(report.text())
    return 0 if report.kept else 1


def _loop() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.resilience_faults.azure", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--trace", type=Path, help="a CSV of TIMESTAMP, ContextTokens, GeneratedTokens; default: made")
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--per-second", type=float, default=600.0, help="calls a second, in the mean (600)")
    parser.add_argument("--rate", type=float, default=0.05, help="share of requests that a fault strikes (0.05)")
    parser.add_argument("--at-once", type=int, default=128, help="clients (128)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser


if __name__ == "__main__":
    sys.exit(main())
