"""The note that a running gateway leaves for the shell: who it is, where it answers, and which file it was given."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

NAME = "gateway.pid.json"


class GatewayState(msgspec.Struct, frozen=True, kw_only=True):
    """``config`` is the absolute path of the configuration file, None without one; ``started_at`` is UTC."""

    pid: int
    url: str
    config: str | None
    started_at: str
    workers: int = 1


def state_path(log_dir: Path) -> Path:
    """Beside the folder of the request log."""
    return log_dir.parent / NAME


@contextmanager
def noted(path: Path, state: GatewayState) -> Iterator[None]:
    """Keep the note for the length of a ``with`` block. Of two gateways with one log folder, the later one is noted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{state.pid}")
    draft.write_bytes(msgspec.json.encode(state))
    draft.replace(path)
    try:
        yield
    finally:
        left = _read(path)
        if left is not None and left.pid == state.pid:
            path.unlink(missing_ok=True)


def find_running(path: Path) -> GatewayState | None:
    """The gateway that left a note at ``path``, if its process lives; the note of a killed one does not count."""
    state = _read(path)
    if state is None:
        return None
    try:
        os.kill(state.pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # somebody else's, but alive
    return state


def _read(path: Path) -> GatewayState | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=GatewayState)
    except (OSError, msgspec.DecodeError):
        return None
