"""A database full of calls, as a year of a team's traffic would leave it: many tenants, models and users, of which few
make most of the calls; some fail, some come from the cache; some belong to sessions.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime

from llmops.spend.usage.records import CallRow
from llmops.spend.usage.repository.calls import CallRepository
from llmops.store.database import Database

from .lab import say

BEGIN_MS = 1_795_000_000_000
DAYS = 10
MODELS = 20
_TENANTS, _USERS, _SESSIONS = 50, 2_000, 100_000
_BATCH = 10_000
_DAY_MS = 86_400_000
_TIMINGS = '{"read":0.061,"auth":0.012,"limits":0.034,"cache":0.018,"upstream":%.3f}'
_FAILED = (
    '{"read":0.061,"auth":0.012,"limits":0.034,"cache":0.018,"upstream":%.3f,"failed":[{"deployment":"model-1/1",'
    '"error_type":"upstream_unavailable","status":503,"latency_ms":85.2,"began_ms":0.2}]}'
)


def fill(database: Database, count: int, seed: int = 1) -> None:
    """Store so many calls."""
    repository = CallRepository(database)
    rows: list[CallRow] = []
    for number, row in enumerate(made(count, seed), 1):
        rows.append(row)
        if len(rows) == _BATCH or number == count:
            repository.replace(rows)
            rows = []
        if number % 200_000 == 0:
            say(f"{number:,} calls stored")


def made(count: int, seed: int = 1) -> Iterator[CallRow]:
    luck = random.Random(seed)
    for number in range(count):
        yield _call(luck, number, BEGIN_MS + number * DAYS * _DAY_MS // count)


def trace_id(number: int) -> str:
    """Of the call with that number."""
    return f"{number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}"


def _call(luck: random.Random, number: int, at_ms: int) -> CallRow:
    tenant, model = _few_most(luck, _TENANTS), _few_most(luck, MODELS)
    failed, cached = luck.random() < 0.02, luck.random() < 0.1
    latency_ms = round(luck.lognormvariate(6.5, 0.8), 3)
    prompt, completion = luck.randrange(10, 4000), luck.randrange(1, 900)
    return CallRow(
        request_id=f"req_{luck.getrandbits(128):032x}",
        log_file=1,
        day=datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat(),
        started_at_ms=at_ms,
        tenant=f"tenant-{tenant}",
        key_id=f"key{tenant:09d}",
        user=f"user-{_few_most(luck, _USERS)}",
        operation="chat",
        model=f"model-{model}",
        requested_model=f"model-{model}",
        provider="openai",
        deployment=f"model-{model}/0",
        prompt_version="v12",
        release_id=f"rel-{at_ms // _DAY_MS}",
        status=503 if failed else 200,
        error_type="upstream_unavailable" if failed else None,
        stream=False,
        cached=cached,
        recovered=False,
        latency_ms=latency_ms,
        ttft_ms=None if failed else latency_ms,
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=0,
        cache_write_tokens=0,
        reasoning_tokens=0,
        usage_source="provider",
        cost_nanousd=0 if cached or failed else prompt * 2_500 + completion * 10_000,
        reserved_nanousd=10**7,
        tags='{"feature":"search"}',
        cache="hit" if cached else "miss",
        saved_nanousd=0,
        trace_id=trace_id(number),
        span_id=f"{luck.getrandbits(64):016x}",
        parent_span_id=None,
        session=f"session-{luck.randrange(_SESSIONS)}" if luck.random() < 0.5 else None,
        attempts=1,
        finish_reason=None if failed else "stop",
        upstream_model="m-2026",
        upstream_id=f"chatcmpl-{luck.getrandbits(64):016x}",
        degraded=None,
        timings=(_FAILED if failed else _TIMINGS) % max(latency_ms - 1, 0),
        json_valid=None,
    )


def _few_most(luck: random.Random, count: int) -> int:
    """A number below ``count``; small ones are far more frequent."""
    return int(count * luck.random() ** 4)
