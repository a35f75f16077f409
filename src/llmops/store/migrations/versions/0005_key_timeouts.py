"""The time that a key gives its calls."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("timeout_s", sa.Float))


def downgrade() -> None:
    op.drop_column("api_keys", "timeout_s")
