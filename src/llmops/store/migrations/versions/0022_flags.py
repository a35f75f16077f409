"""Flags, and which of them a call says it was made under."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"

_versions = sa.table("versions", sa.column("subject", sa.String), sa.column("version", sa.BigInteger))


def upgrade() -> None:
    op.create_table(
        "flags",
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("key", sa.String(100), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("changed_at_ms", sa.BigInteger, nullable=False),
        sa.Column("changed_by", sa.String(256), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "key", name="pk_flags"),
    )
    op.add_column("calls", sa.Column("flags", sa.Text))
    op.bulk_insert(_versions, [{"subject": "flags", "version": 1 + secrets.randbelow(2**62)}])


def downgrade() -> None:
    op.execute(_versions.delete().where(_versions.c.subject == "flags"))
    op.drop_column("calls", "flags")
    op.drop_table("flags")
