"""Datasets of cases."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from .base import metadata

#: Datasets of cases, and how far their versions are numbered.
eval_datasets = Table(
    "eval_datasets",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("tenant", String(256), nullable=False),
    Column("name", String(100), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("last_number", Integer, nullable=False),
    Index("uq_eval_datasets_tenant", "tenant", "name", unique=True),
    sqlite_autoincrement=True,
)

#: Immutable versions, numbered by dataset. ``version`` is the content's hash; ``used`` counts decisions made with it.
eval_dataset_versions = Table(
    "eval_dataset_versions",
    metadata,
    Column("dataset_id", BigInteger, ForeignKey("eval_datasets.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("version", String(16), nullable=False),
    Column("parent", String(16)),
    Column("cases", BigInteger, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("created_by", String(256)),
    Column("source", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("last_used_at_ms", BigInteger),
    Index("uq_eval_dataset_versions_dataset_id", "dataset_id", "version", unique=True),
)

#: A case as it was from one version's number on (``since``) until it changed or went (``until``, excluded; NULL: it is
#: still there). ``digest`` is that of ``body``, its canonical JSON: a version stores only what it changes.
eval_cases = Table(
    "eval_cases",
    metadata,
    Column("dataset_id", BigInteger, ForeignKey("eval_datasets.id"), primary_key=True),
    Column("case_id", String(256).with_variant(String(256, collation="C"), "postgresql"), primary_key=True),
    Column("since", Integer, primary_key=True, autoincrement=False),
    Column("until", Integer),
    Column("digest", LargeBinary(16), nullable=False),
    Column("body", LargeBinary, nullable=False),
)

#: Movable names of versions.
eval_dataset_labels = Table(
    "eval_dataset_labels",
    metadata,
    Column("dataset_id", BigInteger, ForeignKey("eval_datasets.id"), primary_key=True),
    Column("label", String(100), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("moved_at_ms", BigInteger, nullable=False),
    Column("moved_by", String(256)),
    Column("reason", Text, nullable=False),
)

#: What was done to datasets, by whom and why; it stays when they are removed.
eval_dataset_events = Table(
    "eval_dataset_events",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("tenant", String(256), nullable=False),
    Column("dataset", String(100), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", String(256)),
    Column("change", String(40), nullable=False),
    Column("version", String(16)),
    Column("before", String(16)),
    Column("reason", Text, nullable=False),
    Index("ix_eval_dataset_events_tenant", "tenant", "dataset"),
    sqlite_autoincrement=True,
)
