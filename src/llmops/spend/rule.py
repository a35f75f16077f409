"""Limits and budgets as values: whom a rule is about, and the meters it gives to one call.

A rule counts separately for each value of its dimensions. Users and tags are names that a tenant gives, so they are
counted within the tenant. The name of a quota's counter holds no bound, so that raising a budget keeps what was spent;
that of a rate does, since its debt is measured in its own units.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from ..errors import ConfigError
from ..name_pattern import name_matcher
from ..rule_settings import BOUNDS, BudgetSettings, LimitRuleSettings
from ..store.counters.meter import Concurrency, Meter, Quota, Rate, Unit, rate_per_minute, rate_per_second
from ..store.counters.window import Window

Dimension = Literal["tenant", "key", "user", "ip", "model"]
SEPARATOR = "\x1f"
"""Between the parts of a counter's name."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """Whose call it is, as far as rules can tell calls apart."""

    tenant: str
    key: str | None
    user: str | None
    ip: str | None
    model: str
    tags: Mapping[str, str]


class Rule(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One limit or budget. ``per`` and ``where`` decide which counter a call belongs to, if any."""

    id: str
    per: tuple[str, ...]
    where: tuple[tuple[Dimension, re.Pattern[str]], ...]
    settings: LimitRuleSettings | BudgetSettings

    @property
    def dimensions(self) -> frozenset[str]:
        """What of a call this rule looks at."""
        return frozenset((*self.per, *(name for name, _ in self.where)))

    @property
    def has_quota(self) -> bool:
        """Whether something is counted by calendar windows, and so has to be known across restarts."""
        settings = self.settings
        if isinstance(settings, BudgetSettings):
            return True
        return settings.tokens_per_day is not None or settings.tokens_per_month is not None

    def meters(self, subject: Subject) -> list[Meter]:
        """The meters that a call of ``subject`` must fit into; none when the rule is not about it."""
        for dimension, pattern in self.where:
            value = getattr(subject, dimension)
            if value is None or not pattern.fullmatch(value):
                return []
        values = [value_of(subject, dimension) for dimension in self.per]
        if None in values:
            return []
        counter = SEPARATOR.join((self.id, *map(str, values)))
        label = self.settings.name or _description(self.settings)
        if isinstance(self.settings, BudgetSettings):
            return [_budget_meter(self.settings, counter, label)]
        return _limit_meters(self.settings, counter, label)


def value_of(subject: Subject, dimension: str) -> str | None:
    """What distinguishes the counters of a dimension; None when the call has no such thing."""
    if dimension.startswith("tag:"):
        tag = subject.tags.get(dimension[4:])
        return f"{subject.tenant}/{tag}" if tag is not None else None
    if dimension == "user":
        return f"{subject.tenant}/{subject.user}" if subject.user is not None else None
    value: str | None = getattr(subject, dimension)
    return value


def rule_of(settings: LimitRuleSettings | BudgetSettings, rule_id: str) -> Rule:
    """A rule under the name of its counters."""
    where = tuple((dimension, name_matcher(pattern)) for dimension, pattern in sorted(settings.where.items()))
    return Rule(id=rule_id, per=tuple(settings.per), where=where, settings=settings)


def rules_of(limits: Sequence[LimitRuleSettings], budgets: Sequence[BudgetSettings]) -> list[Rule]:
    """The rules of a configuration; `ConfigError` for two that could not be told apart.

    A rule without a name is known by whom and what it bounds, so that moving it in the file changes nothing.
    """
    rules: dict[str, Rule] = {}
    for kind, entries in (("limit", limits), ("budget", budgets)):
        for entry in entries:
            rule = rule_of(entry, f"{kind}:{entry.name or _description(entry)}")
            if rule.id in rules:
                raise ConfigError([f"{kind}s: two are called {rule.id.split(':', 1)[1]!r}; give each its own name"])
            rules[rule.id] = rule
    return list(rules.values())


def usd(nanousd: int) -> str:
    """Money for people: at least cents, and as many more digits as there are."""
    whole, fraction = divmod(abs(nanousd), 10**9)
    digits = f"{fraction:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if nanousd < 0 else ''}${whole}.{digits}"


def _description(entry: LimitRuleSettings | BudgetSettings) -> str:
    if isinstance(entry, BudgetSettings):
        bounds = f"{'hard' if entry.hard else 'soft'} {entry.window}"
    else:
        bounds = " ".join(name for name in BOUNDS if getattr(entry, name) is not None)
    whom = "+".join(entry.per) or "all"
    where = ",".join(f"{name}={pattern}" for name, pattern in sorted(entry.where.items()))
    return f"{bounds} per {whom}" + (f" where {where}" if where else "")


def _budget_meter(settings: BudgetSettings, counter: str, label: str) -> Quota:
    return Quota(
        name=f"{counter}{SEPARATOR}usd/{settings.window}",
        rule=label,
        unit=Unit.NANOUSD,
        limit=int(settings.usd * 10**9),
        window=settings.window,
        hard=settings.hard,
    )


def _limit_meters(settings: LimitRuleSettings, counter: str, label: str) -> list[Meter]:
    meters: list[Meter] = []
    shadow = settings.shadow

    def rate(unit: Unit, parts: tuple[int, int, int], burst: int | None) -> Rate:
        count, period_us, usual = parts
        burst = burst or usual
        name = f"{counter}{SEPARATOR}{unit.name.lower()}/{count}/{period_us}/{burst}"
        return Rate(name=name, rule=label, unit=unit, count=count, period_us=period_us, burst=burst, shadow=shadow)

    def quota(window: Window, limit: int) -> Quota:
        name = f"{counter}{SEPARATOR}tokens/{window}"
        return Quota(name=name, rule=label, unit=Unit.TOKENS, limit=limit, window=window, shadow=shadow)

    if settings.requests_per_second is not None:
        meters.append(rate(Unit.REQUESTS, rate_per_second(settings.requests_per_second), settings.burst))
    if settings.requests_per_minute is not None:
        meters.append(rate(Unit.REQUESTS, rate_per_minute(settings.requests_per_minute), settings.burst))
    if settings.tokens_per_minute is not None:
        meters.append(rate(Unit.TOKENS, rate_per_minute(settings.tokens_per_minute), None))
    if settings.concurrent_calls is not None:
        name = f"{counter}{SEPARATOR}concurrent"
        meters.append(Concurrency(name=name, rule=label, limit=settings.concurrent_calls, shadow=shadow))
    if settings.tokens_per_day is not None:
        meters.append(quota("day", settings.tokens_per_day))
    if settings.tokens_per_month is not None:
        meters.append(quota("month", settings.tokens_per_month))
    return meters
