"""The values that the request log is turned into: one `CallRow` per line, and `UsageRow`s that sum them up.

Their fields have the names and the order of the tables' columns.
"""

from collections.abc import Iterable
from hashlib import blake2b

import msgspec

from ...types import SHADOW


class CallRow(msgspec.Struct, frozen=True, gc=False):
    """A row of ``calls``. Without a tenant it was turned away before anybody was known, and is not part of usage."""

    request_id: str
    log_file: int
    day: str
    started_at_ms: int
    tenant: str | None
    key_id: str | None
    user: str | None
    operation: str
    model: str
    requested_model: str | None
    provider: str
    deployment: str | None
    prompt_version: str | None
    release_id: str | None
    status: int
    error_type: str | None
    stream: bool
    cached: bool
    recovered: bool
    latency_ms: float
    ttft_ms: float | None
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    usage_source: str
    cost_nanousd: int | None
    reserved_nanousd: int | None
    tags: str
    cache: str | None
    saved_nanousd: int
    trace_id: str | None
    span_id: str | None
    parent_span_id: str | None
    session: str | None
    attempts: int | None
    finish_reason: str | None
    upstream_model: str | None
    upstream_id: str | None
    degraded: str | None
    timings: str | None
    json_valid: bool | None
    rollout_id: str | None = None
    arm: str | None = None
    probability: float | None = None
    flags: str | None = None


class UsageRow(msgspec.Struct, gc=False):
    """A row of ``usage_days``, or what is to be added to it."""

    day: str
    tenant: str
    group_id: str
    key_id: str | None
    user: str | None
    model: str
    tags: str
    calls: int = 0
    errors: int = 0
    unpriced: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nanousd: int = 0
    cached_calls: int = 0
    saved_nanousd: int = 0


_encode = msgspec.json.Encoder().encode


def group_id(key_id: str | None, user: str | None, model: str, tags: str) -> str:
    """The digest that stands for these four: 128 bits, since users' names are the caller's choice."""
    return blake2b(_encode((key_id, user, model, tags)), digest_size=16).hexdigest()


def summed_up(rows: Iterable[CallRow]) -> list[UsageRow]:
    """What these calls add to usage, in the order of the table's key: two that write at once then wait for each other,
    and never both."""
    sums: dict[tuple[str, str, str | None, str | None, str, str], UsageRow] = {}
    for row in rows:
        tenant = row.tenant
        if tenant is None:
            continue
        group = (row.day, tenant, row.key_id, row.user, row.model, row.tags)
        found = sums.get(group)
        if found is None:
            digest = group_id(row.key_id, row.user, row.model, row.tags)
            found = sums[group] = UsageRow(row.day, tenant, digest, row.key_id, row.user, row.model, row.tags)
        if row.arm != SHADOW:  # a copy is nobody's call, but is paid for
            found.calls += 1
            found.errors += row.error_type is not None
        if row.cost_nanousd is None:
            found.unpriced += 1
        else:
            found.cost_nanousd += row.cost_nanousd
        found.prompt_tokens += row.prompt_tokens
        found.completion_tokens += row.completion_tokens
        if row.cached:
            found.cached_calls += 1
            found.saved_nanousd += row.saved_nanousd
        if row.cached_tokens:
            found.cached_tokens += row.cached_tokens
        if row.cache_write_tokens:
            found.cache_write_tokens += row.cache_write_tokens
        if row.reasoning_tokens:
            found.reasoning_tokens += row.reasoning_tokens
    return sorted(sums.values(), key=lambda sum_: (sum_.day, sum_.tenant, sum_.group_id))
