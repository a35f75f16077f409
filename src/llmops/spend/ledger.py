"""The ledger: a reservation on disk before a call goes upstream, exactly one settlement when it has ended.

It stands where finished calls are handed to the request log, and every call passes there exactly once, however it
ends; that is where the one settlement comes from. The request log's line is the ledger's entry for good. The journal
holds reservations, and lines from the moment they are made until the log has written them; it is begun anew from time
to time with what is still open, and the one before is removed when the log has caught up.

Counters that processes share outlive this one. So the journal hears of a call before they do (`announce`), and keeps
what they have not confirmed when it is begun anew; whoever takes it over tells them.

Not covered: a power cut may take what the operating system has not written yet.
"""

import logging
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from ..clock import Clock
from ..errors import StoreUnavailable
from ..store.counters.counters import Counters, Hold
from ..store.journal import Journal
from ..telemetry.figures import Figure
from ..telemetry.record import Charge, FinishedCall, RefusedRequest, answered
from ..types import Call, Reply, Usage
from .alerts import SoftBudgetAlerts
from .entry import Admitted, Opened, Settling, reserved
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
    call: Call


class _Asked(msgspec.Struct, eq=False, gc=False):
    line: bytes
    is_written: bool


class Ledger:
    """Belongs to one event loop. ``unwritable`` says why reservations cannot be written, while they cannot.

    ``unsettled`` are settlements that shared counters have not confirmed: request id, tokens, nano-dollars.
    """

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
        unsettled: Callable[[], Iterable[tuple[str, int, int]]] | None = None,
    ) -> None:
        self.on_begun: Callable[[], None] | None = None
        """Called when the journal has begun a new file, which is the time for `prepare`."""
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
        self._unsettled = unsettled
        self._retry_s = 0.0
        self._alerts = SoftBudgetAlerts()
        self._open: dict[str, _Open] = {}
        self._asked: dict[str, _Asked] = {}
        """Calls for which shared counters are being asked."""
        self._needed: int | None = None
        """How much the log has to have done with before the journal's old files can go."""
        self._dropped_before = self._dropped_before_old = 0
        """How much the log had dropped when the journal's present file, and the oldest of the old ones, was begun."""

    @property
    def open(self) -> int:
        """Reservations that are not settled yet."""
        return len(self._open)

    def under_way(self, before_s: float) -> list[Call]:
        """The calls with an open reservation that began before that, by the wall clock."""
        return [each.call for each in self._open.values() if each.call.started_at_s < before_s]

    def figures(self) -> list[Figure]:
        """For the metrics."""
        return [Figure("llmops_ledger_open", self.open), Figure("llmops_ledger_unwritten_total", self.unwritten)]

    def announce(self, call: Call, estimate: Estimate) -> None:
        """Write that shared counters are about to be asked for a call: should we die with the question on its way,
        somebody has to give back what they hold. `StoreUnavailable` as for `reserve`, which follows if they let it in;
        `append` follows in any case."""
        if self._enabled and estimate.tokens and call.request_id not in self._asked:
            line = _encode(reserved(call, estimate, asked=True)) + b"\n"
            self._asked[call.request_id] = _Asked(line, self._write_reservation(line))

    def reserve(self, call: Call, hold: Hold, estimate: Estimate) -> None:
        """Write the reservation of a call that is about to be made. `StoreUnavailable` when it cannot be written and
        calls are to be refused then; the hold is given back."""
        line = b""
        if self._enabled and estimate.tokens:
            try:
                if self._asked and call.request_id in self._asked:
                    line = self._admit(call.request_id)
                else:
                    line = _encode(reserved(call, estimate)) + b"\n"
                    self.unwritten += not self._write_reservation(line)
            except BaseException:
                self._counters.settle(hold, 0, 0)
                raise
        self._open[call.request_id] = _Open(hold, estimate, line, call)

    def _admit(self, request_id: str) -> bytes:
        """Write that shared counters have let a call in; returns its lines. It is among those asked for until that is
        written, since the journal may be begun anew on the way."""
        asked, admitted = self._asked[request_id], _encode(Admitted(request_id)) + b"\n"
        try:
            self.unwritten += not self._write_reservation(admitted if asked.is_written else asked.line + admitted)
        finally:
            del self._asked[request_id]
        return asked.line + admitted

    def append(self, ended: FinishedCall | RefusedRequest) -> None:
        """Settle what has ended, if it has a reservation, and hand it to the request log."""
        if type(ended) is FinishedCall:
            opened = self._open.pop(ended.call.request_id, None)
            if opened is not None:
                self._settle(ended, opened)
            elif self._asked:  # they refused it, or its caller has left
                self._asked.pop(ended.call.request_id, None)
        self._log.append(ended)

    def tidy(self) -> None:
        """Remove the journal's old file where the request log has caught up. Called now and then."""
        if self._needed is not None and self._log.written + self._log.dropped >= self._needed:
            if self._log.dropped == self._dropped_before_old:
                self._journal.forget()
            else:  # It holds what the log has lost, for the next start: while we live, others of its calls are open.
                self._journal.keep()
            self._needed = None

    @property
    def is_unprepared(self) -> bool:
        """Whether there is something for `prepare` to do."""
        return self._journal.is_unprepared

    def prepare(self) -> None:
        """Make ready what the next beginning of the journal needs, and let go of what it needs no more. Takes
        milliseconds; called in another thread, and not beside `close`."""
        with suppress(OSError):  # the beginning tries it again, and says so
            self._journal.prepare()
        self._journal.sweep()

    def carry(self, settlements: Iterable[tuple[str, int, int]]) -> None:
        """Write what shared counters are to be told of calls of a process that died: then its journal can go. Raises
        `OSError`."""
        if self._enabled and self._unsettled is not None and (lines := _settling_lines(settlements)):
            self._write(lines)

    def close(self) -> None:
        """After the request log is closed, and shared counters have been told what they could be. What neither of them
        has taken stays in the journal, for the next start."""
        unsettled = self._unsettled is not None and any(True for _ in self._unsettled())
        self._journal.close(keep=bool(self._open or self._log.dropped or self._log.waiting or unsettled))

    def _settle(self, ended: FinishedCall, opened: _Open) -> None:
        hold, estimate = opened.hold, opened.estimate
        saved = 0
        try:
            usage, cost = self._bill(ended, estimate)
            if ended.reply is not None and ended.reply.cached:
                saved = self._saved(ended.call, ended.reply, estimate)
        except Exception:  # noqa: BLE001 - a border: a defect in a price must lose neither a record nor a hold
            _log.exception("call %s cannot be billed and is charged its estimate", ended.call.request_id)
            usage, cost = as_estimated(estimate.prompt_tokens, estimate.completion_tokens), estimate.nanousd
        over: tuple[str, ...] = ()
        if hold.over:
            over = tuple(hold.meters[index].rule for index in hold.over)
            self._alerts.note(hold)
        ended.charge = Charge(
            usage=usage, cost_nanousd=cost, reserved_nanousd=estimate.nanousd, saved_nanousd=saved, over=over
        )
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

    def _saved(self, call: Call, reply: Reply, estimate: Estimate) -> int:
        """What a kept answer would cost today, where it came from; 0 where no price is known."""
        source = reply.cache.deployment if reply.cache is not None else None
        price = self.prices.find(source, call.view.model, call.started_at_s) if source is not None else None
        return price.cost(answered(call, reply, estimate.prompt_tokens)) if price is not None else 0

    def note(self, lines: bytes) -> None:
        """Take lines that the request log is about to write: they settle their calls. Called by the log."""
        if not self._enabled:
            return
        try:
            self._write(lines)
        except OSError as exc:  # they are about to be written anyway; only a crash before would charge the estimate
            self._note_unwritable(exc)

    def _write_reservation(self, line: bytes) -> bool:
        """Whether it could be written; `StoreUnavailable` where calls are to be refused if not."""
        try:
            self._write(line)
        except OSError as exc:
            self._note_unwritable(exc)
            if not self._serve_unwritten:
                raise StoreUnavailable(
                    "the ledger cannot be written, so that this call could not be accounted for; try again later"
                ) from exc
            return False
        self.unwritable = None
        return True

    def _write(self, lines: bytes) -> None:
        if not self._journal.has_room(len(lines)):
            if self._clock.monotonic_s() < self._retry_s:
                raise OSError(self.unwritable)
            self._roll(len(lines))
        self._journal.write(lines)

    def _roll(self, size: int) -> None:
        """Begin the journal anew with what is open, or unknown to shared counters; the old file stays until the log
        has all that it settled."""
        now_s = self._clock.now_s()
        try:
            status = os.stat(self._log.path)
            opened = Opened(at_s=now_s, log_inode=status.st_ino, log_size=status.st_size)
        except FileNotFoundError:
            opened = Opened(at_s=now_s, log_inode=0, log_size=0)
        self.tidy()
        lines = b"".join(
            [
                _encode(opened) + b"\n",
                *(each.line for each in self._asked.values()),
                *(each.line for each in self._open.values()),
                _settling_lines(self._unsettled()) if self._unsettled is not None else b"",
            ]
        )
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
        if self.on_begun is not None:
            self.on_begun()

    def _note_unwritable(self, exc: OSError) -> None:
        if self.unwritable is None:
            _log.error("the ledger's journal cannot be written: %s", exc)
        self.unwritable = str(exc)


def _settling_lines(settlements: Iterable[tuple[str, int, int]]) -> bytes:
    return b"".join(_encode(Settling(*each)) + b"\n" for each in settlements)
