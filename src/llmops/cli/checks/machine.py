"""What the machine offers: Python and packages, a writable log folder with room, a sane clock."""

import importlib.util
import platform
import shutil
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .finding import Finding

_PACKAGES = ("uvicorn", "uvloop", "httptools", "msgspec", "jsonschema-rs", "fastapi", "pydantic", "prometheus-client")
_LITTLE_ROOM_BYTES, _NO_ROOM_BYTES = 2_000_000_000, 100_000_000
_COARSE_CLOCK_S = 0.001


def check_python() -> Finding:
    return Finding("ok", "python", f"Python {platform.python_version()} on {platform.system()}")


def check_packages() -> list[Finding]:
    findings = []
    missing = [name for name in ("uvloop", "httptools") if importlib.util.find_spec(name) is None]
    if missing:
        findings.append(
            Finding(
                "error",
                "packages",
                f"{' and '.join(missing)} cannot be imported; the gateway is served by them",
                "install the package's requirements again: make serve",
            )
        )
    versions = []
    for name in _PACKAGES:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            versions.append(f"{name} (missing)")
    return [*findings, Finding("ok", "packages", ", ".join(versions))]


def check_log_folder(folder: Path) -> list[Finding]:
    """Can the request log be written, and for how long?"""
    at = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=at):
            pass
    except OSError as exc:
        return [
            Finding(
                "error",
                "log folder",
                f"{str(folder)!r} cannot be written: {exc.strerror or exc}",
                "set log.dir (LOG_DIR) to a folder that this user may write",
            )
        ]
    free = shutil.disk_usage(at).free
    shown = f"{folder} is writable, {free / 1e9:.1f} GB free"
    if free < _NO_ROOM_BYTES:
        return [
            Finding(
                "error",
                "log folder",
                shown,
                "make room: records wait in memory while the disk is full, and are lost when that is full too",
            )
        ]
    if free < _LITTLE_ROOM_BYTES:
        return [Finding("warning", "log folder", shown, "make room, or move old gateway-*.jsonl files away")]
    return [Finding("ok", "log folder", shown)]


def check_clock() -> Finding:
    """The wall clock dates every record; a coarse monotonic clock makes latencies meaningless."""
    now = datetime.now(UTC)
    resolution_s = time.get_clock_info("monotonic").resolution
    shown = f"{now.isoformat(timespec='seconds')}, monotonic resolution {resolution_s:g} s"
    if not 2025 <= now.year <= 2100:
        return Finding("error", "clock", shown, "set the clock (NTP): records would be dated wrongly and TLS fails")
    if resolution_s > _COARSE_CLOCK_S:
        return Finding("warning", "clock", shown, "latencies are measured more coarsely than a millisecond here")
    return Finding("ok", "clock", shown)
