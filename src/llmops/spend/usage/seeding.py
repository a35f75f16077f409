"""What quotas and budgets have been used already, as the database knows it: for counters that begin anew, and to
compare counters with it.

Rules that look at IP addresses are left out: addresses are not stored.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime

import msgspec

from ...store.counters.meter import Quota, Unit
from ...store.counters.window import WINDOWS, Window, starts_of
from ..rule import Rule, Subject
from .repository.sums import TAG, UsageFilter, UsageRepository


def used_quotas(rules: Iterable[Rule], repository: UsageRepository, now_s: float) -> tuple[dict[str, int], list[Quota]]:
    """What is used of each quota in its present window, by meter name, and the quotas: what `Counters.raise_to`
    takes."""
    used: dict[str, int] = {}
    quotas: dict[str, Quota] = {}
    starts = starts_of(now_s)
    read: dict[tuple[tuple[str, ...], date], list[tuple[Subject, int, int]]] = {}  # many rules look at the same sums
    for rule in rules:
        dimensions = sorted(rule.dimensions | {"tenant"})
        if "ip" in dimensions:
            continue
        for window in _windows(rule):
            since = datetime.fromtimestamp(starts[WINDOWS.index(window)], UTC).date()
            key = (tuple(dimensions), since)
            if key not in read:
                read[key] = list(_subjects(dimensions, repository, since))
            for subject, tokens, nanousd in read[key]:
                for meter in rule.meters(subject):
                    if isinstance(meter, Quota) and meter.window == window:
                        amount = tokens if meter.unit is Unit.TOKENS else nanousd
                        used[meter.name] = used.get(meter.name, 0) + amount
                        quotas[meter.name] = meter
    return used, list(quotas.values())


class CounterDifference(msgspec.Struct, frozen=True):
    """A quota that the counters have used otherwise than the database says."""

    meter: str
    rule: str
    stored: int
    counted: int


def counter_differences(
    rules: Iterable[Rule],
    repository: UsageRepository,
    now_s: float,
    counted: Callable[[Sequence[Quota]], Sequence[int]],
) -> list[CounterDifference]:
    """Where ``counted`` (`Counters.used`) and the database differ. Counters hold reservations too: with calls under way
    they are ahead by that much."""
    used, quotas = used_quotas(rules, repository, now_s)
    return [
        CounterDifference(quota.name, quota.rule, used[quota.name], count)
        for quota, count in zip(quotas, counted(quotas), strict=True)
        if count != used[quota.name]
    ]


def _windows(rule: Rule) -> set[Window]:
    anybody = Subject(tenant="", key="", user="", ip="", model="", tags={})
    everywhere = msgspec.structs.replace(rule, per=(), where=())
    return {meter.window for meter in everywhere.meters(anybody) if isinstance(meter, Quota)}


def _subjects(
    dimensions: Sequence[str], repository: UsageRepository, since: date
) -> Iterable[tuple[Subject, int, int]]:
    for values, used in repository.sums(dimensions, UsageFilter(first=since)).items():
        given = dict(zip(dimensions, values, strict=True))
        tags = {name[len(TAG) :]: value for name, value in given.items() if name.startswith(TAG) and value is not None}
        subject = Subject(
            tenant=given["tenant"] or "",
            key=given.get("key"),
            user=given.get("user"),
            ip=None,
            model=given.get("model") or "",
            tags=tags,
        )
        yield subject, used.tokens, used.nanousd
