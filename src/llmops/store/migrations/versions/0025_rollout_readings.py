"""How far gateways that lag have brought their calls into the database."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.create_table(
        "rollout_readings",
        sa.Column("process", sa.String(32), nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("until_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("process", name="pk_rollout_readings"),
    )


def downgrade() -> None:
    op.drop_table("rollout_readings")
