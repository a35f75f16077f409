"""The tables of this version. What changes them comes with a migration in ``migrations/versions/``."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, ForeignKey, Index, LargeBinary, MetaData, String, Table

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: Counts the writes of each subject, from a random beginning: what caches poll. A row's ``version`` is where the
#: counter of its subject stood when it was last written; 0 was written before there were such columns.
versions = Table(
    "versions", metadata, Column("subject", String(40), primary_key=True), Column("version", BigInteger, nullable=False)
)

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
    Column("version", BigInteger, nullable=False, server_default="0"),
    Index("ix_api_keys_tenant", "tenant"),
    Index("ix_api_keys_version", "version"),
)
