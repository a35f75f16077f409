"""Calls of rollouts that end late or never."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.create_table(
        "rollout_late_calls",
        sa.Column("rollout_id", sa.String(20), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("started_at_ms", sa.BigInteger, nullable=False),
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("arm", sa.String(256), nullable=False),
        sa.Column("probability", sa.Float, nullable=False),
        sa.Column("key_id", sa.String(256)),
        sa.Column("user", sa.String(256)),
        sa.Column("session", sa.String(256)),
        sa.Column("trace_id", sa.String(32)),
        sa.Column("is_counted", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("rollout_id", "request_id", name="pk_rollout_late_calls"),
    )


def downgrade() -> None:
    op.drop_table("rollout_late_calls")
