"""When a gateway is killed: at any time, about when its log or its journal begins a new file, amid a recovery."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from .gateway import GatewayProcess

Moment = Callable[[GatewayProcess, random.Random], Awaitable[None]]
_ROTATE_BYTES = 1_000_000
_LIMIT_S = 15.0


async def any_time(gateway: GatewayProcess, luck: random.Random) -> None:
    await asyncio.sleep(luck.uniform(0.2, 1.6))


async def at_rotation(gateway: GatewayProcess, luck: random.Random) -> None:
    """When the log is so large that the next batch begins a new file, up to a batch later."""
    path = gateway.log_dir / "gateway.jsonl"
    await asyncio.sleep(luck.uniform(0.1, 0.4))
    inode = path.stat().st_ino
    await _until(lambda: not path.exists() or path.stat().st_ino != inode or path.stat().st_size >= _ROTATE_BYTES)
    await asyncio.sleep(luck.choice((0.0, luck.uniform(0.0, 0.02), luck.uniform(0.0, 0.12))))


async def at_new_journal(gateway: GatewayProcess, luck: random.Random) -> None:
    """When the journal begins a new file, up to the moment that the old one is removed."""
    folder = gateway.log_dir / "journal"

    def names() -> set[str]:
        return {path.name for path in folder.glob("*.*")}

    await asyncio.sleep(0.3)
    known = names()
    await _until(lambda: bool(names() - known))
    await asyncio.sleep(luck.choice((0.0, luck.uniform(0.0, 0.003), luck.uniform(0.0, 1.2))))


async def _until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + _LIMIT_S
    while not condition() and time.monotonic() < deadline_s:
        await asyncio.sleep(0.001)


def wait_for_recovery(gateway: GatewayProcess, luck: random.Random) -> bool:
    """Block until the gateway holds the lock of those who recover, and a few milliseconds more; whether it ever did.

    The kernel's list of locks tells without touching the lock itself.
    """
    lock = gateway.log_dir / "journal" / "recovery.lock"
    pause_s = luck.choice((0.0, luck.uniform(0.0, 0.004), luck.uniform(0.0, 0.02)))
    deadline_s = time.monotonic() + _LIMIT_S
    while time.monotonic() < deadline_s and gateway.running:
        if lock.exists() and _is_held(lock, gateway.pid):
            time.sleep(pause_s)
            return True
        time.sleep(0.0002)
    return False


def _is_held(lock: Path, pid: int) -> bool:
    inode = str(lock.stat().st_ino)
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if "FLOCK" in fields and "->" not in fields and fields[4] == str(pid) and fields[5].endswith(f":{inode}"):
            return True
    return False
