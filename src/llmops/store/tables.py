"""The tables of this version. What changes them comes with a migration in ``migrations/versions/``."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: Counts the writes of each subject, from a random beginning: what caches poll. A row's ``version`` is where the
#: counter of its subject stood when it was last written; 0 was written before there were such columns.
versions = Table(
    "versions", metadata, Column("subject", String(40), primary_key=True), Column("version", BigInteger, nullable=False)
)

tenants = Table(
    "tenants",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("created_at_s", Float, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False, server_default="0"),
    Index("ix_tenants_version", "version"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("tenant", String(64), ForeignKey("tenants.id"), nullable=False),
    Column("name", String(200), nullable=False),
    Column("role", String(16), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("created_at_s", Float, nullable=False),
    Column("operations", JSON, nullable=False),
    Column("models", JSON, nullable=False),
    Column("expires_at_s", Float),
    Column("revoked_at_s", Float),
    Column("previous_digest", LargeBinary(32)),
    Column("previous_until_s", Float),
    Column("timeout_s", Float),
    Column("version", BigInteger, nullable=False, server_default="0"),
    Index("ix_api_keys_tenant", "tenant"),
    Index("ix_api_keys_version", "version"),
)

#: One row for every line of the request logs. ``tenant`` is NULL where a request was turned away before anybody was
#: known; ``cost_nanousd`` is NULL where no price is known. ``tags`` is a JSON object with its names in order.
calls = Table(
    "calls",
    metadata,
    Column("request_id", String(64), primary_key=True),
    Column("log_file", BigInteger, nullable=False),
    Column("day", Date, nullable=False),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("tenant", String(256)),
    Column("key_id", String(256)),
    Column("user", String(256)),
    Column("operation", String(256), nullable=False),
    Column("model", String(256), nullable=False),
    Column("requested_model", String(256)),
    Column("provider", String(256), nullable=False),
    Column("deployment", String(256)),
    Column("prompt_version", String(256)),
    Column("release_id", String(256)),
    Column("status", Integer, nullable=False),
    Column("error_type", String(256)),
    Column("stream", Boolean, nullable=False),
    Column("cached", Boolean, nullable=False),
    Column("recovered", Boolean, nullable=False),
    Column("latency_ms", Float, nullable=False),
    Column("ttft_ms", Float),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("cache_write_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("usage_source", String(256), nullable=False),
    Column("cost_nanousd", BigInteger),
    Column("reserved_nanousd", BigInteger),
    Column("tags", Text, nullable=False),
    Column("cache", String(256)),
    Column("saved_nanousd", BigInteger, nullable=False, server_default="0"),
    Index("ix_calls_started_at_ms", "started_at_ms"),
    Index("ix_calls_tenant", "tenant", "started_at_ms"),
)

#: The calls of known tenants, summed up. ``group_id`` stands for key, user, model and tags together, which are too long
#: and too often missing to be a key themselves.
usage_days = Table(
    "usage_days",
    metadata,
    Column("day", Date, primary_key=True),
    Column("tenant", String(256), primary_key=True),
    Column("group_id", Uuid, primary_key=True),
    Column("key_id", String(256)),
    Column("user", String(256)),
    Column("model", String(256), nullable=False),
    Column("tags", Text, nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("unpriced", BigInteger, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("cache_write_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("cost_nanousd", BigInteger, nullable=False),
    Column("cached_calls", BigInteger, nullable=False, server_default="0"),
    Column("saved_nanousd", BigInteger, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)

#: How far each file of a request log has been read. ``id`` is made of the file's inode and its first line, which names
#: a call: it stays the same when the file is renamed, and is another when the inode is used again.
log_files = Table(
    "log_files",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String(256), nullable=False),
    Column("read_bytes", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("unreadable", BigInteger, nullable=False),
)

#: Limits and budgets that are changed while gateways run. ``tenant`` is whose own rule it is, NULL for the operator's;
#: ``settings`` has the shape that it has in a configuration.
spend_rules = Table(
    "spend_rules",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("tenant", String(64), ForeignKey("tenants.id")),
    Column("settings", JSON, nullable=False),
    Column("created_at_s", Float, nullable=False),
    Index("ix_spend_rules_tenant", "tenant"),
)

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
)

#: Captured text of spans and calls, to be searched. PostgreSQL has an index over its words (`ix_span_texts_words`),
#: SQLite a table `span_texts_fts` that follows this one (`span_texts_indexed`: how far).
span_texts = Table(
    "span_texts",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("day", Date, nullable=False),
    Column("tenant", String(256), nullable=False),
    Column("trace_id", String(32), nullable=False),
    Column("span_id", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Index("ix_span_texts_day", "day"),
    Index("ix_span_texts_trace_id", "trace_id"),
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
