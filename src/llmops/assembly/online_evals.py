"""Online evals and drift beside the calls: rules made ready, the way their judges ask, and where all is kept."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from ..app import Stack
from ..errors import ConfigError, LLMOpsError
from ..evals.config import build_scorers
from ..evals.drift.watch import DriftWatch
from ..evals.judge_model import ModelJudge
from ..evals.online.logged_call import TAG
from ..evals.online.repository import OnlineRepository
from ..evals.online.rule import Rule
from ..evals.online.watch import OnlineWatch
from ..evals.repository.drift import DriftRepository
from ..evals.scorers.registry import Tools, build
from ..online_settings import OnlineRuleSettings
from ..settings import Settings
from ..spend.usage.log_follower import LogFollower
from ..store.database import Database
from ..telemetry.assessments.repository.assessments import AssessmentRepository
from ..telemetry.export.call_source import CallSource
from ..telemetry.export.crew import place_of
from ..telemetry.figures import Figure
from .asking import StackAsk
from .service import Service

_FATES = ("scored", "failed", "unmeasured", "no_texts", "over_budget", "too_old")


class OnlineEvals:
    """Over one stack; ``assessments`` is where scores go, and who counts them."""

    def __init__(self, stack: Stack, database: Database, assessments: AssessmentRepository) -> None:
        self._stack = stack
        self.check(stack.settings)
        self._rules = build_rules(stack.settings, stack)
        log = stack.parts.log.path
        self._watch = OnlineWatch(
            lambda: stack.settings.evals.online,
            lambda: self._rules,
            lambda: CallSource(LogFollower(log), lambda _lines: []),
            OnlineRepository(database),
            assessments.store,
            lambda: place_of(log.parent),
            stack.parts.clock,
        )
        self.drift = DriftRepository(database)
        self._drift = DriftWatch(
            lambda: stack.settings.evals.drift, self.drift, stack.parts.clock, lambda model: StackEmbedder(stack, model)
        )

    @staticmethod
    def check(wanted: Settings) -> None:
        """`ConfigError` for rules that are of no use."""
        build_rules(wanted, None)

    def reload(self) -> None:
        """The stack has other settings."""
        self._rules = build_rules(self._stack.settings, self._stack)

    @property
    def services(self) -> list[Service]:
        """The first follows the log: it stops before the stack, which its judges ask, does."""
        return [
            Service(self._watch.start, self._watch.aclose, self._watch.problems, self._figures),
            Service(self._drift.start, self._drift.aclose, self._drift.problems, self._drift.figures),
        ]

    def _figures(self) -> list[Figure]:
        found = []
        for rule, counts in list(self._watch.counts.items()):
            found += [
                Figure("llmops_online_evals_total", getattr(counts, fate), (rule, fate))
                for fate in _FATES
                if getattr(counts, fate)
            ]
        for rule, nanousd in list(self._watch.spent_nanousd().items()):
            found.append(Figure("llmops_online_evals_spent_usd", nanousd / 1e9, (rule,)))
        if self._rules:
            found.append(Figure("llmops_online_evals_behind_bytes", self._watch.behind_bytes))
        return found


def build_rules(settings: Settings, stack: Stack | None) -> list[Rule]:
    """The rules of these settings; `ConfigError` with all that is wrong. Without a stack only to be checked."""
    problems: list[str] = []
    rules = []
    for number, each in enumerate(settings.evals.online.rules):
        try:
            scorers = build_scorers(list(each.scorers), partial(build, tools=_tools(settings, each, stack)))
            rules.append(Rule(each, scorers))
        except ConfigError as exc:
            problems += [f"evals.online.rules.{number}.{problem}" for problem in exc.problems]
    if problems:
        raise ConfigError(problems)
    return rules


def _tools(settings: Settings, rule: OnlineRuleSettings, stack: Stack | None) -> Tools:
    if rule.judge is None:
        return Tools()
    ask: Any = _nobody
    if stack is not None:
        ask = StackAsk(stack, tenant=settings.evals.online.tenant, tags={TAG: rule.name})
    return Tools(judge=ModelJudge(ask, rule.judge, params=rule.judge_params))


async def _nobody(body: dict[str, Any], *, namespace: str | None) -> Any:
    raise RuntimeError("rules that are only checked ask nobody")


class StackEmbedder:
    """Texts as vectors of a configured model, through the pipeline."""

    def __init__(self, stack: Stack, model: str) -> None:
        self._stack = stack
        self._model = model

    @property
    def version(self) -> str:
        return self._model

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """`LLMOpsError` where the model does not answer, or with something else."""
        settings = self._stack.settings.evals.online
        body = msgspec.json.encode({"model": self._model, "input": list(texts), "encoding_format": "float"})
        call = self._stack.arrive("embeddings", body, tenant=settings.tenant, tags={TAG: "drift"}, may_degrade=False)
        reply = await self._stack.handler(call)
        try:
            data = (await asyncio.to_thread(msgspec.json.decode, reply.body))["data"]
            return [each["embedding"] for each in sorted(data, key=lambda each: each.get("index", 0))]
        except (msgspec.DecodeError, KeyError, TypeError) as exc:
            raise LLMOpsError(f"{self._model!r} answered with no embeddings: {exc}") from exc
