"""A call's deadline: the moment at which its caller no longer waits, and what that leaves for each attempt.

One moment is kept and not a remainder, so that waiting, queueing and earlier attempts are paid out of it without any
bookkeeping. The limits of an attempt (connect, first byte, idle, total) are its deployment's own, cut to what is left.
A caller that works in stages (retrieval, generation, …) names the stage of a call and that stage's own limit; the rest
of the total bounds it anyway. Not covered: the clock of another machine; budgets travel as durations, never as times.
"""

import re
from collections.abc import Mapping
from math import floor
from typing import Self

import msgspec

from ..errors import InvalidRequest
from ..types import Timeouts

LEAST_S = 0.05
"""With less than this left no attempt is begun: its answer could not arrive in time, but would be paid for."""
MAX_S = 3600.0
TIMEOUT = b"x-request-timeout-ms"
GRPC_TIMEOUT = b"grpc-timeout"
STAGE = b"x-llmops-stage"
STAGE_TIMEOUT = b"x-llmops-stage-timeout-ms"
_FIRED_EARLY_S = 0.01

_GRPC = re.compile(rb"([0-9]{1,8})([HMSmun])")
_GRPC_UNITS_S = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_MILLISECONDS = re.compile(rb"[0-9]{1,12}(\.[0-9]{1,6})?")
_STAGE_NAME = re.compile(rb"[a-z][a-z0-9_-]{0,31}")


class Limits(Timeouts, frozen=True, kw_only=True, gc=False):
    """Limits of one attempt in seconds. ``shortened``: its total is the caller's and not the deployment's own."""

    shortened: bool = False

    def ended(self, after_s: float) -> bool:
        """Whether an attempt that timed out after so long was ended by its caller's deadline, which says nothing about
        the deployment, and not by a limit of the deployment's own (a first byte may be due long before)."""
        return self.shortened and after_s >= self.total_s - _FIRED_EARLY_S


class Wish(msgspec.Struct, frozen=True, gc=False):
    """What a caller asks for: a total, and a stage with a limit of its own."""

    total_s: float | None = None
    stage: str | None = None
    stage_s: float | None = None


NO_WISH = Wish()


class Deadline(msgspec.Struct, frozen=True, gc=False):
    """A moment on the clock of ``now_s``. ``stage`` names whose limit it is, None for the call's total."""

    at_s: float
    stage: str | None = None

    @classmethod
    def after(cls, now_s: float, *totals_s: float | None, wish: Wish = NO_WISH) -> Self:
        """The earliest of what is configured (None: nothing) and what the caller asks for; one of them must be there.

        Durations are counted from ``now_s``, which is the call's arrival.
        """
        known = [total for total in (*totals_s, wish.total_s) if total is not None]
        deadline = cls(now_s + min(known))
        if wish.stage_s is None:
            return deadline
        return deadline.within(wish.stage or "stage", wish.stage_s, now_s)

    def within(self, stage: str, limit_s: float, now_s: float) -> Self:
        """The deadline of a stage that begins now: its own limit, or the rest of the whole where that is less."""
        at_s = now_s + limit_s
        return type(self)(at_s, stage) if at_s < self.at_s else self

    def remaining_s(self, now_s: float) -> float:
        return max(self.at_s - now_s, 0.0)

    def is_spent(self, now_s: float) -> bool:
        """Too little is left to begin an attempt."""
        return self.at_s - now_s < LEAST_S

    def limits(self, own: Timeouts, now_s: float) -> Limits | None:
        """A deployment's ``own`` limits, none of them longer than what is left; None where they are already shorter."""
        left_s = self.remaining_s(now_s)
        if left_s >= own.total_s:
            return None
        return Limits(
            connect_s=min(own.connect_s, left_s),
            first_byte_s=min(own.first_byte_s, left_s),
            idle_s=min(own.idle_s, left_s),
            total_s=left_s,
            shortened=True,
        )

    def header(self, now_s: float) -> bytes:
        """What is left, for an upstream that understands ``X-Request-Timeout-Ms``: whole milliseconds, rounded down."""
        return b"%d" % floor(self.remaining_s(now_s) * 1000)

    def shown(self) -> str:
        return f"the time for the stage {self.stage!r}" if self.stage else "the call's time"


def read_wish(headers: Mapping[bytes, bytes]) -> Wish:
    """What the request's headers ask for; `InvalidRequest` where they cannot be meant: not a number, zero or negative,
    more than an hour, a stage without a limit or a limit without a stage. Header names are in lower case.

    Two totals may be there (an own header, and gRPC's); the shorter one counts.
    """
    own, grpc, stage = headers.get(TIMEOUT), headers.get(GRPC_TIMEOUT), headers.get(STAGE)
    limit = headers.get(STAGE_TIMEOUT)
    if own is None and grpc is None and stage is None and limit is None:
        return NO_WISH
    totals = []
    if own is not None:
        totals.append(_milliseconds(TIMEOUT, own))
    if grpc is not None:
        totals.append(_grpc(grpc))
    if stage is not None and not _STAGE_NAME.fullmatch(stage):
        raise _invalid(STAGE, stage, "a word of lower-case letters, digits, _ and -, at most 32 of them")
    if (stage is None) != (limit is None):
        missing = STAGE if stage is None else STAGE_TIMEOUT
        raise InvalidRequest(
            f"a stage needs its name and its limit: {_word(missing)} is missing "
            "(e.g. x-llmops-stage: retrieval and x-llmops-stage-timeout-ms: 2000)",
            param=_word(missing),
        )
    stage_s = None if limit is None else _milliseconds(STAGE_TIMEOUT, limit)
    return Wish(min(totals, default=None), None if stage is None else stage.decode("ascii"), stage_s)


def _milliseconds(header: bytes, value: bytes) -> float:
    if not _MILLISECONDS.fullmatch(value):
        raise _invalid(header, value, "a positive number of milliseconds, e.g. 30000")
    return _bounded(header, value, float(value) / 1000)


def _grpc(value: bytes) -> float:
    found = _GRPC.fullmatch(value)
    if found is None:
        raise _invalid(GRPC_TIMEOUT, value, "at most eight digits and one of the units H, M, S, m, u, n, e.g. 30S")
    return _bounded(GRPC_TIMEOUT, value, int(found[1]) * _GRPC_UNITS_S[found[2]])


def _bounded(header: bytes, value: bytes, seconds: float) -> float:
    if not 0 < seconds <= MAX_S:
        raise _invalid(header, value, f"more than nothing and at most {MAX_S:g} seconds")
    return seconds


def _invalid(header: bytes, value: bytes, right: str) -> InvalidRequest:
    shown = value[:40].decode("latin-1")
    return InvalidRequest(f"the header {_word(header)} is {shown!r}; it must be {right}", param=_word(header))


def _word(header: bytes) -> str:
    return header.decode("ascii")
