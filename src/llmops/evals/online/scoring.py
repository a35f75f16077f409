"""One judgement: a call through a scorer, and what comes out as assessments of the call's span."""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ...telemetry.assessments.assessment import MAX_COMMENT_CHARS, MAX_LABEL_CHARS, MAX_NAME_CHARS, Assessment
from ..score import Score
from ..scorer import judge
from .counts import Fate
from .rule import Task

_NAMELESS = ("\0", "\N{REPLACEMENT CHARACTER}")


class Judgement(NamedTuple):
    task: Task
    assessments: list[Assessment]
    fate: Fate
    cost_nanousd: int | None
    """None: unknown."""
    failure: str | None


async def judgement(task: Task, *, timeout_s: float, now_s: Callable[[], float], keep_explanations: bool) -> Judgement:
    """Never raises for what a scorer does."""
    try:
        async with asyncio.timeout(timeout_s):
            scores = await judge(task.scorer.scorer, task.call.case, task.call.output)
    except TimeoutError as exc:
        scores = [Score.failed(name, exc) for name in task.scorer.names]
    at_ms = int(now_s() * 1000)
    found = [
        _assessment(task, each, at_ms, keep_explanations) for each in scores if each.value is not None or each.label
    ]
    failures = [each.error for each in scores if each.error is not None]
    fate: Fate = "scored" if found else "failed" if failures else "unmeasured"
    costs = [each.cost_nanousd for each in scores]
    cost = None if costs and costs[0] is None else sum(each or 0 for each in costs)
    said = failures[0].message if failures and failures[0].message else None
    return Judgement(task, found, fate, cost if task.scorer.is_judge else 0, said)


def judgements(
    tasks: Sequence[Task], *, timeout_s: float, now_s: Callable[[], float], keep_explanations: bool
) -> list[Judgement]:
    """Those of code, one after the other, in a thread of their own; blocks."""
    with asyncio.Runner() as runner:
        return [
            runner.run(judgement(task, timeout_s=timeout_s, now_s=now_s, keep_explanations=keep_explanations))
            for task in tasks
        ]


def _assessment(task: Task, score: Score, at_ms: int, keep_explanations: bool) -> Assessment:
    call = task.call
    return Assessment(
        id=task.score_id(score.name),
        tenant=call.tenant,
        target="span",
        trace_id=call.trace_id,
        span_id=call.span_id,
        name=_text(score.name, MAX_NAME_CHARS) or "score",
        value=score.value,
        label=_text(score.label, MAX_LABEL_CHARS),
        comment=_text(score.explanation, MAX_COMMENT_CHARS) if keep_explanations else None,
        source="judge" if task.scorer.is_judge else "code",
        source_id=task.scorer.version[:MAX_LABEL_CHARS],
        run_id=f"online:{task.rule.name}",
        created_at_ms=at_ms,
    )


def _text(value: str | None, most: int) -> str | None:
    """NUL and lone surrogates, which no database stores, become U+FFFD."""
    return value.replace(*_NAMELESS).encode(errors="replace").decode()[:most] if value else None
