"""Online evals and drift: how far they have come, what they did each day, what was found last."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

_SUBJECTS = ("online_evals", "drift")
_COUNTS = ("scored", "failed", "unmeasured", "no_texts", "over_budget", "too_old", "spent_nanousd")
_versions = sa.table("versions", sa.column("subject", sa.String), sa.column("version", sa.BigInteger))


def upgrade() -> None:
    op.create_table(
        "online_progress",
        sa.Column("place", sa.String(64), nullable=False),
        sa.Column("positions", sa.Text, nullable=False),
        sa.Column("done", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("place", name="pk_online_progress"),
    )
    op.create_table(
        "online_days",
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("rule", sa.String(40), nullable=False),
        *[sa.Column(name, sa.BigInteger, nullable=False) for name in _COUNTS],
        sa.PrimaryKeyConstraint("day", "rule", name="pk_online_days"),
    )
    op.create_table(
        "drift_reports",
        sa.Column("watch", sa.String(40), nullable=False),
        sa.Column("tenant", sa.String(256)),
        sa.Column("at_s", sa.Float, nullable=False),
        sa.Column("report", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("watch", name="pk_drift_reports"),
    )
    new = [{"subject": subject, "version": 1 + secrets.randbelow(2**62)} for subject in _SUBJECTS]
    op.bulk_insert(_versions, new)


def downgrade() -> None:
    op.execute(_versions.delete().where(_versions.c.subject.in_(_SUBJECTS)))
    for table in ("drift_reports", "online_days", "online_progress"):
        op.drop_table(table)
