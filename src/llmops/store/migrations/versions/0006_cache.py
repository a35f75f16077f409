"""What the cache did for calls, and what it saved."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("calls", sa.Column("cache", sa.String(256)))
    op.add_column("calls", sa.Column("saved_nanousd", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("usage_days", sa.Column("cached_calls", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("usage_days", sa.Column("saved_nanousd", sa.BigInteger, nullable=False, server_default="0"))


def downgrade() -> None:
    for table, column in (
        ("usage_days", "saved_nanousd"),
        ("usage_days", "cached_calls"),
        ("calls", "saved_nanousd"),
        ("calls", "cache"),
    ):
        op.drop_column(table, column)
