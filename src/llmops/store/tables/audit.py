"""Who changed what."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from .base import metadata

#: Who changed what. ``before`` and ``after`` are JSON; a ``tenant`` of NULL is the operator's matter.
audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("tenant", String(256)),
    Column("key_id", String(256)),
    Column("actor", String(256), nullable=False),
    Column("role", String(16), nullable=False),
    Column("actor_tenant", String(256)),
    Column("action", String(64), nullable=False),
    Column("object", String(256), nullable=False),
    Column("before", Text),
    Column("after", Text),
    Column("reason", Text),
    Index("ix_audit_tenant", "tenant", "id"),
    Index("ix_audit_object", "object", "id"),
    Index("ix_audit_action", "action", "id"),
    sqlite_autoincrement=True,
)
