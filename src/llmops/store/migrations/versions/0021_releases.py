"""Releases, which of them is live, the gate's verdicts; and what a rollout says of a call."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

_versions = sa.table("versions", sa.column("subject", sa.String), sa.column("version", sa.BigInteger))


def upgrade() -> None:
    op.create_table(
        "releases",
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("id", sa.String(20), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("bundle", sa.Text, nullable=False),
        sa.Column("parent", sa.String(20)),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.String(256), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_releases"),
    )
    op.create_index("ix_releases_name", "releases", ["name", "created_at_ms"])
    op.create_index("ix_releases_created_at_ms", "releases", ["created_at_ms"])
    op.create_table(
        "release_pointers",
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("release_id", sa.String(20), nullable=False),
        sa.Column("moves", sa.Integer, nullable=False),
        sa.Column("since_ms", sa.BigInteger, nullable=False),
        sa.Column("by", sa.String(256), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", name="pk_release_pointers"),
    )
    op.create_table(
        "release_moves",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("before", sa.String(20)),
        sa.Column("after", sa.String(20), nullable=False),
        sa.Column("change", sa.String(16), nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("by", sa.String(256), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_release_moves"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_release_moves_tenant", "release_moves", ["tenant", "name", "id"])
    op.create_table(
        "release_verdicts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("release_id", sa.String(20), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("run_ids", sa.Text, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("by", sa.String(256), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_release_verdicts"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_release_verdicts_tenant", "release_verdicts", ["tenant", "release_id", "id"])
    op.add_column("calls", sa.Column("rollout_id", sa.String(256)))
    op.add_column("calls", sa.Column("arm", sa.String(256)))
    op.add_column("calls", sa.Column("probability", sa.Float))
    op.bulk_insert(_versions, [{"subject": "releases", "version": 1 + secrets.randbelow(2**62)}])


def downgrade() -> None:
    op.execute(_versions.delete().where(_versions.c.subject == "releases"))
    for column in ("probability", "arm", "rollout_id"):
        op.drop_column("calls", column)
    for name in ("release_verdicts", "release_moves", "release_pointers", "releases"):
        op.drop_table(name)
