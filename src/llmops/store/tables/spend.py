"""Calls as the request logs tell of them, what they used, and what bounds it."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    Uuid,
    text,
)

from .base import metadata


def _where_given(column: str, *columns: str) -> Index:
    """An index over the calls that have something there."""
    condition = text(f'"{column}" IS NOT NULL')
    return Index(f"ix_calls_{column}", *columns, sqlite_where=condition, postgresql_where=condition)


#: One row for every line of the request logs. ``tenant`` is NULL where a request was turned away before anybody was
#: known; ``cost_nanousd`` is NULL where no price is known. ``tags`` is a JSON object with its names in order;
#: ``timings`` has the form of `telemetry.spans.call_timings.CallTimings`: a call's spans are derived from its row.
#: ``flags`` is a JSON object of those that the call was made under.
calls = Table(
    "calls",
    metadata,
    Column("request_id", String(64), primary_key=True),
    Column("log_file", BigInteger, nullable=False),
    Column("day", Date, nullable=False),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("tenant", String(256)),
    Column("key_id", String(256)),
    Column("user", String(256)),
    Column("operation", String(256), nullable=False),
    Column("model", String(256), nullable=False),
    Column("requested_model", String(256)),
    Column("provider", String(256), nullable=False),
    Column("deployment", String(256)),
    Column("prompt_version", String(256)),
    Column("release_id", String(256)),
    Column("status", Integer, nullable=False),
    Column("error_type", String(256)),
    Column("stream", Boolean, nullable=False),
    Column("cached", Boolean, nullable=False),
    Column("recovered", Boolean, nullable=False),
    Column("latency_ms", Float, nullable=False),
    Column("ttft_ms", Float),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("cache_write_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("usage_source", String(256), nullable=False),
    Column("cost_nanousd", BigInteger),
    Column("reserved_nanousd", BigInteger),
    Column("tags", Text, nullable=False),
    Column("cache", String(256)),
    Column("saved_nanousd", BigInteger, nullable=False, server_default="0"),
    Column("trace_id", String(32)),
    Column("span_id", String(16)),
    Column("parent_span_id", String(16)),
    Column("session", String(256)),
    Column("attempts", Integer),
    Column("finish_reason", String(256)),
    Column("upstream_model", String(256)),
    Column("upstream_id", String(256)),
    Column("degraded", String(256)),
    Column("timings", Text),
    Column("json_valid", Boolean),
    Column("rollout_id", String(256)),
    Column("arm", String(256)),
    Column("probability", Float),
    Column("flags", Text),
    # What the slowest and dearest are found by stands at the end of both: a look through all of a small index.
    Index("ix_calls_started_at_ms", "started_at_ms", "latency_ms", "cost_nanousd"),
    Index("ix_calls_tenant", "tenant", "started_at_ms", "latency_ms", "cost_nanousd"),
    Index("ix_calls_trace_id", "day", "trace_id"),  # a random key over all days would cost each row a page of its own
    _where_given("session", "day", "session", "started_at_ms"),
    _where_given("user", "day", "user", "started_at_ms"),
    _where_given("error_type", "started_at_ms"),
    _where_given("rollout_id", "rollout_id", "started_at_ms"),
    # All that the use of a prompt's version is told by, so that no row is read for it.
    _where_given(
        "prompt_version", *("prompt_version", "tenant", "started_at_ms", "status", "latency_ms", "cost_nanousd")
    ),
)

#: The calls of known tenants, summed up. ``group_id`` stands for key, user, model and tags together, which are too long
#: and too often missing to be a key themselves.
usage_days = Table(
    "usage_days",
    metadata,
    Column("day", Date, primary_key=True),
    Column("tenant", String(256), primary_key=True),
    Column("group_id", Uuid, primary_key=True),
    Column("key_id", String(256)),
    Column("user", String(256)),
    Column("model", String(256), nullable=False),
    Column("tags", Text, nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("unpriced", BigInteger, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("cache_write_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("cost_nanousd", BigInteger, nullable=False),
    Column("cached_calls", BigInteger, nullable=False, server_default="0"),
    Column("saved_nanousd", BigInteger, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)

#: How far each file of a request log has been read. ``id`` is made of the file's inode and its first line, which names
#: a call: it stays the same when the file is renamed, and is another when the inode is used again.
log_files = Table(
    "log_files",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String(256), nullable=False),
    Column("read_bytes", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("unreadable", BigInteger, nullable=False),
)

#: Limits and budgets that are changed while gateways run. ``tenant`` is whose own rule it is, NULL for the operator's;
#: ``settings`` has the shape that it has in a configuration.
spend_rules = Table(
    "spend_rules",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("tenant", String(64), ForeignKey("tenants.id")),
    Column("settings", JSON, nullable=False),
    Column("created_at_s", Float, nullable=False),
    Index("ix_spend_rules_tenant", "tenant"),
)
