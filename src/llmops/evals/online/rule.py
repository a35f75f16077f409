"""A rule made ready: which calls it is about, which of them are in its sample, and what judges them.

A trace's place in the sample is a hash of its id: the same on every machine and at every restart, and the same for all
rules, so that a sample of one in ten is part of a sample of one in two.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from re import Pattern

import msgspec

from ...name_pattern import name_matcher
from ...online_settings import OnlineRuleSettings
from ...telemetry.assessments.assessment import derived_id
from ..scorer import Scorer, version_of
from ..scorers.judged import Judged
from ..scorers.refusal import Refusal
from ..scorers.registry import SCORERS
from .logged_call import LoggedCall

_FIGURES = tuple(entry.kind for entry in SCORERS.values() if entry.family == "call")


class OnlineScorer:
    """A scorer with what a rule has to know of it."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self.version = version_of(scorer)
        self.names = tuple(metric.name for metric in scorer.metrics)
        self.is_judge = isinstance(scorer, Judged) or hasattr(scorer, "members")

    def can_judge(self, call: LoggedCall) -> bool:
        """Whether the call is known well enough. Time, tokens, money and a provider's own word that the model refused
        need no texts; a call that failed has no answer to be judged."""
        if call.output.error is not None and not getattr(self.scorer, "judges_failures", False):
            return False
        if call.has_texts or isinstance(self.scorer, _FIGURES):
            return True
        return isinstance(self.scorer, Refusal) and call.output.finish_reason is not None


class Rule:
    def __init__(self, settings: OnlineRuleSettings, scorers: Sequence[Scorer]) -> None:
        self.settings = settings
        self.name = settings.name
        self.scorers = [OnlineScorer(each) for each in scorers]

    @property
    def budget_nanousd(self) -> int | None:
        usd = self.settings.budget_usd_per_day
        return None if usd is None else round(usd * 1e9)

    def wants(self, call: LoggedCall) -> bool:
        values: Mapping[str, str | None] = {
            "tenant": call.tenant,
            "model": call.model,
            "release": call.release,
            "operation": call.operation,
        }
        fits = all(pattern.fullmatch(values[name] or "") for name, pattern in self._patterns.items())
        return fits and is_sampled(call.trace_id, self.settings.sample)

    @cached_property
    def _patterns(self) -> dict[str, Pattern[str]]:
        return {name: name_matcher(pattern) for name, pattern in self.settings.where.items()}


class Task(msgspec.Struct, frozen=True):
    """One call to be judged by one scorer of one rule."""

    rule: Rule
    scorer: OnlineScorer
    call: LoggedCall

    @property
    def id(self) -> str:
        """The same for the same judgement, so that it is stored once however often it is made."""
        return self.score_id("")

    def score_id(self, name: str) -> str:
        return derived_id("online", self.rule.name, self.scorer.version, self.call.span_id, name)


def is_sampled(trace_id: str, share: float) -> bool:
    place = int.from_bytes(blake2b(trace_id.encode(), digest_size=8).digest(), "big")
    return place < share * 2**64
