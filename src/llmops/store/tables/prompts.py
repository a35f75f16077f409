"""Prompts and their versions."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from .base import metadata

#: Prompts by name; ``tenant`` is ``*`` for those that all see, ``folder`` what stands before the name's last ``/``.
#: ``version`` is where the counter of prompts stood when anything of one was last written: gateways follow it.
prompts = Table(
    "prompts",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("tenant", String(256), nullable=False),
    Column("name", String(200).with_variant(String(200, collation="C"), "postgresql"), nullable=False),
    Column("folder", String(200).with_variant(String(200, collation="C"), "postgresql"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("tags", Text, nullable=False),
    Column("last_number", Integer, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Column("archived_at_ms", BigInteger),
    Column("version", BigInteger, nullable=False),
    Index("uq_prompts_tenant", "tenant", "name", unique=True),
    Index("ix_prompts_tenant", "tenant", "folder", "name"),
    Index("ix_prompts_version", "version"),
    sqlite_autoincrement=True,
)

#: Immutable versions. ``body`` is JSON of what was written, ``resolved`` of that with all that it includes (NULL: the
#: same), ``pins`` which versions those were; ``digest`` is the hash of what was written.
prompt_versions = Table(
    "prompt_versions",
    metadata,
    Column("prompt_id", BigInteger, ForeignKey("prompts.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(32), nullable=False),
    Column("author", String(256), nullable=False),
    Column("comment", Text, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("pins", Text),
    Column("body", Text, nullable=False),
    Column("resolved", Text),
)

#: Where the labels of a prompt point to.
prompt_labels = Table(
    "prompt_labels",
    metadata,
    Column("prompt_id", BigInteger, ForeignKey("prompts.id"), primary_key=True),
    Column("label", String(40), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("moved_at_ms", BigInteger, nullable=False),
    Column("moved_by", String(256), nullable=False),
)

#: Where labels have pointed to: what a rollback goes back by. ``before`` or ``number`` is NULL where there was none.
prompt_moves = Table(
    "prompt_moves",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("prompt_id", BigInteger, ForeignKey("prompts.id"), nullable=False),
    Column("label", String(40), nullable=False),
    Column("before", Integer),
    Column("number", Integer),
    Column("is_rollback", Boolean, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", String(256), nullable=False),
    Column("reason", Text, nullable=False),
    Index("ix_prompt_moves_prompt_id", "prompt_id", "id"),
    sqlite_autoincrement=True,
)

#: What people say of a version.
prompt_comments = Table(
    "prompt_comments",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("prompt_id", BigInteger, ForeignKey("prompts.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("author", String(256), nullable=False),
    Column("text", Text, nullable=False),
    Index("ix_prompt_comments_prompt_id", "prompt_id", "number", "id"),
    sqlite_autoincrement=True,
)
