"""Runs a load generator against a port and returns its figures: ``wrk`` for complete answers, `streams` for streams.

Every run is bounded in time. Figures are plain numbers by name, with the unit in the name. An answer that is not a
200, a dropped connection or a stream that ended short is an error and is reported; a target that fails fast must not
look fast.
"""

import json
import subprocess
import sys
from pathlib import Path

from . import wire
from .process import HOST

Figures = dict[str, float]

GRACE_S = 60.0
REPOSITORY = Path(__file__).resolve().parent.parent

SCRIPT = """
wrk.method = "POST"
wrk.body = [==[%(body)s]==]
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer %(key)s"
%(distinct)s
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{"requests":%%d,"duration_us":%%d,"p50_us":%%d,"p99_us":%%d,"worst_us":%%d,"errors":%%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""
DISTINCT = """
local sent = 0
local before, after = wrk.body:match("^(.*gateways)(.*)$")
function request()
  sent = sent + 1
  return wrk.format(nil, nil, nil, before .. " No. " .. %(first)d + sent .. after)
end
"""


class LoadFailed(Exception):
    """A load generator ended without figures."""


def chat(
    port: int, *, connections: int, seconds: float, core: int | None, folder: Path, distinct_from: int | None = None
) -> Figures:
    """Send chat requests for ``seconds``; with ``distinct_from`` each body is a different one, counted from there."""
    script = folder / "chat.lua"
    distinct = "" if distinct_from is None else DISTINCT % {"first": distinct_from}
    script.write_text(SCRIPT % {"body": wire.CHAT_BODY, "key": wire.KEY, "distinct": distinct})
    url = f"http://{HOST}:{port}{wire.PATH}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "--latency"]
    found = _run([*command, "-s", str(script), url], core, seconds)
    duration_s = found["duration_us"] / 1e6
    return {
        "requests": found["requests"],
        "requests_per_s": found["requests"] / duration_s,
        "p50_ms": found["p50_us"] / 1e3,
        "p99_ms": found["p99_us"] / 1e3,
        "worst_ms": found["worst_us"] / 1e3,
        "errors": found["errors"],
    }


def stream(port: int, *, connections: int, rounds: int, chunks: int, limit_s: float, core: int | None) -> Figures:
    """Read ``rounds`` streams of ``chunks`` chunks on each connection, or as many as end within ``limit_s``."""
    command = [
        sys.executable, "-m", "benchmarks.streams", "--port", str(port), "--connections", str(connections),
        "--rounds", str(rounds), "--chunks", str(chunks), "--limit-s", str(limit_s),
    ]  # fmt: skip
    return _run(command, core, limit_s)


def _run(command: list[str], core: int | None, seconds: float) -> Figures:
    if core is not None:
        command = ["taskset", "-c", str(core), *command]
    try:
        done = subprocess.run(
            command, cwd=REPOSITORY, capture_output=True, text=True, timeout=seconds + GRACE_S, check=False
        )
    except subprocess.TimeoutExpired as exc:
        raise LoadFailed(f"{command} had to be ended after {exc.timeout:g} s") from exc
    except OSError as exc:
        raise LoadFailed(f"{command[0]} cannot be run ({exc}): make bench-setup") from exc
    last = next(iter(reversed(done.stdout.strip().splitlines())), "")
    if done.returncode or not last.startswith("{"):
        raise LoadFailed(f"{command} returned {done.returncode}:\n{done.stdout[-800:]}{done.stderr[-800:]}")
    figures: Figures = json.loads(last)
    return figures
