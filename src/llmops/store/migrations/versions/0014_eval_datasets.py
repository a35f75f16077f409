"""Datasets of cases: versions, the cases that they are made of, labels, and what was done to them."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_versions = sa.table("versions", sa.column("subject", sa.String), sa.column("version", sa.BigInteger))
_number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "eval_datasets",
        sa.Column("id", _number, primary_key=True),
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("last_number", sa.Integer, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_eval_datasets_tenant", "eval_datasets", ["tenant", "name"], unique=True)
    op.create_table(
        "eval_dataset_versions",
        sa.Column("dataset_id", sa.BigInteger, sa.ForeignKey("eval_datasets.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("version", sa.String(16), nullable=False),
        sa.Column("parent", sa.String(16)),
        sa.Column("cases", sa.BigInteger, nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.String(256)),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("used", sa.BigInteger, nullable=False),
        sa.Column("last_used_at_ms", sa.BigInteger),
        sa.PrimaryKeyConstraint("dataset_id", "number", name="pk_eval_dataset_versions"),
    )
    op.create_index(
        "uq_eval_dataset_versions_dataset_id", "eval_dataset_versions", ["dataset_id", "version"], unique=True
    )
    op.create_table(
        "eval_cases",
        sa.Column("dataset_id", sa.BigInteger, sa.ForeignKey("eval_datasets.id"), nullable=False),
        sa.Column("case_id", sa.String(256).with_variant(sa.String(256, collation="C"), "postgresql"), nullable=False),
        sa.Column("since", sa.Integer, nullable=False),
        sa.Column("until", sa.Integer),
        sa.Column("digest", sa.LargeBinary(16), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("dataset_id", "case_id", "since", name="pk_eval_cases"),
    )
    op.create_table(
        "eval_dataset_labels",
        sa.Column("dataset_id", sa.BigInteger, sa.ForeignKey("eval_datasets.id"), nullable=False),
        sa.Column("label", sa.String(100), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("moved_at_ms", sa.BigInteger, nullable=False),
        sa.Column("moved_by", sa.String(256)),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("dataset_id", "label", name="pk_eval_dataset_labels"),
    )
    op.create_table(
        "eval_dataset_events",
        sa.Column("id", _number, primary_key=True),
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("dataset", sa.String(100), nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("who", sa.String(256)),
        sa.Column("change", sa.String(40), nullable=False),
        sa.Column("version", sa.String(16)),
        sa.Column("before", sa.String(16)),
        sa.Column("reason", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_eval_dataset_events_tenant", "eval_dataset_events", ["tenant", "dataset"])
    op.bulk_insert(_versions, [{"subject": "datasets", "version": 1 + secrets.randbelow(2**62)}])


def downgrade() -> None:
    op.execute(_versions.delete().where(_versions.c.subject == "datasets"))
    for name in ("events", "labels", "versions"):
        op.drop_table(f"eval_dataset_{name}")
    op.drop_table("eval_cases")
    op.drop_table("eval_datasets")
