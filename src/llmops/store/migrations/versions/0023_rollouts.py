"""Rollouts, their decisions and their evidence."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"

_versions = sa.table("versions", sa.column("subject", sa.String), sa.column("version", sa.BigInteger))
_SUBJECTS = ("rollouts", "rollout_evidence")


def upgrade() -> None:
    op.create_table(
        "rollouts",
        sa.Column("id", sa.String(20), nullable=False),
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("stable", sa.String(20), nullable=False),
        sa.Column("candidate", sa.String(20), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("saying", sa.Text, nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.String(256), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rollouts"),
    )
    op.create_index("ix_rollouts_status", "rollouts", ["status"])
    op.create_index("ix_rollouts_name", "rollouts", ["name", "created_at_ms"])
    op.create_index("ix_rollouts_candidate", "rollouts", ["candidate"])
    op.create_table(
        "rollout_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("rollout_id", sa.String(20), nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("by", sa.String(256), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rollout_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_rollout_events_rollout_id", "rollout_events", ["rollout_id", "id"])
    op.create_table(
        "rollout_evidence",
        sa.Column("rollout_id", sa.String(20), nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("marks", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("rollout_id", "at_ms", name="pk_rollout_evidence"),
    )
    op.create_table(
        "rollout_units",
        sa.Column("rollout_id", sa.String(20), nullable=False),
        sa.Column("unit", sa.String(24), nullable=False),
        sa.Column("first_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("rollout_id", "unit", name="pk_rollout_units"),
    )
    given = sa.text("rollout_id IS NOT NULL")
    op.create_index(
        "ix_calls_rollout_id", "calls", ["rollout_id", "started_at_ms"], sqlite_where=given, postgresql_where=given
    )
    op.bulk_insert(_versions, [{"subject": each, "version": 1 + secrets.randbelow(2**62)} for each in _SUBJECTS])


def downgrade() -> None:
    op.execute(_versions.delete().where(_versions.c.subject.in_(_SUBJECTS)))
    op.drop_index("ix_calls_rollout_id", "calls")
    for name in ("rollout_units", "rollout_evidence", "rollout_events", "rollouts"):
        op.drop_table(name)
