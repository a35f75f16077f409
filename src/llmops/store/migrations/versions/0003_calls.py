"""Calls, their sums by day, and how far each file of the request log has been read."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "calls",
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("log_file", sa.BigInteger, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("started_at_ms", sa.BigInteger, nullable=False),
        sa.Column("tenant", sa.String(256)),
        sa.Column("key_id", sa.String(256)),
        sa.Column("user", sa.String(256)),
        sa.Column("operation", sa.String(256), nullable=False),
        sa.Column("model", sa.String(256), nullable=False),
        sa.Column("requested_model", sa.String(256)),
        sa.Column("provider", sa.String(256), nullable=False),
        sa.Column("deployment", sa.String(256)),
        sa.Column("prompt_version", sa.String(256)),
        sa.Column("release_id", sa.String(256)),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("error_type", sa.String(256)),
        sa.Column("stream", sa.Boolean, nullable=False),
        sa.Column("cached", sa.Boolean, nullable=False),
        sa.Column("recovered", sa.Boolean, nullable=False),
        sa.Column("latency_ms", sa.Float, nullable=False),
        sa.Column("ttft_ms", sa.Float),
        *_tokens(),
        sa.Column("usage_source", sa.String(256), nullable=False),
        sa.Column("cost_nanousd", sa.BigInteger),
        sa.Column("reserved_nanousd", sa.BigInteger),
        sa.Column("tags", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("request_id", name="pk_calls"),
    )
    op.create_index("ix_calls_started_at_ms", "calls", ["started_at_ms"])
    op.create_index("ix_calls_tenant", "calls", ["tenant", "started_at_ms"])
    op.create_table(
        "usage_days",
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("group_id", sa.Uuid, nullable=False),
        sa.Column("key_id", sa.String(256)),
        sa.Column("user", sa.String(256)),
        sa.Column("model", sa.String(256), nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("calls", sa.BigInteger, nullable=False),
        sa.Column("errors", sa.BigInteger, nullable=False),
        sa.Column("unpriced", sa.BigInteger, nullable=False),
        *_tokens(),
        sa.Column("cost_nanousd", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("day", "tenant", "group_id", name="pk_usage_days"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "log_files",
        sa.Column("id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("read_bytes", sa.BigInteger, nullable=False),
        sa.Column("records", sa.BigInteger, nullable=False),
        sa.Column("unreadable", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_log_files"),
    )


def downgrade() -> None:
    for table in ("log_files", "usage_days", "calls"):
        op.drop_table(table)


def _tokens() -> list[sa.Column]:
    kinds = ("prompt", "completion", "cached", "cache_write", "reasoning")
    return [sa.Column(f"{kind}_tokens", sa.BigInteger, nullable=False) for kind in kinds]
