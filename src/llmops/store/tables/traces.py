"""Spans that came in from outside, their traces and their texts."""

from sqlalchemy import BigInteger, Boolean, Column, Date, Float, Index, Integer, LargeBinary, String, Table, Text
from sqlalchemy.dialects.postgresql import TSVECTOR

from .base import metadata

#: One row for every span that came in from outside; the gateway's own are derived from `calls`. ``day`` is when it
#: began, or was received where its clock is not to be believed; in PostgreSQL it decides the partition. ``rest`` holds
#: the whole span (`telemetry.traces.rest`).
spans = Table(
    "spans",
    metadata,
    Column("day", Date, primary_key=True),
    Column("tenant", String(256), primary_key=True),
    Column("trace_id", String(32), primary_key=True),
    Column("span_id", String(16), primary_key=True),
    Column("parent_id", String(16)),
    Column("name", String(256), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("step", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("convention", String(16), nullable=False),
    Column("started_us", BigInteger, nullable=False),
    Column("duration_us", BigInteger, nullable=False),
    Column("service", String(256)),
    Column("model", String(256)),
    Column("provider", String(256)),
    Column("session", String(256)),
    Column("user", String(256)),
    Column("release_id", String(256)),
    Column("prompt_version", String(256)),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("cost_nanousd", BigInteger),
    Column("ttft_us", BigInteger),
    Column("rest", LargeBinary, nullable=False),
    Index("ix_spans_tenant", "tenant", "started_us"),
    Index("ix_spans_day", "day"),
)

#: What the spans of a trace have in common, as far as they have come in. ``day`` is that of the latest. Tokens and
#: costs are those of model calls, so that the sums of agents around them do not count twice.
traces = Table(
    "traces",
    metadata,
    Column("tenant", String(256), primary_key=True),
    Column("trace_id", String(32), primary_key=True),
    Column("day", Date, nullable=False),
    Column("started_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger, nullable=False),
    Column("name", String(256)),
    Column("service", String(256)),
    Column("session", String(256)),
    Column("user", String(256)),
    Column("release_id", String(256)),
    Column("spans", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cost_nanousd", BigInteger, nullable=False),
    Index("ix_traces_tenant", "tenant", "started_us"),
    Index("ix_traces_session", "tenant", "session", "started_us"),
    Index("ix_traces_user", "tenant", "user", "started_us"),
    Index("ix_traces_day", "day"),
    Index("ix_traces_trace_id", "trace_id"),
    Index("ix_traces_started_us", "started_us"),
)

#: Captured text of spans and calls, to be searched. PostgreSQL has their words here with an index
#: (`ix_span_texts_words`), SQLite in a table `span_texts_fts` that follows this one (`span_texts_indexed`: how far).
span_texts = Table(
    "span_texts",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("day", Date, nullable=False),
    Column("tenant", String(256), nullable=False),
    Column("trace_id", String(32), nullable=False),
    Column("span_id", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("words", TSVECTOR().with_variant(Text(), "sqlite")),
    Index("ix_span_texts_day", "day"),
    Index("ix_span_texts_trace_id", "trace_id"),
    sqlite_autoincrement=True,
)

#: How much there is of each day, for what is kept by size. ``masked``: its texts are gone.
span_days = Table(
    "span_days",
    metadata,
    Column("day", Date, primary_key=True),
    Column("spans", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("masked", Boolean, nullable=False),
)

#: How far each file of a spool of spans has been read, and what became of the spans in it.
span_spools = Table(
    "span_spools",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("read_bytes", BigInteger, nullable=False),
    Column("stored", BigInteger, nullable=False),
    Column("known", BigInteger, nullable=False),
    Column("damaged", BigInteger, nullable=False),
    Column("updated_at_s", Float, nullable=False),
)
