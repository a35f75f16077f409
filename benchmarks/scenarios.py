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
from .targets import DIRECT, NGINX


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
FEW_CHUNKS = 3
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
    """16 streams at a time, each as fast as it comes, every chunk a write of its own."""
    command = mock("--chunks", str(FLAT_CHUNKS))
    with lab.upstream(command) as (port, process), lab.contestants(port) as contestants:
        for contestant in contestants:
            with awake(contestant.process):
                if contestant.name not in (DIRECT, NGINX) and not accounts_for_streams(contestant.port, port):
                    lab.remark(f"{contestant.name} does not account for the usage of streams")
        wanted, warm_up = (_stream(lab, 16, rounds, FLAT_CHUNKS) for rounds in (size.streams_each, 3))
        return {"stream-16": lab.compare("stream-16", contestants, process, size.rounds, wanted, warm_up)}


def first_chunks(lab: Lab, size: Size) -> Readings:
    """One short stream at a time, for the time to its first chunk.

    Paced, because an upstream that writes flat out would keep the core that it shares with the load generator.
    """
    command = mock("--chunks", str(FEW_CHUNKS), "--interval-ms", "3")
    with lab.upstream(command) as (port, process), lab.contestants(port) as contestants:
        wanted, warm_up = (_stream(lab, 1, rounds, FEW_CHUNKS) for rounds in (size.first_chunks, 10))
        return {"stream-1": lab.compare("stream-1", contestants, process, size.rounds, wanted, warm_up)}


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
