"""Baselines: which run a name stands for, promoted by somebody for a reason, and never changed afterwards.

Each record carries the hash of the figures it was promoted with and of the record before it, so that neither a changed
row nor a changed record goes unnoticed: a gate that finds one says ERROR. Not covered: somebody who can write to the
database can forge a whole new chain; keep the last record's hash elsewhere (it is in every report) against that.
"""

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from .repository.runs import Point
from .score import Direction


class PromotedFigure(msgspec.Struct, frozen=True, kw_only=True):
    """One metric as it was when the run was promoted."""

    mean: float | None
    margin: float | None = None
    """How much worse a later run may be before it is a drop; None: not watched."""
    direction: Direction = "higher"
    is_ratio: bool = False


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """A promotion. ``number`` counts from 1 within a name."""

    name: str
    tenant: str
    number: int
    run_id: str
    dataset: str
    dataset_version: str
    subject: dict[str, str]
    scorers: tuple[str, ...]
    figures: dict[str, PromotedFigure]
    content: str
    """`gate.arm.Arm.content` of the run at that moment."""
    code_revision: str | None
    decision: str | None
    """The gate that let it through, if one did."""
    at_ms: int
    who: str
    reason: str
    before: str
    """The hash of the record before; empty for the first."""
    hash: str = ""

    def sealed(self) -> "Baseline":
        return msgspec.structs.replace(self, hash=self.fingerprint)

    @property
    def fingerprint(self) -> str:
        """What ``hash`` has to be."""
        told = msgspec.structs.replace(self, hash="")
        return hashlib.sha256(msgspec.json.encode(told, order="deterministic")).hexdigest()


class Drop(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of a run that is worse than the promoted baseline's by more than its margin."""

    metric: str
    run_id: str
    value: float
    promoted: float
    margin: float
    loss: float
    code_revision: str | None = None


def chain_problems(records: Sequence[Baseline]) -> list[str]:
    """What is wrong with a name's records, the oldest first: one was changed, taken out or put in."""
    problems, before = [], ""
    for place, each in enumerate(records, 1):
        where = f"baseline {each.name!r}, promotion {each.number}"
        if each.hash != each.fingerprint:
            problems.append(f"{where}: the record was changed after it was written")
        if each.number != place or each.before != before:
            problems.append(f"{where}: it does not follow the record before it")
        before = each.hash
    return problems


def poisoned(record: Baseline, content: str | None) -> list[str]:
    """What is wrong with a record or with its run as it is now (``content``; None: it is not there)."""
    where = f"baseline {record.name!r}, promotion {record.number}"
    problems = [f"{where}: the record was changed after it was written"] if record.hash != record.fingerprint else []
    if content is None:
        problems.append(f"{where}: its run {record.run_id!r} is gone")
    elif content != record.content:
        problems.append(f"{where}: results of its run {record.run_id!r} were changed after it was promoted")
    return problems


def drops(record: Baseline, points: Mapping[str, Point]) -> list[Drop]:
    """Metrics of one run that fell beyond their margin. ``points`` are by metric; other datasets' say nothing."""
    found = []
    for name, promoted in record.figures.items():
        point = points.get(name)
        if point is None or promoted.mean is None or promoted.margin is None or point.figure.mean is None:
            continue
        if point.dataset_version != record.dataset_version:
            continue
        value = point.figure.mean
        sign = 1 if promoted.direction == "higher" else -1
        loss = sign * (promoted.mean - value)
        if promoted.is_ratio:
            loss = loss / promoted.mean if promoted.mean else 0.0
        if loss > promoted.margin:
            found.append(
                Drop(
                    metric=name,
                    run_id=point.run_id,
                    value=value,
                    promoted=promoted.mean,
                    margin=promoted.margin,
                    loss=loss,
                    code_revision=point.code_revision,
                )
            )
    return found
