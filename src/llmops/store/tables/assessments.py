"""What is thought of answers."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, String, Table, Text

from .base import metadata

#: What somebody or something thinks of a trace, a span or a session. ``version`` is where the counter of its subject
#: stood when it was last written: exports follow it.
assessments = Table(
    "assessments",
    metadata,
    Column("tenant", String(256), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("target", String(16), nullable=False),
    Column("trace_id", String(32)),
    Column("span_id", String(16)),
    Column("session", String(256)),
    Column("name", String(100), nullable=False),
    Column("value", Float),
    Column("is_boolean", Boolean, nullable=False),
    Column("label", String(256)),
    Column("comment", Text),
    Column("source", String(16), nullable=False),
    Column("source_id", String(256)),
    Column("run_id", String(256)),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Index("ix_assessments_tenant", "tenant", "created_at_ms"),
    Index("ix_assessments_trace_id", "trace_id"),
    Index("ix_assessments_session", "session"),
    Index("ix_assessments_name", "name", "created_at_ms"),
    Index("ix_assessments_version", "version"),
)
