"""Deciding: which variant of a flag somebody gets, and why. Pure: the same flag and context give the same answer in
every process, for ever.

A flag is made ready once (`Ready`): conditions become functions, weights thresholds over the buckets of `bucketing`.
Weights are laid one after the other in the order they are written, so that a first one that grows takes units in and
gives none back.
"""

from collections.abc import Mapping
from itertools import accumulate
from typing import Any, Literal, NamedTuple

from ..bucketing import bucket_of, threshold_of
from .condition import Context, Predicate, predicate_of, value_at
from .flag import TARGETING_KEY, Flag

Reason = Literal["STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "DISABLED"]
"""As OpenFeature has them."""


class Decision(NamedTuple):
    value: Any
    variant: str
    reason: Reason
    rule: str = ""
    """The name of the rule that decided."""


class UnitMissing(Exception):
    """A split by an attribute that the context does not have."""

    def __init__(self, flag: str, attribute: str) -> None:
        super().__init__(f"the flag {flag!r} is shared out by {attribute!r}, which the context does not have")
        self.attribute = attribute


class Ready:
    """A flag ready to be asked."""

    def __init__(self, flag: Flag) -> None:
        """`InvalidRequest` for a condition that is none."""
        salt = flag.salt or flag.key
        self.flag = flag
        self.default = Decision(flag.variants[flag.default], flag.default, "DEFAULT" if flag.rules else "STATIC")
        self._disabled = self.default._replace(reason="DISABLED")
        self._rules: list[tuple[Predicate, Decision | _Split]] = []
        for number, rule in enumerate(flag.rules):
            when = predicate_of(rule.when, f"rules[{number}].when")
            if rule.serve is not None:
                decided = Decision(flag.variants[rule.serve], rule.serve, "TARGETING_MATCH", rule.name)
                self._rules.append((when, decided))
            else:
                self._rules.append((when, _Split(flag, rule.split or {}, rule.by or flag.by, salt, rule.name)))
        self._split = _Split(flag, flag.split, flag.by, salt, "") if flag.split is not None else None

    def decide(self, context: Context) -> Decision:
        """`UnitMissing` where there is nothing to share out by."""
        if not self.flag.enabled:
            return self._disabled
        for when, then in self._rules:
            if when(context):
                return then if isinstance(then, Decision) else then.decide(context)
        return self._split.decide(context) if self._split is not None else self.default


class _Split:
    def __init__(self, flag: Flag, weights: Mapping[str, float], by: str, salt: str, rule: str) -> None:
        self._flag = flag.key
        self._salt = salt
        self._by = by
        self._path = (TARGETING_KEY,) if by == TARGETING_KEY else tuple(by.split("."))
        total = sum(weights.values())
        bounds = [threshold_of(each / total) for each in accumulate(weights.values())]
        self._bounds = [
            (bound, Decision(flag.variants[name], name, "SPLIT", rule))
            for name, bound in zip(weights, bounds, strict=True)
        ]

    def decide(self, context: Context) -> Decision:
        unit = value_at(context, self._path)
        if unit is None or unit == "" or isinstance(unit, dict | list):
            raise UnitMissing(self._flag, self._by)
        bucket = bucket_of(self._salt, unit if isinstance(unit, str) else str(unit))
        for bound, decided in self._bounds:
            if bucket < bound:
                return decided
        return self._bounds[-1][1]
