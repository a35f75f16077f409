"""``python -m llmops.telemetry.traces.writer_process``: the writer in a process of its own, beside the gateway.

To make rows of spans takes as much processor time as the calls themselves: in the gateway's process every call would
wait for it. The gateway writes `Orders` to its input, and others later, and leaves that open: when it ends, so does the
writer. `Report` goes the other way. In order of urgency: store spans, index texts, remove what is too old.
"""

import gc
import logging
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from ...errors import LLMOpsError
from ...store.database import Database
from ..assessments.repository.assessments import AssessmentRepository
from .ear import Ear
from .report import Orders, Report
from .repository.spans import SpanRepository
from .repository.texts import TextIndex
from .repository.upkeep import Upkeep, UpkeepRules
from .writer import Writer

_log = logging.getLogger(__name__)
NOT_MINE = 3
"""Exit status: another process writes what is in this spool."""
_STEP_BYTES = 8_000_000
_TEXTS = 200
_POLL_S = 0.1
_LONGEST_PAUSE_S = 5.0
_UPKEEP_S = 60.0
_IDLE_S = 2.0
"""How often it is looked whether others have brought something to do."""
_REPORT_S = 0.5
_SCAN_SHARE = 50
_LAST_S = 2.0
_NICE = 5


class WriterProcess:
    """One turn after another until its input ends."""

    def __init__(self, orders: Orders, database: Database) -> None:
        self.writer = Writer(Path(orders.folder), SpanRepository(database), judgements=AssessmentRepository(database))
        self._texts = TextIndex(database)
        self._upkeep = Upkeep(database, _rules(orders))
        self._obey(orders)
        self._texts_s = self._scan_s = 0.0
        """When each is due again, as `_upkeep_s`."""
        self._rested_s = 0.0
        """When it may be looked again how much waits."""
        self._reported_s = -_LAST_S
        self._failing: str | None = None
        self._last = b""
        self._waiting = self._unindexed = 0

    def run(self, gateway: Ear) -> None:
        """Until the gateway ends; then what the spool still holds, for a moment."""
        pause_s = 0.0
        while not gateway.ended:
            line = gateway.hear(pause_s)
            if line is not None:
                self._obey(msgspec.json.decode(line, type=Orders))
            pause_s = self._turn(pause_s)
        deadline_s = time.monotonic() + _LAST_S
        while time.monotonic() < deadline_s and self._turn(_LONGEST_PAUSE_S) == 0.0:
            pass
        self._report()
        with suppress(LLMOpsError, OSError):
            self.writer.tidy(time.time())

    def _obey(self, orders: Orders) -> None:
        mask_after = orders.mask_after_days
        self.writer.mask_after_s = mask_after * 86_400 if mask_after is not None else None
        self.writer.is_durable = orders.is_durable
        self._upkeep.rules = _rules(orders)
        self._upkeep_s = 0.0

    def _turn(self, pause_s: float) -> float:
        """Do the most urgent thing; returns how long to rest."""
        try:
            busy = self._work()
        except (LLMOpsError, OSError) as exc:
            pause_s = self._fail(str(exc), pause_s)
        except Exception as exc:  # noqa: BLE001 - a border: whatever it is, the next turn may do better
            _log.exception("spans cannot be stored")
            pause_s = self._fail(f"{type(exc).__name__}: {exc}", pause_s)
        else:
            if self._failing is not None:
                _log.warning("spans are stored again")
            self._failing = None
            pause_s = 0.0 if busy else _POLL_S
        if pause_s or time.monotonic() - self._reported_s > _REPORT_S:
            self._report()
        return pause_s

    def _work(self) -> bool:
        if self.writer.step(_STEP_BYTES, time.time()):
            self._texts_s = self._scan_s = 0.0
            return True
        self.writer.tidy(time.time())
        now_s = time.monotonic()
        if now_s >= self._texts_s:
            if self._texts.index_some(_TEXTS):
                self._scan_s = 0.0
                return True
            self._texts_s = now_s + _IDLE_S
        if now_s >= self._upkeep_s:
            if self._upkeep.step(time.time()):
                return True
            self._upkeep_s = now_s + _UPKEEP_S
        return False

    def _fail(self, reason: str, pause_s: float) -> float:
        if self._failing is None:
            _log.error("spans cannot be stored, the spool keeps them meanwhile: %s", reason)
        self._failing = reason
        return min(_LONGEST_PAUSE_S, max(2 * pause_s, _POLL_S))

    def _report(self) -> None:
        self._reported_s = now_s = time.monotonic()
        if now_s >= max(self._scan_s, self._rested_s):
            self._scan(now_s)
        report = Report(
            files=self.writer.changed(),
            waiting=self._waiting,
            unindexed=self._unindexed,
            removed=self._upkeep.removed,
            failing=self._failing,
            notices=self.writer.notices,
        )
        line = msgspec.json.encode(report)
        if line != self._last or report.files:
            self._last = line
            os.write(sys.stdout.fileno(), line + b"\n")

    def _scan(self, now_s: float) -> None:
        """What waits is counted by looking, so it is looked for rarely where there is much, or nothing happens."""
        self._waiting = self.writer.waiting()
        try:
            self._unindexed = self._texts.unindexed
        except LLMOpsError as exc:
            self._failing = self._failing or str(exc)
        done_s = time.monotonic()
        self._scan_s = done_s + _IDLE_S
        self._rested_s = done_s + _SCAN_SHARE * (done_s - now_s)


def main() -> int:
    """Exit status: 0 when the gateway has ended, `NOT_MINE` where another process does the work."""
    from .. import operator_log

    operator_log.configure()
    os.nice(_NICE)  # calls first
    gateway = Ear(sys.stdin.fileno())
    orders = msgspec.json.decode(gateway.hear(None) or b"", type=Orders)
    database = Database(orders.database_url)
    process = WriterProcess(orders, database)
    if not process.writer.owner:
        return NOT_MINE
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)  # spans die by reference counting
    try:
        process.run(gateway)
    except (BrokenPipeError, KeyboardInterrupt):
        pass
    finally:
        process.writer.close()
        database.close()
    return 0


def _rules(orders: Orders) -> UpkeepRules:
    return UpkeepRules(
        retention_days=orders.retention_days, max_bytes=orders.max_bytes, mask_after_days=orders.mask_after_days
    )


if __name__ == "__main__":
    raise SystemExit(main())
