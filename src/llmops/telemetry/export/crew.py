"""All exports of one process: a thread for each, and one look at all of them for whoever wants to know.

Of all processes that share a log folder one holds the lock beside the log and does the work; when it ends, however it
ends, the next one that asks takes over.
"""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from ...errors import LLMOpsError
from ...secret_file import load_or_make
from ..traces.spool_reader import KEPT
from .counts import Status
from .exporter import Exporter
from .span_source import remove_read

_log = logging.getLogger(__name__)
_LONGEST_PAUSE_S = 5.0
_FIRST_PAUSE_S = 0.1
_MEASURE_S = 2.0
_MEASURE_SHARE = 20


def place_of(folder: Path) -> str:
    """A name for a log's folder that stays when the machine is called otherwise."""
    return load_or_make(folder / ".export-place").hex()


def taken(folder: Path) -> int | None:
    """The lock of the folder's exports, as a file to be closed; None where another process has it."""
    folder.mkdir(parents=True, exist_ok=True)
    fd = os.open(folder / ".export", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


class Crew:
    """Between ``start`` and ``stop`` its threads work. ``spool`` is the folder of the spans from outside."""

    def __init__(self, exporters: Sequence[Exporter], spool: Path) -> None:
        self._exporters = exporters
        self._spool = spool
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(each,), daemon=True) for each in exporters]

    def begin(self) -> None:
        """Find the positions, before anything more is written; raises `StoreUnavailable`."""
        (self._spool / KEPT).mkdir(parents=True, exist_ok=True)
        for each in self._exporters:
            each.begin()

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, within_s: float) -> None:
        """Send what is there, for so long at most."""
        self._stopping.set()
        deadline_s = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))

    def statuses(self) -> list[Status]:
        """As they are now: copies."""
        return [msgspec.convert(msgspec.to_builtins(each.status), Status) for each in self._exporters]

    def tidy(self) -> None:
        """Remove what all exports have read."""
        spans = [source.positions for each in self._exporters for source in each.sources if source.name == "spans"]
        remove_read(self._spool, spans)

    def _work(self, exporter: Exporter) -> None:
        pause_s, measured_s, measuring_s = 0.0, 0.0, _MEASURE_S
        while True:
            rest_s, failed = self._attempt(exporter, exporter.turn)
            pause_s = min(max(2 * pause_s, _FIRST_PAUSE_S), _LONGEST_PAUSE_S) if failed else 0.0
            now_s = time.monotonic()
            if now_s - measured_s > measuring_s and not self._stopping.is_set():
                self._attempt(exporter, exporter.measure)
                if exporter.status.failing is not None or rest_s:
                    self._attempt(exporter, exporter.save_status)
                measured_s = time.monotonic()
                measuring_s = max(_MEASURE_S, _MEASURE_SHARE * (measured_s - now_s))
            if self._stopping.is_set() and (rest_s or failed):
                break
            self._stopping.wait(rest_s or pause_s)
        self._attempt(exporter, exporter.measure)
        self._attempt(exporter, exporter.save_status)
        exporter.close()

    @staticmethod
    def _attempt(exporter: Exporter, do: Callable[[], float | None]) -> tuple[float, bool]:
        """Do it; how long to rest then, and whether it failed."""
        name = exporter.destination.name
        try:
            return do() or 0.0, False
        except (LLMOpsError, OSError) as exc:
            if exporter.status.failing is None:
                _log.error("the export %s waits: %s", name, exc)
            exporter.status.failing = str(exc)
        except Exception as exc:  # noqa: BLE001 - a border: whatever it is, the next turn may do better
            _log.exception("the export %s has failed", name)
            exporter.status.failing = f"{type(exc).__name__}: {exc}"
        return 0.0, True
