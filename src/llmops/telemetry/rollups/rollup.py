"""The values that calls are summed up into: a `Rollup` for each period and `Group` of calls that are alike.

Groups are kept in views, so that a question reads no more than it needs: one of everything without tenants, one of the
tenants as such, and one of each tenant's calls in detail, which holds nobody else's.
"""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple, Protocol

import msgspec

from ...types import SHADOW
from .histogram import ONE, bucket_of

MINUTE_S, QUARTER_S, HOUR_S, DAY_S = 60, 900, 3600, 86_400
"""The periods: quarters are those of hours."""
EVERYTHING, TENANTS = 0, 1
"""Views; a tenant's own is `view_of` it."""
_MAX_US = 10**12
_MAX_MS = _MAX_US / 1000
"""No call takes longer than eleven days, whatever a line says."""
_LOOKED_UP = frozenset({"hit", "shared", "partial", "semantic", "stale", "miss"})
_encode = msgspec.json.Encoder().encode


class RolledCall(Protocol):
    """What is read of a call, in whatever form it is kept."""

    @property
    def started_at_ms(self) -> int: ...
    @property
    def tenant(self) -> str | None: ...
    @property
    def model(self) -> str: ...
    @property
    def operation(self) -> str: ...
    @property
    def release_id(self) -> str | None: ...
    @property
    def arm(self) -> str | None: ...
    @property
    def status(self) -> int: ...
    @property
    def error_type(self) -> str | None: ...
    @property
    def cache(self) -> str | None: ...
    @property
    def cached(self) -> bool: ...
    @property
    def degraded(self) -> str | None: ...
    @property
    def attempts(self) -> int | None: ...
    @property
    def json_valid(self) -> bool | None: ...
    @property
    def latency_ms(self) -> float: ...
    @property
    def ttft_ms(self) -> float | None: ...
    @property
    def prompt_tokens(self) -> int: ...
    @property
    def completion_tokens(self) -> int: ...
    @property
    def cached_tokens(self) -> int: ...
    @property
    def cost_nanousd(self) -> int | None: ...
    @property
    def saved_nanousd(self) -> int: ...


CALL_FIELDS = tuple(name for name, value in vars(RolledCall).items() if isinstance(value, property))


class Group(NamedTuple):
    """What the calls of a rollup have in common; None: nothing known, or not told apart in this view."""

    view: int
    tenant: str | None
    model: str | None
    operation: str | None
    release_id: str | None
    status_class: int
    """The first digit of the HTTP status."""
    error_type: str | None


class Sums(msgspec.Struct, gc=False):
    """What some calls add up to. ``latency`` and ``ttft`` are histograms; ``unpriced`` calls cost nobody knows what."""

    calls: int = 0
    cached: int = 0
    looked_up: int = 0
    """Calls that the cache was asked about; ``cached`` of them it answered."""
    degraded: int = 0
    retried: int = 0
    attempts: int = 0
    json_checked: int = 0
    json_valid: int = 0
    unpriced: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost_nanousd: int = 0
    saved_nanousd: int = 0
    latency_us: int = 0
    ttft_us: int = 0
    latency: int = 0
    ttft: int = 0

    @property
    def is_any(self) -> bool:
        """Whether there is anything: of copies there are tokens and money without calls."""
        return bool(self.calls or self.prompt_tokens or self.completion_tokens or self.cost_nanousd or self.unpriced)

    def add(self, other: "Sums") -> None:
        self.calls += other.calls
        self.cached += other.cached
        self.looked_up += other.looked_up
        self.degraded += other.degraded
        self.retried += other.retried
        self.attempts += other.attempts
        self.json_checked += other.json_checked
        self.json_valid += other.json_valid
        self.unpriced += other.unpriced
        self.prompt_tokens += other.prompt_tokens
        self.completion_tokens += other.completion_tokens
        self.cached_tokens += other.cached_tokens
        self.cost_nanousd += other.cost_nanousd
        self.saved_nanousd += other.saved_nanousd
        self.latency_us += other.latency_us
        self.ttft_us += other.ttft_us
        self.latency += other.latency
        self.ttft += other.ttft

    def count(self, call: RolledCall) -> None:
        """Add one call. This is done for every line of the log. A shadow's copy adds its tokens and its money."""
        self.prompt_tokens += call.prompt_tokens
        self.completion_tokens += call.completion_tokens
        if call.cost_nanousd is None:
            self.unpriced += 1
        else:
            self.cost_nanousd += call.cost_nanousd
        if call.cached_tokens:
            self.cached_tokens += call.cached_tokens
        if call.arm == SHADOW:
            return
        self.calls += 1
        latency_us = _us(call.latency_ms)
        self.latency_us += latency_us
        self.latency += ONE[bucket_of(latency_us)]
        if call.ttft_ms is not None:
            ttft_us = _us(call.ttft_ms)
            self.ttft_us += ttft_us
            self.ttft += ONE[bucket_of(ttft_us)]
        if call.cached or call.cache in _LOOKED_UP:
            self.looked_up += 1
            if call.cached:
                self.cached += 1
                self.saved_nanousd += call.saved_nanousd
        if call.attempts:
            self.attempts += call.attempts
            self.retried += call.attempts > 1
        if call.degraded is not None:
            self.degraded += 1
        if call.json_valid is not None:
            self.json_checked += 1
            self.json_valid += call.json_valid


