"""Lines of a request log, and online evals over it without a gateway."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llmops.clock import Clock
from llmops.evals.judge import Judge
from llmops.evals.online.repository import OnlineRepository
from llmops.evals.online.rule import Rule
from llmops.evals.online.watch import OnlineWatch
from llmops.evals.scorers.judges.rubric import Rubric
from llmops.online_settings import OnlineRuleSettings, OnlineSettings
from llmops.spend.usage.log_follower import LogFollower
from llmops.store.database import Database
from llmops.telemetry.assessments.repository.assessments import AssessmentRepository
from llmops.telemetry.export.call_source import CallSource


def line(number: int, at_s: float, *, texts: bool = True, **more: Any) -> bytes:
    asked: dict[str, Any] = {"role": "user", "content_hash": "h", "content_length": 1}
    if texts:
        asked["content"] = f"Question {number}?"
        more.setdefault("output", f"Answer {number}.")
    record = {
        "timestamp": datetime.fromtimestamp(at_s, UTC).isoformat(),
        "request_id": f"r{number}",
        "trace_id": f"{number + 1:032x}",
        "span_id": f"{number + 1:016x}",
        "tenant": "acme",
        "operation": "chat",
        "provider": "mock",
        "model": "mock",
        "latency_ms": 10.0 + number,
        "token_usage": {"prompt": 3, "completion": 4, "total": 7, "cached": 0, "cache_write": 0, "reasoning": 0},
        "finish_reason": "stop",
        "status": 200,
        "messages_masked": [asked],
        **more,
    }
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def append(folder: Path, lines: Sequence[bytes]) -> None:
    with (folder / "gateway.jsonl").open("ab") as log:
        log.writelines(lines)


def judged_rule(judge: Judge, **more: Any) -> Rule:
    given = {"name": "r", "sample": 1.0, "scorers": ["rubric"], "judge": "j", "budget_usd_per_day": 1.0, **more}
    return Rule(OnlineRuleSettings.model_validate(given), [Rubric(judge=judge, criterion="right")])


def watch_over(
    folder: Path, rules: Callable[[], Sequence[Rule]], clock: Clock, **settings: Any
) -> tuple[OnlineWatch, Database, AssessmentRepository]:
    database = Database(f"sqlite:///{folder / 'llmops.db'}")
    database.ensure()
    assessments = AssessmentRepository(database)
    wanted = OnlineSettings.model_validate(settings)
    watch = OnlineWatch(
        lambda: wanted,
        rules,
        lambda: CallSource(LogFollower(folder / "gateway.jsonl"), lambda _lines: []),
        OnlineRepository(database),
        assessments.store,
        lambda: "here",
        clock,
    )
    return watch, database, assessments
