"""What each rule sees now: the way from figures to readings, one function for each kind of rule.

A kind whose source this installation does not have sees nothing, and its alerts, if any are left, end. Methods block.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from ...alert_settings import AlertRuleSettings, Dimension
from ...name_pattern import name_matcher
from .alert import Reading
from .anomaly import HOUR_S, Usual, same_hours, score, since_first, usual
from .signals import Signals, lost_since, worst_breakers
from .sources import Key, MeanScore, Sources, WindowFigures

_NANO = 10**9
_T = TypeVar("_T")
_MOST_BASELINES = 64


class Seeing:
    """Remembers what hours usually cost, since that changes once an hour; belongs to one thread at a time."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._usual: dict[tuple[object, ...], Mapping[Key, Usual]] = {}

    def see(self, rule: AlertRuleSettings, signals: Sequence[Signals], now_s: float) -> list[Reading]:
        """The readings of a rule; raises what its source does."""
        match rule.kind:
            case "latency" | "success_rate":
                return self._calls(rule, now_s)
            case "spend_anomaly":
                return self._spend(rule, now_s)
            case "quality":
                return self._scores(rule, now_s)
            case "budget_used":
                return self._budgets(rule)
            case "slo_burn":
                burns = self._sources.burns() if self._sources.burns is not None else ()
                return [
                    Reading(labels=burn.labels, value=burn.rate, detail=burn.detail, severity=burn.severity)
                    for burn in burns
                ]
            case "drift":
                shifts = self._sources.shifts() if self._sources.shifts is not None else ()
                return [Reading(labels=each.labels, value=each.size, detail=each.detail) for each in shifts]
            case "rollout":
                ended = self._sources.rollouts() if self._sources.rollouts is not None else ()
                return [Reading(labels=each.labels, value=each.size, detail=each.detail) for each in ended]
            case "breaker_open":
                worst = worst_breakers(list(signals))
                return [
                    Reading(labels={"deployment": name}, value=1.0, detail=_BREAKER_WORDS[state])
                    for name, state in sorted(worst.items())
                ]
            case "drops":
                lost = lost_since(list(signals), now_s - rule.window_seconds)
                return [
                    Reading(labels={"what": what}, value=float(count)) for what, count in sorted(lost.items()) if count
                ]

    def _calls(self, rule: AlertRuleSettings, now_s: float) -> list[Reading]:
        if self._sources.calls is None:
            return []
        by = _dimensions(rule)
        found = self._sources.calls.window(now_s - rule.window_seconds, now_s, by)
        sums: dict[Key, WindowFigures] = {}
        for key, figures in _fitting(rule, by, found):
            sums.setdefault(key, WindowFigures()).add(figures)
        readings = []
        for key, figures in sums.items():
            value = None
            if figures.calls >= rule.min_events:
                good = figures.calls - figures.failures
                value = good / figures.calls if rule.kind == "success_rate" else figures.latency_s(rule.quantile)
            readings.append(Reading(labels=_labels(rule, key), value=value, detail=f"{figures.calls} calls"))
        return readings

    def _scores(self, rule: AlertRuleSettings, now_s: float) -> list[Reading]:
        if self._sources.scores is None or rule.score is None:
            return []
        by = _dimensions(rule)
        sums: dict[Key, list[MeanScore]] = {}
        window = self._sources.scores.window(rule.score, now_s - rule.window_seconds, now_s, by)
        for key, mean in _fitting(rule, by, window):
            sums.setdefault(key, []).append(mean)
        readings = []
        for key, means in sums.items():
            count = sum(mean.count for mean in means)
            value = sum(mean.total for mean in means) / count if count >= rule.min_events else None
            labels = {**_labels(rule, key), "score": rule.score}
            readings.append(Reading(labels=labels, value=value, detail=f"{count} scores"))
        return readings

    def _budgets(self, rule: AlertRuleSettings) -> list[Reading]:
        if self._sources.budgets is None:
            return []
        wanted = name_matcher(rule.where.get("tenant", "*"))
        return [
            Reading(labels=use.labels, value=use.share, detail=use.detail)
            for use in self._sources.budgets()
            if "tenant" not in rule.where or wanted.fullmatch(use.labels.get("tenant", ""))
        ]

    def _spend(self, rule: AlertRuleSettings, now_s: float) -> list[Reading]:
        """The hour before, and the one under way as far as it has come: it can only grow."""
        calls = self._sources.calls
        if calls is None:
            return []
        by, hour = _dimensions(rule), int(now_s // HOUR_S)
        spent = self._summed(rule, by, calls.spend([hour - 1, hour], by))
        readings: dict[Key, Reading] = {}
        for which in (hour - 1, hour):
            baseline = self._baseline(rule, which)
            for key, by_hour in spent.items():
                nanousd, ordinary = by_hour.get(which, 0), baseline.get(key, Usual(0.0, 0.0, 0))
                z = score(nanousd, ordinary, min_days=rule.min_days, min_nanousd=rule.min_usd * _NANO)
                before = readings.get(key)
                if before is None or (z is not None and (before.value is None or z > before.value)):
                    detail = f"${nanousd / _NANO:.2f} in an hour that usually costs ${ordinary.median / _NANO:.2f}"
                    readings[key] = Reading(labels=_labels(rule, key), value=z, detail=detail if z else "")
        return list(readings.values())

    def _baseline(self, rule: AlertRuleSettings, hour: int) -> Mapping[Key, Usual]:
        """What this hour of the day has cost on past days. A day before the first with any spend does not count."""
        known = rule.name, hour, rule.baseline_days, tuple(rule.per), tuple(sorted(rule.where.items()))
        if known not in self._usual:
            by, hours = _dimensions(rule), same_hours(hour, rule.baseline_days)
            assert self._sources.calls is not None
            spent = self._summed(rule, by, self._sources.calls.spend(hours, by))
            if len(self._usual) >= _MOST_BASELINES:
                self._usual.clear()
            self._usual[known] = {
                key: usual(since_first(by_hour, hours, min(by_hour, default=None))) for key, by_hour in spent.items()
            }
        return self._usual[known]

    def _summed(
        self, rule: AlertRuleSettings, by: Sequence[Dimension], spent: Mapping[Key, Mapping[int, int]]
    ) -> dict[Key, dict[int, int]]:
        sums: dict[Key, dict[int, int]] = {}
        for key, by_hour in _fitting(rule, by, spent):
            mine = sums.setdefault(key, {})
            for hour, nanousd in by_hour.items():
                mine[hour] = mine.get(hour, 0) + nanousd
        return sums


_BREAKER_WORDS = {
    "open": "too many of its calls fail",
    "half_open": "too many of its calls failed; it is being tried",
    "dead": "the provider refuses the credential",
    "closed": "",
    "cooling": "",
}


def _dimensions(rule: AlertRuleSettings) -> list[Dimension]:
    return [*rule.per, *(name for name in rule.where if name not in rule.per)]


def _fitting(rule: AlertRuleSettings, by: Sequence[Dimension], found: Mapping[Key, _T]) -> Iterable[tuple[Key, _T]]:
    """What the rule is about, by what it tells apart."""
    patterns = {by.index(name): name_matcher(pattern) for name, pattern in rule.where.items()}
    for key, each in found.items():
        if all(pattern.fullmatch(key[index] or "") for index, pattern in patterns.items()):
            yield key[: len(rule.per)], each


def _labels(rule: AlertRuleSettings, key: Key) -> dict[str, str]:
    """What it is about: the pattern where it takes several together."""
    labels: dict[str, str] = {name: pattern for name, pattern in rule.where.items()}
    for name, value in zip(rule.per, key, strict=True):
        labels[name] = value or ""
    return labels
