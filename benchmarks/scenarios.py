"""The loads: what comes from upstream, what is sent, and for how long. Each returns the readings of all rounds.

Sizes shrink with ``--quick``, which is for trying the harness out and not for a figure to quote.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from . import load, nginx
from .lab import Lab, Load, Reading, awake
from .probe import accounts_for_streams


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How long everything runs; ``requests`` is for the memory run."""

    rounds: int = 3
    seconds: float = 5.0
    streams_each: int = 120
    first_chunks: int = 300
    slow_chunks: int = 200
    requests: int = 300_000


QUICK = Size(seconds=1.0, streams_each=12, first_chunks=60, slow_chunks=100, requests=60_000)

FLAT_CHUNKS = 100
STREAM_LIMIT_S = 20.0
Readings = dict[str, list[Reading]]


def chat(lab: Lab, size: Size) -> Readings:
    """Chat against an instant upstream: 64 connections for throughput, one for the added latency."""
    upstream = nginx.upstream_command if nginx.installed() else mock()
    with lab.upstream(upstream) as (port, process), lab.contestants(port) as contestants:
        return {
            f"chat-{connections}": lab.compare(
                f"chat-{connections}", contestants, process, size.rounds,
                _chat(lab, connections, size.seconds), _chat(lab, connections, 1),
            )
            for connections in (64, 1)
        }  # fmt: skip


def slow_chat(lab: Lab, size: Size) -> Readings:
    """Chat against an upstream that takes 50 ms, on 512 connections."""
    with lab.upstream(mock("--delay-ms", "50")) as (port, process), lab.contestants(port) as contestants:
        wanted, warm_up = _chat(lab, 512, size.seconds), _chat(lab, 512, 2)
        return {"chat-50ms": lab.compare("chat-50ms", contestants, process, size.rounds, wanted, warm_up)}


def flat_streams(lab: Lab, size: Size) -> Readings:
    """Streams as fast as they come: 16 at a time for throughput, one at a time for the time to the first chunk."""
    found: Readings = {}
    command = mock("--chunks", str(FLAT_CHUNKS))
    with lab.upstream(command) as (port, process), lab.contestants(port) as contestants:
        for contestant in contestants:
            with awake(contestant.process):
                if not accounts_for_streams(contestant.port, port):
                    lab.remark(f"{contestant.name} does not account for the usage of streams")
        for name, connections, rounds in (("stream-16", 16, size.streams_each), ("stream-1", 1, size.first_chunks)):
            wanted = _stream(lab, connections, rounds, FLAT_CHUNKS)
            warm_up = _stream(lab, connections, 3, FLAT_CHUNKS)
            found[name] = lab.compare(name, contestants, process, size.rounds, wanted, warm_up)
    return found


def slow_streams(lab: Lab, size: Size) -> Readings:
    """512 streams at once with a chunk each 10 ms, as a busy day of slow models."""
    command = mock("--chunks", str(size.slow_chunks), "--interval-ms", "10")
    with lab.upstream(command) as (port, process), lab.contestants(port) as contestants:
        wanted = _stream(lab, 512, 1, size.slow_chunks)
        return {"stream-512": lab.compare("stream-512", contestants, process, size.rounds, wanted, wanted)}


def mock(*options: str) -> Callable[[Path, int], list[str]]:
    """The command of the Python upstream with these options."""

    def command(folder: Path, port: int) -> list[str]:
        del folder
        return [sys.executable, "-m", "benchmarks.upstream", "--port", str(port), *options]

    return command


def _chat(lab: Lab, connections: int, seconds: float) -> Load:
    return lambda contestant: load.chat(
        contestant.port, connections=connections, seconds=seconds * contestant.patience, core=lab.cores.load,
        folder=lab.folder,
    )  # fmt: skip


def _stream(lab: Lab, connections: int, rounds: int, chunks: int) -> Load:
    return lambda contestant: load.stream(
        contestant.port, connections=connections, rounds=rounds, chunks=chunks, limit_s=STREAM_LIMIT_S,
        core=lab.cores.load,
    )  # fmt: skip
