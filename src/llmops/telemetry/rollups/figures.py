"""What is shown of some calls: rates, means and quantiles from their sums.

Latency and time to first token are those of calls that were answered, so that refusals, which take no time, do not make
a bad day look fast. Where figures are told apart by status or error they are those of all the group's calls.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ...errors import InvalidRequest
from .histogram import quantiles_us, total
from .rollup import EVERYTHING, TENANTS, Group, Sums, view_of

DIMENSIONS = ("model", "tenant", "operation", "release", "status", "error")
_SHARES = (0.5, 0.95, 0.99)
_NANO = 1_000_000_000
_Values = tuple[str | None, ...]


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Whose calls count; None: everybody's."""

    tenant: str | None = None
    model: str | None = None
    operation: str | None = None
    release: str | None = None
    nothing: bool = False
    """Nobody's calls count."""

    def takes(self, group: Group) -> bool:
        return (
            not self.nothing
            and (self.tenant is None or group.tenant == self.tenant)
            and (self.model is None or group.model == self.model)
            and (self.operation is None or group.operation == self.operation)
            and (self.release is None or group.release_id == self.release)
        )

    def view(self, by: Sequence[str]) -> int:
        """The view that tells these dimensions apart; `InvalidRequest` where none does."""
        if self.tenant is not None:
            return view_of(self.tenant)
        if "tenant" not in by:
            return EVERYTHING
        if {"model", "operation", "release"} & {*by} or (self.model, self.operation, self.release) != (None,) * 3:
            raise InvalidRequest(
                "all tenants are told apart by status and error only; name one `tenant` for its models, operations "
                "and releases",
                param="by",
            )
        return TENANTS


class Figures(msgspec.Struct, gc=False):
    """Sums of all calls, of those that were answered, and errors by class."""

    every: Sums = msgspec.field(default_factory=Sums)
    answered: Sums = msgspec.field(default_factory=Sums)
    errors: dict[str, int] = {}

    def add(self, group: Group, sums: Sums) -> None:
        self.every.add(sums)
        if group.error_type is None:
            self.answered.add(sums)
        else:
            self.errors[group.error_type] = self.errors.get(group.error_type, 0) + sums.calls

    def shown(self, *, of_all: bool = False) -> dict[str, Any]:
        """For programs. Rates are None where there is nothing to be divided by; ``of_all``: durations of all calls."""
        every, timed = self.every, self.every if of_all else self.answered
        latency, ttft = quantiles_us(timed.latency, _SHARES), quantiles_us(timed.ttft, _SHARES)
        return {
            "calls": every.calls,
            "errors": every.calls - self.answered.calls,
            "errors_by_type": dict(sorted(self.errors.items(), key=lambda each: (-each[1], each[0]))),
            "success_rate": _rate(self.answered.calls, every.calls),
            "latency_ms": _durations(timed.latency_us, timed.calls, latency),
            "ttft_ms": _durations(timed.ttft_us, total(timed.ttft), ttft),
            "tokens": every.prompt_tokens + every.completion_tokens,
            "prompt_tokens": every.prompt_tokens,
            "completion_tokens": every.completion_tokens,
            "cached_tokens": every.cached_tokens,
            "usd": _usd(every.cost_nanousd),
            "nanousd": every.cost_nanousd,
            "unpriced_calls": every.unpriced,
            "saved_usd": _usd(every.saved_nanousd),
            "saved_nanousd": every.saved_nanousd,
            "cached_calls": every.cached,
            "cache_hit_rate": _rate(every.cached, every.looked_up),
            "json_checked": every.json_checked,
            "json_success_rate": _rate(every.json_valid, every.json_checked),
            "degraded_calls": every.degraded,
            "retried_calls": every.retried,
            "attempts": every.attempts,
        }


def dimensions_of(text: str) -> list[str]:
    """``model,status`` as a list; `InvalidRequest` for what figures are not told apart by."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in DIMENSIONS:
            raise InvalidRequest(f"figures are told apart by {', '.join(DIMENSIONS)}; not by {name[:80]!r}", param="by")
    if len(set(names)) != len(names):
        raise InvalidRequest(f"by names each thing once; not {text[:80]!r}", param="by")
    return names


def values_of(group: Group, by: Sequence[str]) -> _Values:
    """What a group is by these dimensions."""
    return tuple(_value(group, name) for name in by)


def together(sums: Iterable[tuple[Group, Sums]], by: Sequence[str], wanted: Filter) -> Mapping[_Values, Figures]:
    """Figures by the values of these dimensions."""
    found: dict[_Values, Figures] = {}
    for group, each in sums:
        if wanted.takes(group):
            found.setdefault(values_of(group, by), Figures()).add(group, each)
    return found


def _value(group: Group, name: str) -> str | None:
    if name == "status":
        return f"{group.status_class}xx"
    if name == "release":
        return group.release_id
    if name == "error":
        return group.error_type
    value: str | None = getattr(group, name)
    return value


def _durations(sum_us: int, count: int, quantiles: Sequence[float | None]) -> dict[str, float | None]:
    mean = round(sum_us / count / 1000, 3) if count else None
    shown = [round(each / 1000, 3) if each is not None else None for each in quantiles]
    return {"mean": mean, "p50": shown[0], "p95": shown[1], "p99": shown[2]}


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def _usd(nanousd: int) -> str:
    """Exact: a decimal text."""
    whole, fraction = divmod(nanousd, _NANO)
    return f"{whole}.{fraction:09d}".rstrip("0").rstrip(".") if fraction else str(whole)
