"""Service level objectives as they judge: which calls an objective is about, and whether one of them was good.

The same judgement stands behind the counters for Prometheus (`ObjectiveTally`, in each process) and behind what is
computed from the database. How fast a budget burns is not decided here.

An availability objective does not count what the caller did wrong (4xx, a caller who left): it is about what was ours
to answer. A provider that throttles us is ours. Latency, time to first content and quality are about calls that went
well. Probes of the gateway's own are nobody's calls, and nobody waits for a shadow's copies. An objective of cost
judges no call: it adds up money, also that of copies.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from ..name_pattern import name_matcher
from ..types import SHADOW
from .figures import Figures
from .record import CallRecord

Kind = Literal["availability", "latency", "ttft", "cost", "quality"]
DIMENSIONS = ("model", "operation", "release", "tenant")
"""What an objective may be about, and be `per`, in the order of the metrics' labels."""

JSON_VALID = "json_valid"
"""The score that needs nobody to give it: whether an answer fits the JSON that was demanded."""
OWN_TENANT = "llmops"
"""Who pays for probes."""
MAX_GROUPS = 200
_OTHER = "other"
_MAX_KNOWN = 20_000
UPSTREAM_THROTTLED = "upstream_rate_limited"

Group = tuple[str, str, str, str]
"""Values of `DIMENSIONS`; empty where an objective is not `per` one."""


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """``target`` is the share of good events, None for cost; ``limit`` is in the kind's own unit: seconds, US dollars
    a window, or the least score."""

    name: str
    kind: Kind
    target: float | None = None
    limit: float = 0.0
    score: str = JSON_VALID
    window_s: float = 30 * 86_400.0
    per: tuple[str, ...] = ()
    where: Mapping[str, str] = {}
    minimum_events: int = 100
    minimum_bad_events: int = 5
    description: str = ""

    def judge(self, record: CallRecord) -> bool | None:
        """Whether a call was good; None for one that does not count."""
        if record.arm == SHADOW:
            return None
        status = record.status
        if self.kind == "cost":
            return status < 400 or None
        if self.kind == "availability":
            if record.error_type == UPSTREAM_THROTTLED:
                return False
            return None if 400 <= status < 500 else status < 400
        if status >= 400:
            return None
        if self.kind == "latency":
            return record.latency_ms <= self.limit * 1000
        if self.kind == "ttft":
            return None if record.ttft_ms is None else record.ttft_ms <= self.limit * 1000
        return record.json_valid if self.kind == "quality" and self.score == JSON_VALID else None

    def group_of(self, values: Mapping[str, str]) -> Group | None:
        """Whose budget an event of these dimensions counts against; None where the objective is not about it."""
        if values["tenant"] == OWN_TENANT:
            return None
        for name, pattern in self.where.items():
            if not name_matcher(pattern).fullmatch(values[name]):
                return None
        model, operation, release, tenant = (values[each] if each in self.per else "" for each in DIMENSIONS)
        return (model, operation, release, tenant)


class _Account(msgspec.Struct):
    """What has come together for one group of an objective."""

    objective: Objective
    good: int = 0
    bad: int = 0
    cost_nanousd: int = 0


class ObjectiveTally:
    """Counts for Prometheus. One look-up a call where objectives are set, and nothing where none is."""

    def __init__(self, objectives: Iterable[Objective] = ()) -> None:
        self._objectives: tuple[Objective, ...] = ()
        self._accounts: dict[str, dict[Group, _Account]] = {}
        self._known: dict[tuple[str, str, str | None, str], tuple[_Account, ...]] = {}
        self.set_out(objectives)

    def set_out(self, objectives: Iterable[Objective]) -> None:
        """Other objectives from now on; what was counted under a name that stays is kept."""
        self._objectives = tuple(objectives)
        kept = self._accounts
        self._accounts = {}
        for objective in self._objectives:
            before = kept.get(objective.name, {})
            self._accounts[objective.name] = before
            for account in before.values():
                account.objective = objective
            if not objective.per:  # there from the start: Prometheus sees no first step of a counter it has not known
                before.setdefault(("", "", "", ""), _Account(objective))
        self._known.clear()

    def observe(self, record: CallRecord) -> None:
        if not self._objectives:
            return
        key = (record.model, record.operation, record.release_id, record.tenant)
        accounts = self._known.get(key)
        if accounts is None:
            accounts = self._find(key)
        for account in accounts:
            objective = account.objective
            if objective.kind == "cost":
                account.cost_nanousd += record.cost_nanousd or 0
            good = objective.judge(record)
            if good is not None:
                account.good += good
                account.bad += not good

    def score(self, name: str, value: float, *, tenant: str) -> None:
        """A score was given, by a person or a judge. Whose call it was about is not known, but for the tenant."""
        for objective in self._objectives:
            if objective.kind == "quality" and objective.score == name:
                group = objective.group_of({"model": "", "operation": "", "release": "", "tenant": tenant})
                if group is not None:
                    account, good = self._account(objective, group), value >= objective.limit
                    account.good += good
                    account.bad += not good

    def put_into(self, figures: Figures) -> None:
        """Add what was counted, and what the alert rules have to know of each objective."""
        for objective in self._objectives:
            name = objective.name
            for group, account in self._accounts[name].copy().items():
                for verdict, count in (("good", account.good), ("bad", account.bad)):
                    figures.count("llmops_slo_events_total", name, *group, verdict, more=count)
                if objective.kind == "cost":
                    usd = account.cost_nanousd / 1e9
                    figures.count("llmops_slo_cost_usd_total", name, *group, more=usd)
            if objective.target is not None:
                figures.count("llmops_slo_target_ratio", name, more=objective.target)
            else:
                per_s = objective.limit / objective.window_s
                figures.count("llmops_slo_budget_usd_per_second", name, more=per_s)
            figures.count("llmops_slo_minimum_events", name, more=objective.minimum_events)
            bad = objective.minimum_bad_events if objective.target is not None else 0
            figures.count("llmops_slo_minimum_bad_events", name, more=bad)

    def _find(self, key: tuple[str, str, str | None, str]) -> tuple[_Account, ...]:
        model, operation, release, tenant = key
        values = {"model": model, "operation": operation, "release": release or "", "tenant": tenant}
        found = []
        for objective in self._objectives:
            group = objective.group_of(values)
            if group is not None:
                found.append(self._account(objective, group))
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        self._known[key] = accounts = tuple(found)
        return accounts

    def _account(self, objective: Objective, group: Group) -> _Account:
        accounts = self._accounts[objective.name]
        if group not in accounts and len(accounts) >= MAX_GROUPS:
            model, operation, release, tenant = (_OTHER if value else "" for value in group)
            group = (model, operation, release, tenant)
        return accounts.setdefault(group, _Account(objective))
