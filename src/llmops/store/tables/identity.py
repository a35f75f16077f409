"""Tenants and their keys."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, ForeignKey, Index, LargeBinary, String, Table

from .base import metadata

tenants = Table(
    "tenants",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("created_at_s", Float, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False, server_default="0"),
    Index("ix_tenants_version", "version"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("tenant", String(64), ForeignKey("tenants.id"), nullable=False),
    Column("name", String(200), nullable=False),
    Column("role", String(16), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("created_at_s", Float, nullable=False),
    Column("operations", JSON, nullable=False),
    Column("models", JSON, nullable=False),
    Column("expires_at_s", Float),
    Column("revoked_at_s", Float),
    Column("previous_digest", LargeBinary(32)),
    Column("previous_until_s", Float),
    Column("timeout_s", Float),
    Column("version", BigInteger, nullable=False, server_default="0"),
    Index("ix_api_keys_tenant", "tenant"),
    Index("ix_api_keys_version", "version"),
)
