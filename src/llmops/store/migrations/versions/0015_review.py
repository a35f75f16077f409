"""Human review: queues, what is in them, and who has judged what."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_versions = sa.table("versions", sa.column("subject", sa.String), sa.column("version", sa.BigInteger))


def upgrade() -> None:
    op.create_table(
        "review_queues",
        sa.Column("id", sa.String(12), nullable=False),
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("reviewers", sa.Integer, nullable=False),
        sa.Column("lease_s", sa.Float, nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.String(256)),
        sa.PrimaryKeyConstraint("id", name="pk_review_queues"),
    )
    op.create_index("uq_review_queues_tenant", "review_queues", ["tenant", "name"], unique=True)
    op.create_table(
        "review_items",
        sa.Column("queue_id", sa.String(12), sa.ForeignKey("review_queues.id"), nullable=False),
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("place", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("trace_id", sa.String(32)),
        sa.Column("agreed", sa.Text),
        sa.Column("added_at_ms", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("queue_id", "id", name="pk_review_items"),
    )
    op.create_index("ix_review_items_queue_id", "review_items", ["queue_id", "state", "place"])
    op.create_table(
        "review_marks",
        sa.Column("queue_id", sa.String(12), nullable=False),
        sa.Column("item_id", sa.String(32), nullable=False),
        sa.Column("reviewer", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("lease_until_ms", sa.BigInteger),
        sa.Column("settles", sa.Boolean, nullable=False),
        sa.Column("answer", sa.Text),
        sa.Column("assessment_id", sa.String(64)),
        sa.PrimaryKeyConstraint("queue_id", "item_id", "reviewer", name="pk_review_marks"),
    )
    op.create_index("ix_review_marks_reviewer", "review_marks", ["queue_id", "reviewer", "at_ms"])
    op.bulk_insert(_versions, [{"subject": "review", "version": 1 + secrets.randbelow(2**62)}])


def downgrade() -> None:
    op.execute(_versions.delete().where(_versions.c.subject == "review"))
    for name in ("marks", "items", "queues"):
        op.drop_table(f"review_{name}")
