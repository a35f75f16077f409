"""A judge held against people: how far they agree, how steady it is, and what its rates are worth.

A calibration holds for one version of a scorer (judge, prompts, settings). It stands up if enough of both answers were
labelled and kappa's lower bound is high enough; agreement alone would not do: where 95 % is one answer, a judge that
always gives it agrees in 95 %. Scores that are no yes or no are cut at ``pass_at`` for kappa and rates.
"""

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from ..errors import ConfigError
from ..statistics.agreement import kappa, self_consistency
from ..statistics.proportion import Corrected, Counted, rogan_gladen, wilson

_RESAMPLES = 1_000


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge has to reach, to be more than an adviser."""

    least_of_each: int = 20
    """Labels of either answer; fewer say too little of sensitivity or specificity."""
    least_kappa_lower: float = 0.4
    """95 % lower bound. 0.4 to 0.6 is called moderate agreement (Landis, Koch 1977)."""
    least_consistency: float = 0.9
    """With itself, where it was asked again."""


class Rated(NamedTuple):
    """One output, as a person and the judge saw it; ``reruns``: what the judge said of it when asked again."""

    human: float
    judge: float
    reruns: tuple[float, ...] = ()


class Share(msgspec.Struct, frozen=True):
    count: int
    n: int
    low: float
    high: float

    @classmethod
    def of(cls, count: int, n: int) -> "Share":
        low, high = wilson(count, n)
        return cls(count, n, low, high)

    @property
    def value(self) -> float | None:
        return self.count / self.n if self.n else None


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a judge. ``problems`` is empty if it stands up."""

    scorer_version: str
    metric: str
    judge: str
    """`Judge.version`."""
    n: int
    pass_at: float
    base_rate: Share
    """How often people said yes: kappa means little without it."""
    agreement: Share
    kappa: float | None
    """None: people or judge gave one answer only, and chance explains everything."""
    kappa_low: float | None
    kappa_high: float | None
    sensitivity: Share
    specificity: Share
    consistency: float | None = None
    """How often two of its own answers about the same are alike; None: it was not asked again."""
    problems: tuple[str, ...] = ()
    at_ms: int = 0

    def holds_for(self, scorer_version: str) -> bool:
        return not self.problems and scorer_version == self.scorer_version

    def corrected(self, yes: int, n: int, alpha: float = 0.05) -> Corrected | None:
        """The rate that people would have found where the judge said yes ``yes`` times of ``n``, with an interval that
        carries what is not known of the judge (Rogan, Gladen 1978). None: the judge knows too little for that."""
        try:
            return rogan_gladen(
                Counted(yes, n),
                Counted(self.sensitivity.count, self.sensitivity.n),
                Counted(self.specificity.count, self.specificity.n),
                alpha,
            )
        except ValueError:
            return None


def calibrate(
    ratings: Iterable[Rated],
    *,
    scorer_version: str,
    metric: str,
    judge: str,
    pass_at: float = 0.5,
    bar: Bar | None = None,
    at_ms: int = 0,
    seed: int = 0,
) -> Calibration:
    """What the labels say of the judge. `ValueError` without any."""
    rows, bar = list(ratings), bar or Bar()
    if not rows:
        raise ValueError("ratings: none; a judge is calibrated with outputs that people have judged")
    pairs = [(row.human >= pass_at, row.judge >= pass_at) for row in rows]
    yes = sum(human for human, _ in pairs)
    known = _kappa(pairs)
    low, high = _kappa_interval(pairs, seed) if known is not None else (None, None)
    reruns = [[value >= pass_at for value in (row.judge, *row.reruns)] for row in rows if row.reruns]
    found = Calibration(
        scorer_version=scorer_version,
        metric=metric,
        judge=judge,
        n=len(rows),
        pass_at=pass_at,
        base_rate=Share.of(yes, len(rows)),
        agreement=Share.of(sum(human == said for human, said in pairs), len(rows)),
        kappa=known,
        kappa_low=low,
        kappa_high=high,
        sensitivity=Share.of(sum(human and said for human, said in pairs), yes),
        specificity=Share.of(sum(not human and not said for human, said in pairs), len(rows) - yes),
        consistency=self_consistency(reruns) if reruns else None,
        at_ms=at_ms,
    )
    return msgspec.structs.replace(found, problems=tuple(_problems(found, bar)))


def _problems(found: Calibration, bar: Bar) -> list[str]:
    problems = []
    rarer = min(found.sensitivity.n, found.specificity.n)
    if rarer < bar.least_of_each:
        problems.append(f"{rarer} labels of the rarer answer; at least {bar.least_of_each} are needed")
    if found.kappa is None or found.kappa_low is None:
        problems.append("there is one answer only, so that agreement beyond chance cannot be told")
    elif found.kappa_low < bar.least_kappa_lower:
        problems.append(
            f"kappa {found.kappa:.2f} may be {found.kappa_low:.2f}; at least {bar.least_kappa_lower:.2f} is needed"
        )
    if found.consistency is not None and found.consistency < bar.least_consistency:
        problems.append(
            f"it agrees with itself in {found.consistency:.0%}; at least {bar.least_consistency:.0%} is needed"
        )
    return problems


def _kappa(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    return kappa([human for human, _ in pairs], [said for _, said in pairs])


def _kappa_interval(pairs: Sequence[tuple[bool, bool]], seed: int) -> tuple[float, float]:
    """95 %, percentile bootstrap over outputs. A resample of one answer only has no kappa and counts as none (0)."""
    draw = random.Random(seed)
    values = sorted(_kappa(draw.choices(pairs, k=len(pairs))) or 0.0 for _ in range(_RESAMPLES))
    return values[int(0.025 * _RESAMPLES)], values[int(0.975 * _RESAMPLES) - 1]


class CalibrationFile:
    """One JSON line each; the last one of a scorer's version counts. It belongs beside the datasets, under version
    control: it is what makes a judge's word count."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, calibration: Calibration) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(msgspec.json.encode(calibration) + b"\n")

    def of(self, scorer_version: str) -> Calibration | None:
        """`ConfigError` names a line that is no calibration."""
        found = None
        if not self.path.exists():
            return None
        for number, line in enumerate(self.path.read_bytes().splitlines(), 1):
            if not line.strip():
                continue
            try:
                each = msgspec.json.decode(line, type=Calibration)
            except msgspec.DecodeError as exc:
                raise ConfigError([f"line {number}: {exc}"], source=str(self.path)) from exc
            if each.scorer_version == scorer_version:
                found = each
        return found
