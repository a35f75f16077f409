"""Scores of traces, spans and sessions; and how far exports to other tools have come."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_versions = sa.table("versions", sa.column("subject", sa.String), sa.column("version", sa.BigInteger))


def upgrade() -> None:
    op.create_table(
        "assessments",
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("target", sa.String(16), nullable=False),
        sa.Column("trace_id", sa.String(32)),
        sa.Column("span_id", sa.String(16)),
        sa.Column("session", sa.String(256)),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("is_boolean", sa.Boolean, nullable=False),
        sa.Column("label", sa.String(256)),
        sa.Column("comment", sa.Text),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("source_id", sa.String(256)),
        sa.Column("run_id", sa.String(256)),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_assessments"),
    )
    op.create_index("ix_assessments_tenant", "assessments", ["tenant", "created_at_ms"])
    op.create_index("ix_assessments_trace_id", "assessments", ["trace_id"])
    op.create_index("ix_assessments_session", "assessments", ["session"])
    op.create_index("ix_assessments_name", "assessments", ["name", "created_at_ms"])
    op.create_index("ix_assessments_version", "assessments", ["version"])
    op.create_table(
        "exports",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("place", sa.String(64), nullable=False),
        sa.Column("positions", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("updated_at_s", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("name", "place", name="pk_exports"),
    )
    op.bulk_insert(_versions, [{"subject": "assessments", "version": 1 + secrets.randbelow(2**62)}])


def downgrade() -> None:
    op.execute(_versions.delete().where(_versions.c.subject == "assessments"))
    op.drop_table("exports")
    op.drop_table("assessments")
