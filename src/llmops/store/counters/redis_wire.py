"""Operations and answers of ``counters.lua`` in MessagePack: what is sent, in the order in which the script reads it.

Meters are encoded once for each kind of caller, since the rulebook hands out the same sequence again and again.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any

import msgspec

from .counters import Hold, Refused
from .meter import MAX_EXACT, Amounts, Concurrency, Meter, Quota, Rate, Unit, wait_s
from .window import WINDOWS

_REMEMBERED = 50_000
_encoder = msgspec.msgpack.Encoder()
encode = _encoder.encode
WINDOW_INDEX = {window: index + 1 for index, window in enumerate(WINDOWS)}

Op = tuple[Any, ...]


class Do(IntEnum):
    """The script's operations."""

    RESERVE = 1
    SETTLE = 2
    RELEASE = 3
    ADD = 4
    USED = 5
    RAISE = 6
    BEAT = 7
    LEAVE = 8
    MARK = 9


class Answer(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What the script says: Redis' time, whether it holds what the ledger knows, the windows, a result for each
    operation."""

    now_us: int
    marked: int
    windows: tuple[int, int, int, int]
    results: list[Any]


decode_answer = msgspec.msgpack.Decoder(Answer).decode


class OperationFailed(Exception):
    """The script could not carry out one operation; the text is Redis'."""


class Plan(msgspec.Struct, frozen=True, eq=False):
    """A sequence of meters, ready to be sent."""

    meters: Sequence[Meter]
    packed: msgspec.Raw
    settles: bool
    """Whether anything of it is put right or freed when the call ends."""
    hard_budget: bool
    token_quotas: tuple[int, ...]
    """Positions of quotas whose last known use matters once Redis is lost."""


class Plans:
    """Remembers the plan of each sequence, by identity: hashing meters would cost more than encoding them."""

    def __init__(self) -> None:
        self._plans: dict[int, Plan] = {}

    def find(self, meters: Sequence[Meter]) -> Plan:
        plan = self._plans.get(id(meters))
        if plan is None or plan.meters is not meters:
            if len(self._plans) >= _REMEMBERED:
                self._plans.clear()
            plan = self._plans[id(meters)] = plan_of(meters)  # keeps the sequence, and so its id, from being used anew
        return plan


def plan_of(meters: Sequence[Meter]) -> Plan:
    quotas = [(index, meter) for index, meter in enumerate(meters) if isinstance(meter, Quota)]
    return Plan(
        meters=meters,
        packed=msgspec.Raw(encode([_packed(meter) for meter in meters])),
        settles=any(isinstance(meter, Concurrency) or meter.unit is not Unit.REQUESTS for meter in meters),
        hard_budget=any(meter.unit is Unit.NANOUSD and meter.hard and not meter.shadow for _, meter in quotas),
        token_quotas=tuple(index for index, meter in quotas if meter.unit is Unit.TOKENS),
    )


def _packed(meter: Meter) -> Op:
    if isinstance(meter, Rate):
        capacity = min(meter.capacity, MAX_EXACT)
        unit, refuses = int(meter.unit), not meter.shadow
        return 1, meter.name, unit, capacity, refuses, meter.period_us, meter.count, meter.burst
    if isinstance(meter, Quota):
        refuses = meter.hard and not meter.shadow
        return 2, meter.name, int(meter.unit), min(meter.limit, MAX_EXACT), refuses, WINDOW_INDEX[meter.window]
    return 3, meter.name, 0, meter.limit, not meter.shadow


def bounded(amount: int) -> int:
    """An amount that the script can count with; more than any bound is more than any bound."""
    return 0 if amount < 0 else amount if amount < MAX_EXACT else MAX_EXACT


def reserving(request_id: str, plan: Plan, amounts: Amounts, needs_marker: bool) -> Op:
    return Do.RESERVE, request_id, bounded(amounts[1]), bounded(amounts[2]), needs_marker, plan.packed


def settling(request_id: str, tokens: int, nanousd: int) -> Op:
    return Do.SETTLE, request_id, bounded(tokens), bounded(nanousd)


def asking(meters: Sequence[Quota]) -> Op:
    return Do.USED, [(meter.name, WINDOW_INDEX[meter.window]) for meter in meters]


def raising(used: Mapping[str, int], meters: Sequence[Quota]) -> Op:
    wanted = [(meter.name, WINDOW_INDEX[meter.window], bounded(used.get(meter.name, 0))) for meter in meters]
    return Do.RAISE, [entry for entry in wanted if entry[2]]


def failure(result: Any) -> OperationFailed | None:
    """What went wrong with one operation, if anything."""
    if type(result) is list and len(result) == 2 and result[0] == 9 and type(result[1]) is str:
        return OperationFailed(result[1])
    return None


def verdict(answer: Answer, result: list[Any], op: Op, plan: Plan) -> Hold | Refused | None:
    """The outcome of a reservation; None where Redis has no marker, or wanted none of it."""
    amounts = (1, op[2], op[3])
    if result[0] == 0:
        return Hold(
            request_id=op[1],
            meters=plan.meters,
            amounts=amounts,
            windows=answer.windows,
            readings=result[1],
            over=result[2],
            shared=plan.settles,
        )
    if result[0] == 1:
        meter, reading = plan.meters[result[1]], result[2]
        return Refused(meter=meter, reading=reading, wait_s=wait_s(meter, reading, amounts, answer.now_us / 1_000_000))
    return None