Rolled = dict[tuple[int, Group], Sums]
"""By when the period starts, in seconds since the epoch, and by group."""


def rolled_up(calls: Iterable[RolledCall]) -> Rolled:
    """Calls by minute and group, in all views."""
    minutes: dict[tuple[object, ...], Sums] = {}
    for call in calls:
        is_copy = call.arm == SHADOW  # whose money is shown among that of the answers, however it ended
        key = (
            call.started_at_ms // 60_000,
            call.tenant,
            call.model,
            call.operation,
            call.release_id,
            2 if is_copy else call.status // 100,
            None if is_copy else call.error_type,
        )
        found = minutes.get(key)
        if found is None:
            found = minutes[key] = Sums()
        found.count(call)
    rolled: Rolled = {}
    for (minute, tenant, *alike), sums in minutes.items():
        starts_at = minute * MINUTE_S  # type: ignore[operator]
        _add(rolled, starts_at, Group(EVERYTHING, None, *alike), sums)  # type: ignore[arg-type]
        _add(rolled, starts_at, Group(TENANTS, tenant, None, None, None, *alike[3:]), sums)  # type: ignore[arg-type]
        if tenant is not None:
            rolled[starts_at, Group(view_of(tenant), tenant, *alike)] = sums  # type: ignore[arg-type]
    return rolled


def coarser(rolled: Rolled, period_s: int) -> Rolled:
    """The same by periods that are longer."""
    found: Rolled = {}
    for (starts_at, group), sums in rolled.items():
        _add(found, starts_at - starts_at % period_s, group, sums)
    return found


def _add(rolled: Rolled, starts_at: int, group: Group, sums: Sums) -> None:
    found = rolled.get((starts_at, group))
    if found is None:
        found = rolled[starts_at, group] = Sums()
    found.add(sums)


def _us(duration_ms: float) -> int:
    return round(duration_ms * 1000) if 0 <= duration_ms <= _MAX_MS else _MAX_US if duration_ms > 0 else 0


@lru_cache(maxsize=10_000)
def view_of(tenant: str) -> int:
    """The view of one tenant's calls."""
    return max(TENANTS + 1, _digest(tenant))


@lru_cache(maxsize=50_000)
def group_id(group: Group) -> int:
    """63 bits that stand for the group. What it is made of are names from the configuration; should two ever meet,
    their figures are shown as one group's."""
    return _digest(group)


def _digest(value: object) -> int:
    return int.from_bytes(blake2b(_encode(value), digest_size=8).digest(), "big") >> 1
