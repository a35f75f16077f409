"""All rules in force, and from them the meters of a call: worked out once for each kind of caller, then remembered.

Rules come from the configuration and from the database. They are exchanged as a whole, so a call sees the old ones or
the new ones. A shadow's copies are bound by budgets and quotas, since they are paid for, and by no rate or number of
places: those are for callers, whom a copy must not hold up.
"""

from collections.abc import Iterable, Sequence

from ..store.counters.meter import Meter, Quota
from ..types import SHADOW, Call
from .rule import Rule, Subject

_REMEMBERED = 50_000


class Rulebook:
    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self.rules: tuple[Rule, ...] = ()
        self._plans: dict[tuple[str | None, ...], Sequence[Meter]] = {}
        self._by_user = self._by_ip = self._by_tag = False
        self.replace(rules)

    def replace(self, rules: Iterable[Rule]) -> None:
        """Take these rules from now on. Counts go on where a counter keeps its name."""
        self.rules = tuple(rules)
        dimensions = frozenset().union(*(rule.dimensions for rule in self.rules))
        self._by_user = "user" in dimensions
        self._by_ip = "ip" in dimensions
        self._by_tag = any(dimension.startswith("tag:") for dimension in dimensions)
        self._plans = {}

    def meters(self, call: Call) -> Sequence[Meter]:
        """What a call of a known tenant and model must fit into."""
        if not self.rules:
            return ()
        kind: tuple[str | None, ...] = (call.tenant, call.key_id, call.model)
        if self._by_user:
            kind += ("user", _user(call))
        if self._by_ip:
            kind += ("ip", call.client_ip)
        if self._by_tag:
            kind += ("tags", *(part for tag in sorted(call.tags.items()) for part in tag))
        found = self._plans.get(kind)
        if found is None:
            if len(self._plans) >= _REMEMBERED:
                self._plans.clear()
            found = self._plans[kind] = self._work_out(call)
        return found

    def _work_out(self, call: Call) -> Sequence[Meter]:
        subject = Subject(
            tenant=call.tenant,
            key=call.key_id,
            user=_user(call),
            ip=call.client_ip,
            model=call.model or "",
            tags=call.tags,
        )
        meters = [meter for rule in self.rules for meter in rule.meters(subject)]
        return tuple(meters if call.arm != SHADOW else (each for each in meters if isinstance(each, Quota)))


def _user(call: Call) -> str | None:
    """As much of a user's name as records keep: counters and plans outlive the call, and a body may be long."""
    return call.view.user[:256] if call.view.user is not None else None
