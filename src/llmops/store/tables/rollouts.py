"""Rollouts and their evidence."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, String, Table, Text

from .base import metadata

#: Rollouts, each as it stands: ``plan``, ``state`` and ``evidence`` are JSON; ``tenant`` '*' is shared. ``revision``
#: counts the writes.
rollouts = Table(
    "rollouts",
    metadata,
    Column("id", String(20), primary_key=True),
    Column("tenant", String(256), nullable=False),
    Column("name", String(100), nullable=False),
    Column("stable", String(20), nullable=False),
    Column("candidate", String(20), nullable=False),
    Column("status", String(16), nullable=False),
    Column("plan", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("saying", Text, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("created_by", String(256), nullable=False),
    Column("reason", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Index("ix_rollouts_status", "status"),
    Index("ix_rollouts_name", "name", "created_at_ms"),
    Index("ix_rollouts_candidate", "candidate"),
)

#: What was decided of a rollout, and why.
rollout_events = Table(
    "rollout_events",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("rollout_id", String(20), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("action", String(16), nullable=False),
    Column("step", Integer, nullable=False),
    Column("share", Float, nullable=False),
    Column("by", String(256), nullable=False),
    Column("reason", Text, nullable=False),
    Index("ix_rollout_events_rollout_id", "rollout_id", "id"),
    sqlite_autoincrement=True,
)

#: Its evidence over time, to be drawn: ``marks`` is JSON, one mark for each guard.
rollout_evidence = Table(
    "rollout_evidence",
    metadata,
    Column("rollout_id", String(20), primary_key=True),
    Column("at_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("marks", Text, nullable=False),
)

#: The units that an open rollout has counted, as hashes: each is one observation.
rollout_units = Table(
    "rollout_units",
    metadata,
    Column("rollout_id", String(20), primary_key=True),
    Column("unit", String(24), primary_key=True),
    Column("first_ms", BigInteger, nullable=False),
)

#: Gateways that lag: up to when (``until_ms``) their calls are in the database, as they said at ``at_ms``.
rollout_readings = Table(
    "rollout_readings",
    metadata,
    Column("process", String(32), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
)

#: Calls of open rollouts that had not ended when they should have, or whose gateway died. ``is_counted``: the evidence
#: has them, and only their cost is awaited.
rollout_late_calls = Table(
    "rollout_late_calls",
    metadata,
    Column("rollout_id", String(20), primary_key=True),
    Column("request_id", String(64), primary_key=True),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("tenant", String(256), nullable=False),
    Column("arm", String(256), nullable=False),
    Column("probability", Float, nullable=False),
    Column("key_id", String(256)),
    Column("user", String(256)),
    Column("session", String(256)),
    Column("trace_id", String(32)),
    Column("is_counted", Boolean, nullable=False),
)
