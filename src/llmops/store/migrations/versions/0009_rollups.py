"""Calls summed up by minute, hour and day, and whether their answers were the JSON that was asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_COUNTS = ("calls", "cached", "looked_up", "degraded", "retried", "attempts", "json_checked", "json_valid", "unpriced")
_AMOUNTS = ("prompt_tokens", "completion_tokens", "cached_tokens", "cost_nanousd", "saved_nanousd")
_TIMES = ("latency_us", "ttft_us")


def upgrade() -> None:
    op.add_column("calls", sa.Column("json_valid", sa.Boolean))
    op.create_table(
        "rollup_groups",
        sa.Column("id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("view", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.String(256)) for name in ("tenant", "model", "operation", "release_id")),
        sa.Column("status_class", sa.Integer, nullable=False),
        sa.Column("error_type", sa.String(256)),
        sa.PrimaryKeyConstraint("id", name="pk_rollup_groups"),
    )
    op.create_table(
        "rollups",
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("view", "period_s", "starts_at", "group_id", *_COUNTS, *_AMOUNTS, *_TIMES)
        ),
        sa.Column("latency", sa.LargeBinary),
        sa.Column("ttft", sa.LargeBinary),
        sa.PrimaryKeyConstraint("view", "period_s", "starts_at", "group_id", name="pk_rollups"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup_marks",
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("at_s", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_rollup_marks"),
    )


def downgrade() -> None:
    for table in ("rollup_marks", "rollups", "rollup_groups"):
        op.drop_table(table)
    op.drop_column("calls", "json_valid")
