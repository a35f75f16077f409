"""Promoted baselines, and what gates decided."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "eval_baselines",
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("run_id", sa.String(100), nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", "number", name="pk_eval_baselines"),
    )
    op.create_index("ix_eval_baselines_run", "eval_baselines", ["run_id"])
    op.create_table(
        "eval_decisions",
        sa.Column("id", sa.String(100), primary_key=True),
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("gate", sa.String(100), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("dataset", sa.String(256), nullable=False),
        sa.Column("dataset_version", sa.String(64), nullable=False),
        sa.Column("baseline_run", sa.String(100)),
        sa.Column("candidate_run", sa.String(100)),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
    )
    op.create_index("ix_eval_decisions_gate", "eval_decisions", ["tenant", "gate", "at_ms"])
    op.create_index("ix_eval_decisions_dataset", "eval_decisions", ["tenant", "dataset", "dataset_version"])


def downgrade() -> None:
    op.drop_table("eval_decisions")
    op.drop_table("eval_baselines")
