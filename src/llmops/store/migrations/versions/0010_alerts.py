"""Alerts: their state and history, silences, messages that wait, what processes see, and who looks at the rules."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_versions = sa.table("versions", sa.column("subject", sa.String), sa.column("version", sa.BigInteger))


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("fingerprint", sa.String(32), nullable=False),
        sa.Column("rule", sa.String(80), nullable=False),
        sa.Column("tenant", sa.String(256)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_alerts"),
    )
    op.create_table(
        "alert_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("at_s", sa.Float, nullable=False),
        sa.Column("fingerprint", sa.String(32), nullable=False),
        sa.Column("rule", sa.String(80), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("tenant", sa.String(256)),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("change", sa.String(16), nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("threshold", sa.Float),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alert_events"),
    )
    op.create_index("ix_alert_events_at_s", "alert_events", ["at_s"])
    op.create_table(
        "silences",
        sa.Column("id", sa.String(12), nullable=False),
        sa.Column("tenant", sa.String(256)),
        sa.Column("matchers", sa.Text, nullable=False),
        sa.Column("starts_at_s", sa.Float, nullable=False),
        sa.Column("until_s", sa.Float, nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_at_s", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_silences"),
    )
    op.create_table(
        "alert_letters",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("receiver", sa.String(80), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("written_at_s", sa.Float, nullable=False),
        sa.Column("due_at_s", sa.Float, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("letter", sa.Text, nullable=False),
        sa.Column("failure", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_alert_letters"),
    )
    op.create_index("ix_alert_letters_state", "alert_letters", ["state", "due_at_s"])
    op.create_table(
        "alert_signals",
        sa.Column("process", sa.String(32), nullable=False),
        sa.Column("at_s", sa.Float, nullable=False),
        sa.Column("signals", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("process", name="pk_alert_signals"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("holder", sa.String(32), nullable=False),
        sa.Column("until_s", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.bulk_insert(_versions, [{"subject": "alerts", "version": 1 + secrets.randbelow(2**62)}])


def downgrade() -> None:
    op.execute(_versions.delete().where(_versions.c.subject == "alerts"))
    for table in ("leases", "alert_signals", "alert_letters", "silences", "alert_events", "alerts"):
        op.drop_table(table)
