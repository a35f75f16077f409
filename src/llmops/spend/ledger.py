"""The ledger: a reservation on disk before a call goes upstream, exactly one settlement when it has ended.

It stands where finished calls are handed to the request log, and every call passes there exactly once, however it
ends; that is where the one settlement comes from. The request log's line is the ledger's entry for good. The journal
holds reservations, and lines from the moment they are made until the log has written them; it is begun anew from time
to time with what is still open, and the one before is removed when the log has caught up.

Not covered: a power cut may take what the operating system has not written yet.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from ..clock import Clock
from ..errors import StoreUnavailable
from ..store.counters.counters import Counters, Hold
from ..store.journal import Journal
from ..telemetry.record import Charge, FinishedCall, RefusedRequest
from ..types import Call, Usage
from .alerts import SoftBudgetAlerts
from .entry import Opened, Reserved
from .estimate import Estimate, Prices
from .output_lengths import OutputLengths
from .settlement import as_estimated, used

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
_RETRY_S = 1.0


class Log(Protocol):
    """The request log: takes what has ended, and tells how far it has come."""

    before_write: Callable[[bytes], None] | None

    @property
    def path(self) -> Path: ...
    @property
    def written(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def dropped(self) -> int: ...

    def append(self, ended: FinishedCall | RefusedRequest, /) -> None: ...


class _Open(msgspec.Struct, eq=False, gc=False):
    hold: Hold
    estimate: Estimate
    line: bytes


class Ledger:
    """Belongs to one event loop. ``unwritable`` says why reservations cannot be written, while they cannot."""

    def __init__(
        self,
        log: Log,
        journal: Journal,
        *,
        counters: Counters,
        prices: Prices,
        lengths: OutputLengths,
        clock: Clock,
        enabled: bool = True,
        when_unwritable: Literal["serve", "refuse"] = "serve",
    ) -> None:
        self.unwritable: str | None = None
        self.unwritten = 0
        self._log = log
        self._journal = journal
        self._counters = counters
        self.prices = prices
        self._lengths = lengths
        self._clock = clock
        self._enabled = enabled
        self._serve_unwritten = when_unwritable == "serve"
        self._retry_s = 0.0
        self._alerts = SoftBudgetAlerts()
        self._open: dict[str, _Open] = {}
        self._needed: int | None = None
        """How much the log has to have done with before the journal's old files can go."""
        self._dropped_before = self._dropped_before_old = 0
        """How much the log had dropped when the journal's present file, and the oldest of the old ones, was begun."""

    @property
    def open(self) -> int:
        """Reservations that are not settled yet."""
        return len(self._open)

    def reserve(self, call: Call, hold: Hold, estimate: Estimate) -> None:
        """Write the reservation of a call that is about to be made. `StoreUnavailable` when it cannot be written and
        calls are to be refused then; the hold is given back."""
        line = b""
        if self._enabled and estimate.tokens:
            try:
                line = _encode(_reserved(call, estimate)) + b"\n"
                self._write_reservation(line)
            except BaseException:
                self._counters.settle(hold, 0, 0)
                raise
        self._open[call.request_id] = _Open(hold, estimate, line)

    def append(self, ended: FinishedCall | RefusedRequest) -> None:
        """Settle what has ended, if it has a reservation, and hand it to the request log."""
        if type(ended) is FinishedCall:
            opened = self._open.pop(ended.call.request_id, None)
            if opened is not None:
                self._settle(ended, opened)
        self._log.append(ended)

    def tidy(self) -> None:
        """Remove the journal's old file where the request log has caught up. Called now and then."""
        if self._needed is not None and self._log.written + self._log.dropped >= self._needed:
            if self._log.dropped == self._dropped_before_old:
                self._journal.forget()
            else:  # It holds what the log has lost, for the next start: while we live, others of its calls are open.
                self._journal.keep()
            self._needed = None

    def close(self) -> None:
        """After the request log is closed. What it could not write stays in the journal, for the next start."""
        self._journal.close(keep=bool(self._open or self._log.dropped or self._log.waiting))

    def _settle(self, ended: FinishedCall, opened: _Open) -> None:
        hold, estimate = opened.hold, opened.estimate
        try:
            usage, cost = self._bill(ended, estimate)
        except Exception:  # noqa: BLE001 - a border: a defect in a price must lose neither a record nor a hold
            _log.exception("call %s cannot be billed and is charged its estimate", ended.call.request_id)
            usage, cost = as_estimated(estimate.prompt_tokens, estimate.completion_tokens), estimate.nanousd
        over: tuple[str, ...] = ()
        if hold.over:
            over = tuple(hold.meters[index].rule for index in hold.over)
            self._alerts.note(hold)
        ended.charge = Charge(usage=usage, cost_nanousd=cost, reserved_nanousd=estimate.nanousd, over=over)
        self._counters.settle(hold, usage.total, cost or 0)

    def _bill(self, ended: FinishedCall, estimate: Estimate) -> tuple[Usage, int | None]:
        """What the call used, and what that costs; None where no price is known."""
        call, usage = ended.call, used(ended, estimate)
        if usage.source == "none" or call.deployment is None:
            return usage, 0
        price = self.prices.find(call.deployment, call.view.model, call.started_at_s)
        if usage.source == "provider" and call.model is not None:
            self._lengths.observe(call.model, usage.completion // call.view.choices)
        return usage, price.cost(usage) if price is not None else None

    def note(self, lines: bytes) -> None:
        """Take lines that the request log is about to write: they settle their calls. Called by the log."""
        if not self._enabled:
            return
        try:
            self._write(lines)
        except OSError as exc:  # they are about to be written anyway; only a crash before would charge the estimate
            self._note_unwritable(exc)

    def _write_reservation(self, line: bytes) -> None:
        try:
            self._write(line)
        except OSError as exc:
            self._note_unwritable(exc)
            if not self._serve_unwritten:
                raise StoreUnavailable(
                    "the ledger cannot be written, so that this call could not be accounted for; try again later"
                ) from exc
            self.unwritten += 1
        else:
            self.unwritable = None

    def _write(self, lines: bytes) -> None:
        if not self._journal.has_room(len(lines)):
            if self._clock.monotonic_s() < self._retry_s:
                raise OSError(self.unwritable)
            self._roll(len(lines))
        self._journal.write(lines)

    def _roll(self, size: int) -> None:
        """Begin the journal anew with what is open; the old file stays until the log has all that it settled."""
        now_s = self._clock.now_s()
        try:
            status = os.stat(self._log.path)
            opened = Opened(at_s=now_s, log_inode=status.st_ino, log_size=status.st_size)
        except FileNotFoundError:
            opened = Opened(at_s=now_s, log_inode=0, log_size=0)
        self.tidy()
        lines = _encode(opened) + b"\n" + b"".join(each.line for each in self._open.values())
        try:
            self._journal.begin(lines, size)
        except OSError:
            self._retry_s = self._clock.monotonic_s() + _RETRY_S  # each attempt costs a good part of a millisecond
            raise
        log = self._log
        if self._needed is None:
            self._dropped_before_old = self._dropped_before
        self._dropped_before = log.dropped
        self._needed = log.written + log.dropped + log.waiting

    def _note_unwritable(self, exc: OSError) -> None:
        if self.unwritable is None:
            _log.error("the ledger's journal cannot be written: %s", exc)
        self.unwritable = str(exc)


def _reserved(call: Call, estimate: Estimate) -> Reserved:
    view = call.view
    return Reserved(
        request_id=call.request_id,
        trace_id=call.trace_id,
        span_id=call.span_id,
        at_s=call.started_at_s,
        tenant=call.tenant,
        key_id=call.key_id,
        user=view.user[:256] if view.user else None,
        operation=call.operation,
        model=call.model or "",
        requested_model=view.model[:256],
        tags=call.tags,
        prompt_version=call.prompt_version,
        release_id=call.release_id,
        stream=view.stream,
        prompt_tokens=estimate.prompt_tokens,
        completion_tokens=estimate.completion_tokens,
        nanousd=estimate.nanousd,
    )
