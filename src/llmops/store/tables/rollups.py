"""Calls summed up by time."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table

from .base import metadata

#: What is alike in the calls that a rollup sums up. ``view`` is 0 for groups of all calls without their tenants, 1 for
#: tenants as such, and otherwise stands for the tenant whose calls they are; ``id`` is a digest of all the rest.
rollup_groups = Table(
    "rollup_groups",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("view", BigInteger, nullable=False),
    *(Column(name, String(256)) for name in ("tenant", "model", "operation", "release_id")),
    Column("status_class", Integer, nullable=False),
    Column("error_type", String(256)),
)

#: Calls summed up by period (a minute, a quarter of an hour, an hour, a day) and group. ``latency`` and ``ttft`` are
#: histograms (`telemetry.rollups.histogram`).
rollups = Table(
    "rollups",
    metadata,
    *(Column(name, BigInteger, primary_key=True) for name in ("view", "period_s", "starts_at", "group_id")),
    *(
        Column(name, BigInteger, nullable=False)
        for name in (
            *("calls", "cached", "looked_up", "degraded", "retried", "attempts", "json_checked", "json_valid"),
            *("unpriced", "prompt_tokens", "completion_tokens", "cached_tokens", "cost_nanousd", "saved_nanousd"),
            *("latency_us", "ttft_us"),
        )
    ),
    Column("latency", LargeBinary),
    Column("ttft", LargeBinary),
    sqlite_with_rowid=False,
)

#: Moments, in seconds since the epoch: up to when minutes are summed up into hours and days (``folded``), and from when
#: on ``minutes``, ``hours`` and ``calls`` are kept.
rollup_marks = Table(
    "rollup_marks", metadata, Column("name", String(20), primary_key=True), Column("at_s", BigInteger, nullable=False)
)
