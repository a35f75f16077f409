"""What judges outputs: one small protocol, and the way it is applied so that a failing scorer is a value.

A scorer is a frozen dataclass with one method. Its fields are its settings; with its class they make its version, so
that two runs can tell whether they were judged alike.
"""

import dataclasses
import hashlib
import math
from collections.abc import Awaitable, Sequence
from inspect import isawaitable
from typing import Any, Protocol, runtime_checkable

import msgspec

from .case import Case
from .output import Failure, Output
from .score import Metric, Score

Judgement = Score | Sequence[Score]


@runtime_checkable
class Scorer(Protocol):
    """Plain or async. Raises nothing for a bad answer: that is a low score. An exception becomes `Score.error`."""

    @property
    def metrics(self) -> Sequence[Metric]:
        """What it measures; each score carries the name of one of them."""
        ...

    def score(self, case: Case, output: Output) -> Judgement | Awaitable[Judgement]: ...


def version_of(scorer: Scorer) -> str:
    """``Name-0123456789ab``: the class, its ``revision`` and its settings. Raise the class's ``revision`` when what it
    computes changes. Fields that do not count for equality (``compare=False``) do not count here."""
    kind = type(scorer)
    fields: dict[str, Any] = {}
    if dataclasses.is_dataclass(scorer):
        compared = (field.name for field in dataclasses.fields(scorer) if field.compare)
        fields = {name: _plain(getattr(scorer, name)) for name in compared}
    told = msgspec.json.encode([kind.__name__, getattr(kind, "revision", 1), fields], order="deterministic")
    return f"{kind.__name__}-{hashlib.sha256(told).hexdigest()[:12]}"


def _plain(value: Any) -> Any:
    own = getattr(value, "version", None)
    if isinstance(own, str):  # what knows its own version is known by it: a judge, which also holds its connection
        return own
    if isinstance(value, Scorer):
        return version_of(value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    try:
        return msgspec.to_builtins(value, order="deterministic", str_keys=True)
    except TypeError:  # a callable, or something that holds one
        return getattr(value, "__qualname__", type(value).__qualname__)


async def judge(scorer: Scorer, case: Case, output: Output) -> list[Score]:
    """The scores of one output, one for each of the scorer's metrics.

    An output that is an error is not shown to the scorer: each metric says so. What the scorer raises, forgets, or says
    as NaN or infinity is an error of that score.
    """
    names = [metric.name for metric in scorer.metrics]
    if output.error is not None and not getattr(scorer, "judges_failures", False):
        return [Score(name=name, error=Failure(code="no_output", message=output.error.message)) for name in names]
    try:
        said = scorer.score(case, output)
        judgement: Judgement = await said if isawaitable(said) else said
    except Exception as exc:  # noqa: BLE001 - the border: a scorer is anybody's code, and its failure is a value
        return [Score.failed(name, exc) for name in names]
    scores = {each.name: each for each in ([judgement] if isinstance(judgement, Score) else judgement)}
    return [_checked(scores.pop(name, None), name) for name in names] + [
        Score(name=name, error=Failure(code="undeclared", message=f"{type(scorer).__name__} does not declare {name!r}"))
        for name in scores
    ]


def _checked(score: Score | None, name: str) -> Score:
    if score is None:
        return Score(name=name, error=Failure(code="missing", message=f"the scorer said nothing of {name!r}"))
    if score.value is not None and not math.isfinite(score.value):
        said = f"{score.value!r} is no figure; None says that nothing could be measured"
        return Score(name=name, error=Failure(code="not_finite", message=said), explanation=score.explanation)
    return score
