"""The prompt registry: prompts, their versions, labels with their moves, comments; calls by version of a prompt."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

_versions = sa.table("versions", sa.column("subject", sa.String), sa.column("version", sa.BigInteger))
_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    name = sa.String(200).with_variant(sa.String(200, collation="C"), "postgresql")
    op.create_table(
        "prompts",
        sa.Column("id", _ID, nullable=False),
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("name", name, nullable=False),
        sa.Column("folder", name, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("last_number", sa.Integer, nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger, nullable=False),
        sa.Column("archived_at_ms", sa.BigInteger),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_prompts"),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_prompts_tenant", "prompts", ["tenant", "name"], unique=True)
    op.create_index("ix_prompts_tenant", "prompts", ["tenant", "folder", "name"])
    op.create_index("ix_prompts_version", "prompts", ["version"])
    op.create_table(
        "prompt_versions",
        sa.Column("prompt_id", sa.BigInteger, sa.ForeignKey("prompts.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("author", sa.String(256), nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("pins", sa.Text),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("resolved", sa.Text),
        sa.PrimaryKeyConstraint("prompt_id", "number", name="pk_prompt_versions"),
    )
    op.create_table(
        "prompt_labels",
        sa.Column("prompt_id", sa.BigInteger, sa.ForeignKey("prompts.id"), nullable=False),
        sa.Column("label", sa.String(40), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("moved_at_ms", sa.BigInteger, nullable=False),
        sa.Column("moved_by", sa.String(256), nullable=False),
        sa.PrimaryKeyConstraint("prompt_id", "label", name="pk_prompt_labels"),
    )
    op.create_table(
        "prompt_moves",
        sa.Column("id", _ID, nullable=False),
        sa.Column("prompt_id", sa.BigInteger, sa.ForeignKey("prompts.id"), nullable=False),
        sa.Column("label", sa.String(40), nullable=False),
        sa.Column("before", sa.Integer),
        sa.Column("number", sa.Integer),
        sa.Column("is_rollback", sa.Boolean, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("who", sa.String(256), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_prompt_moves"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_prompt_moves_prompt_id", "prompt_moves", ["prompt_id", "id"])
    op.create_table(
        "prompt_comments",
        sa.Column("id", _ID, nullable=False),
        sa.Column("prompt_id", sa.BigInteger, sa.ForeignKey("prompts.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("author", sa.String(256), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_prompt_comments"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_prompt_comments_prompt_id", "prompt_comments", ["prompt_id", "number", "id"])
    given = sa.text("prompt_version IS NOT NULL")
    op.create_index(
        "ix_calls_prompt_version",
        "calls",
        ["prompt_version", "tenant", "started_at_ms", "status", "latency_ms", "cost_nanousd"],
        sqlite_where=given,
        postgresql_where=given,
    )
    op.bulk_insert(_versions, [{"subject": "prompts", "version": 1 + secrets.randbelow(2**62)}])


def downgrade() -> None:
    op.execute(_versions.delete().where(_versions.c.subject == "prompts"))
    op.drop_index("ix_calls_prompt_version", "calls")
    for name in ("prompt_comments", "prompt_moves", "prompt_labels", "prompt_versions", "prompts"):
        op.drop_table(name)
