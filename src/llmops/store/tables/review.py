"""What people are asked to judge."""

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from .base import metadata

#: What people are asked to judge. ``question`` is an `evals.review.question.Question`.
review_queues = Table(
    "review_queues",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("tenant", String(256), nullable=False),
    Column("name", String(100), nullable=False),
    Column("question", Text, nullable=False),
    Column("reviewers", Integer, nullable=False),
    Column("lease_s", Float, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("created_by", String(256)),
    Index("uq_review_queues_tenant", "tenant", "name", unique=True),
)

#: One input and output to be judged. ``id`` is made of what it is about, so that it is there once; ``place`` is its
#: place in the queue; ``body`` is an `evals.review.item.Item`.
review_items = Table(
    "review_items",
    metadata,
    Column("queue_id", String(12), ForeignKey("review_queues.id"), primary_key=True),
    Column("id", String(32), primary_key=True),
    Column("place", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("trace_id", String(32)),
    Column("agreed", Text),
    Column("added_at_ms", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("ix_review_items_queue_id", "queue_id", "state", "place"),
)

#: Who has an item (until when), has judged it, or has passed it over. ``answer`` is JSON, the whole of it is the
#: assessment of that id.
review_marks = Table(
    "review_marks",
    metadata,
    Column("queue_id", String(12), primary_key=True),
    Column("item_id", String(32), primary_key=True),
    Column("reviewer", String(200), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("lease_until_ms", BigInteger),
    Column("settles", Boolean, nullable=False),
    Column("answer", Text),
    Column("assessment_id", String(64)),
    Index("ix_review_marks_reviewer", "queue_id", "reviewer", "at_ms"),
)
