"""Releases, which are live, and flags."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from .base import metadata

#: Immutable bundles. ``id`` is the content's hash, ``bundle`` its canonical JSON (`releases.bundle.Bundle`). Here and
#: in the tables about them a ``tenant`` of `*` is an administrator's: shared.
releases = Table(
    "releases",
    metadata,
    Column("tenant", String(256), primary_key=True),
    Column("id", String(20), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("bundle", Text, nullable=False),
    Column("parent", String(20)),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("created_by", String(256), nullable=False),
    Column("reason", Text, nullable=False),
    Index("ix_releases_name", "name", "created_at_ms"),
    Index("ix_releases_created_at_ms", "created_at_ms"),
)

#: Which release of a name is live. ``moves`` counts its moves.
release_pointers = Table(
    "release_pointers",
    metadata,
    Column("tenant", String(256), primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("release_id", String(20), nullable=False),
    Column("moves", Integer, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("by", String(256), nullable=False),
)

#: Every move of a pointer.
release_moves = Table(
    "release_moves",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("tenant", String(256), nullable=False),
    Column("name", String(100), nullable=False),
    Column("before", String(20)),
    Column("after", String(20), nullable=False),
    Column("change", String(16), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("by", String(256), nullable=False),
    Column("reason", Text, nullable=False),
    Index("ix_release_moves_tenant", "tenant", "name", "id"),
    sqlite_autoincrement=True,
)

#: What the gate has said of releases. ``run_ids`` is a JSON list; the latest counts.
release_verdicts = Table(
    "release_verdicts",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("tenant", String(256), nullable=False),
    Column("release_id", String(20), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("run_ids", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("by", String(256), nullable=False),
    Column("reason", Text, nullable=False),
    Index("ix_release_verdicts_tenant", "tenant", "release_id", "id"),
    sqlite_autoincrement=True,
)

#: Flags. ``body`` is a `flags.flag.Flag`; ``revision`` counts its changes; a ``tenant`` of `*` is an administrator's.
flags = Table(
    "flags",
    metadata,
    Column("tenant", String(256), primary_key=True),
    Column("key", String(100), primary_key=True),
    Column("body", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("changed_at_ms", BigInteger, nullable=False),
    Column("changed_by", String(256), nullable=False),
)
