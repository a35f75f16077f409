"""Rows of the table ``rollups``, and the way from and to the sums that they hold."""

from operator import itemgetter
from typing import NamedTuple

from ..histogram import packed
from ..rollup import Rolled, Sums, group_id


class Row(NamedTuple):
    """In the order of the table's columns."""

    view: int
    period_s: int
    starts_at: int
    group_id: int
    calls: int
    cached: int
    looked_up: int
    degraded: int
    retried: int
    attempts: int
    json_checked: int
    json_valid: int
    unpriced: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cost_nanousd: int
    saved_nanousd: int
    latency_us: int
    ttft_us: int
    latency: bytes | None
    ttft: bytes | None


KEY = Row._fields[:4]
COUNTERS = Row._fields[4:-2]


def rows_of(period_s: int, rolled: Rolled) -> list[Row]:
    """Rows in the order of the table's key, each key once."""
    found: dict[tuple[int, int, int], Sums] = {}
    for (starts_at, group), sums in rolled.items():
        key = group.view, starts_at, group_id(group)
        if key in found:  # two groups with one digest; should they come in one batch, the database must not see it
            both = Sums()
            both.add(found[key])
            both.add(sums)
            found[key] = both
        else:
            found[key] = sums
    return [
        row_of(view, period_s, starts_at, group, sums)
        for (view, starts_at, group), sums in sorted(found.items(), key=itemgetter(0))
    ]


def row_of(view: int, period_s: int, starts_at: int, group: int, sums: Sums) -> Row:
    return Row(
        view,
        period_s,
        starts_at,
        group,
        sums.calls,
        sums.cached,
        sums.looked_up,
        sums.degraded,
        sums.retried,
        sums.attempts,
        sums.json_checked,
        sums.json_valid,
        sums.unpriced,
        sums.prompt_tokens,
        sums.completion_tokens,
        sums.cached_tokens,
        sums.cost_nanousd,
        sums.saved_nanousd,
        sums.latency_us,
        sums.ttft_us,
        packed(sums.latency),
        packed(sums.ttft),
    )
