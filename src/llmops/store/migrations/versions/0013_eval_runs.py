"""Runs of evals: their figures, and the results of their cells."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_versions = sa.table("versions", sa.column("subject", sa.String), sa.column("version", sa.BigInteger))


def upgrade() -> None:
    op.create_table(
        "eval_runs",
        sa.Column("run_id", sa.String(100), primary_key=True),
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("dataset", sa.String(256), nullable=False),
        sa.Column("dataset_version", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("started_at_ms", sa.BigInteger, nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger),
        sa.Column("code_revision", sa.String(256)),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("ending", sa.Text, nullable=False),
        sa.Column("summary", sa.Text),
    )
    op.create_index("ix_eval_runs_tenant", "eval_runs", ["tenant", "started_at_ms"])
    op.create_index("ix_eval_runs_dataset", "eval_runs", ["dataset", "started_at_ms"])
    op.create_table(
        "eval_metrics",
        sa.Column("run_id", sa.String(100), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("dataset", sa.String(256), nullable=False),
        sa.Column("started_at_ms", sa.BigInteger, nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("mean", sa.Float),
        sa.Column("low", sa.Float),
        sa.Column("high", sa.Float),
        sa.Column("units", sa.BigInteger, nullable=False),
        sa.Column("errors", sa.BigInteger, nullable=False),
        sa.Column("unmeasured", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "name", name="pk_eval_metrics"),
    )
    op.create_index("ix_eval_metrics_dataset", "eval_metrics", ["dataset", "name", "started_at_ms"])
    op.create_table(
        "eval_results",
        sa.Column("run_id", sa.String(100), nullable=False),
        sa.Column("case_id", sa.String(256), nullable=False),
        sa.Column("repeat", sa.Integer, nullable=False),
        sa.Column("error", sa.String(100)),
        sa.Column("scores", sa.Text, nullable=False),
        sa.Column("latency_ms", sa.Float),
        sa.Column("ttft_ms", sa.Float),
        sa.Column("tokens_in", sa.BigInteger),
        sa.Column("tokens_out", sa.BigInteger),
        sa.Column("cost_nanousd", sa.BigInteger),
        sa.Column("cached", sa.Boolean, nullable=False),
        sa.Column("trace_id", sa.String(32)),
        sa.PrimaryKeyConstraint("run_id", "case_id", "repeat", name="pk_eval_results"),
        sqlite_with_rowid=False,
    )
    op.bulk_insert(_versions, [{"subject": "evals", "version": 1 + secrets.randbelow(2**62)}])


def downgrade() -> None:
    op.execute(_versions.delete().where(_versions.c.subject == "evals"))
    for table in ("eval_results", "eval_metrics", "eval_runs"):
        op.drop_table(table)
