"""Limits and budgets that are changed while gateways run."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_versions = sa.table("versions", sa.column("subject", sa.String), sa.column("version", sa.BigInteger))


def upgrade() -> None:
    op.create_table(
        "spend_rules",
        sa.Column("id", sa.String(12), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("tenant", sa.String(64)),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("created_at_s", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_spend_rules"),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_spend_rules_tenant"),
    )
    op.create_index("ix_spend_rules_tenant", "spend_rules", ["tenant"])
    op.bulk_insert(_versions, [{"subject": "rules", "version": 1 + secrets.randbelow(2**62)}])


def downgrade() -> None:
    op.execute(_versions.delete().where(_versions.c.subject == "rules"))
    op.drop_table("spend_rules")
