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
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _where_given(column: str, *columns: str) -> Index:
    """An index over the calls that have something there."""
    condition = text(f'"{column}" IS NOT NULL')
    return Index(f"ix_calls_{column}", *columns, sqlite_where=condition, postgresql_where=condition)


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
#: known; ``cost_nanousd`` is NULL where no price is known. ``tags`` is a JSON object with its names in order;
#: ``timings`` has the form of `telemetry.spans.call_timings.CallTimings`: a call's spans are derived from its row.
#: ``flags`` is a JSON object of those that the call was made under.
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
    Column("trace_id", String(32)),
    Column("span_id", String(16)),
    Column("parent_span_id", String(16)),
    Column("session", String(256)),
    Column("attempts", Integer),
    Column("finish_reason", String(256)),
    Column("upstream_model", String(256)),
    Column("upstream_id", String(256)),
    Column("degraded", String(256)),
    Column("timings", Text),
    Column("json_valid", Boolean),
    Column("rollout_id", String(256)),
    Column("arm", String(256)),
    Column("probability", Float),
    Column("flags", Text),
    # What the slowest and dearest are found by stands at the end of both: a look through all of a small index.
    Index("ix_calls_started_at_ms", "started_at_ms", "latency_ms", "cost_nanousd"),
    Index("ix_calls_tenant", "tenant", "started_at_ms", "latency_ms", "cost_nanousd"),
    Index("ix_calls_trace_id", "day", "trace_id"),  # a random key over all days would cost each row a page of its own
    _where_given("session", "day", "session", "started_at_ms"),
    _where_given("user", "day", "user", "started_at_ms"),
    _where_given("error_type", "started_at_ms"),
    _where_given("rollout_id", "rollout_id", "started_at_ms"),
    # All that the use of a prompt's version is told by, so that no row is read for it.
    _where_given(
        "prompt_version", *("prompt_version", "tenant", "started_at_ms", "status", "latency_ms", "cost_nanousd")
    ),
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

#: What is alike in the calls that a rollup sums up. ``view`` is 0 for groups of all calls without their tenants, 1 for
#: tenants as such, and otherwise stands for the tenant whose calls they are; ``id`` is a digest of all the rest.
rollup_groups = Table(
    "rollup_groups",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("view", BigInteger, nullable=False),
    *(Column(name, String(256)) for name in ("tenant", "model", "operation", "release_id")),
    Column("status_class", Integer, nullable=False),
    Column("error_type", String(256)),
)

#: Calls summed up by period (a minute, a quarter of an hour, an hour, a day) and group. ``latency`` and ``ttft`` are
#: histograms (`telemetry.rollups.histogram`).
rollups = Table(
    "rollups",
    metadata,
    *(Column(name, BigInteger, primary_key=True) for name in ("view", "period_s", "starts_at", "group_id")),
    *(
        Column(name, BigInteger, nullable=False)
        for name in (
            *("calls", "cached", "looked_up", "degraded", "retried", "attempts", "json_checked", "json_valid"),
            *("unpriced", "prompt_tokens", "completion_tokens", "cached_tokens", "cost_nanousd", "saved_nanousd"),
            *("latency_us", "ttft_us"),
        )
    ),
    Column("latency", LargeBinary),
    Column("ttft", LargeBinary),
    sqlite_with_rowid=False,
)

#: Moments, in seconds since the epoch: up to when minutes are summed up into hours and days (``folded``), and from when
#: on ``minutes``, ``hours`` and ``calls`` are kept.
rollup_marks = Table(
    "rollup_marks", metadata, Column("name", String(20), primary_key=True), Column("at_s", BigInteger, nullable=False)
)

#: The state of every alert that is not well, or was not within the last hour. ``record`` is an
#: `monitoring.alerts.alert.Alert`.
alerts = Table(
    "alerts",
    metadata,
    Column("fingerprint", String(32), primary_key=True),
    Column("rule", String(80), nullable=False),
    Column("tenant", String(256)),
    Column("state", String(16), nullable=False),
    Column("record", Text, nullable=False),
)

#: What has become of alerts, for the history.
alert_events = Table(
    "alert_events",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at_s", Float, nullable=False),
    Column("fingerprint", String(32), nullable=False),
    Column("rule", String(80), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("tenant", String(256)),
    Column("labels", Text, nullable=False),
    Column("change", String(16), nullable=False),
    Column("value", Float),
    Column("threshold", Float),
    Column("detail", Text, nullable=False),
    Index("ix_alert_events_at_s", "at_s"),
)

#: When which alerts are announced to nobody. ``tenant`` is whose own silence it is, NULL for an operator's.
silences = Table(
    "silences",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("tenant", String(256)),
    Column("matchers", Text, nullable=False),
    Column("starts_at_s", Float, nullable=False),
    Column("until_s", Float, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at_s", Float, nullable=False),
)

#: Messages to receivers. ``state``: waiting, delivered or given_up; ``due_at_s`` moves on when a process takes one up.
alert_letters = Table(
    "alert_letters",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("receiver", String(80), nullable=False),
    Column("state", String(16), nullable=False),
    Column("written_at_s", Float, nullable=False),
    Column("due_at_s", Float, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("letter", Text, nullable=False),
    Column("failure", Text),
    Index("ix_alert_letters_state", "state", "due_at_s"),
)

#: What each gateway process sees of itself and the database does not know otherwise: breakers, drops.
alert_signals = Table(
    "alert_signals",
    metadata,
    Column("process", String(32), primary_key=True),
    Column("at_s", Float, nullable=False),
    Column("signals", Text, nullable=False),
)

#: What one process of several does: whose turn it is, and how long.
leases = Table(
    "leases",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("holder", String(32), nullable=False),
    Column("until_s", Float, nullable=False),
)

#: What somebody or something thinks of a trace, a span or a session. ``version`` is where the counter of its subject
#: stood when it was last written: exports follow it.
assessments = Table(
    "assessments",
    metadata,
    Column("tenant", String(256), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("target", String(16), nullable=False),
    Column("trace_id", String(32)),
    Column("span_id", String(16)),
    Column("session", String(256)),
    Column("name", String(100), nullable=False),
    Column("value", Float),
    Column("is_boolean", Boolean, nullable=False),
    Column("label", String(256)),
    Column("comment", Text),
    Column("source", String(16), nullable=False),
    Column("source_id", String(256)),
    Column("run_id", String(256)),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Index("ix_assessments_tenant", "tenant", "created_at_ms"),
    Index("ix_assessments_trace_id", "trace_id"),
    Index("ix_assessments_session", "session"),
    Index("ix_assessments_name", "name", "created_at_ms"),
    Index("ix_assessments_version", "version"),
)

#: How far each export to another tool has come with the logs of one place, and what became of everything before.
exports = Table(
    "exports",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("place", String(64), primary_key=True),
    Column("positions", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("updated_at_s", Float, nullable=False),
)

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

#: Runs of evals. ``spec``, ``ending`` and ``summary`` are JSON of `evals.run.RunSpec`, `evals.journal.Ending` and
#: `evals.summary.Summary`.
eval_runs = Table(
    "eval_runs",
    metadata,
    Column("run_id", String(100), primary_key=True),
    Column("tenant", String(256), nullable=False),
    Column("dataset", String(256), nullable=False),
    Column("dataset_version", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),
    Column("code_revision", String(256)),
    Column("spec", Text, nullable=False),
    Column("ending", Text, nullable=False),
    Column("summary", Text),
    Index("ix_eval_runs_tenant", "tenant", "started_at_ms"),
    Index("ix_eval_runs_dataset", "dataset", "started_at_ms"),
)

#: The figures of a run's metrics, beside what a trend is found by.
eval_metrics = Table(
    "eval_metrics",
    metadata,
    Column("run_id", String(100), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("tenant", String(256), nullable=False),
    Column("dataset", String(256), nullable=False),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("mean", Float),
    Column("low", Float),
    Column("high", Float),
    Column("units", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("unmeasured", BigInteger, nullable=False),
    Index("ix_eval_metrics_dataset", "dataset", "name", "started_at_ms"),
)

#: The cells of a run. ``scores`` is JSON: by name the value, whether it passed, and the error's code.
eval_results = Table(
    "eval_results",
    metadata,
    Column("run_id", String(100), primary_key=True),
    Column("case_id", String(256), primary_key=True),
    Column("repeat", Integer, primary_key=True, autoincrement=False),
    Column("error", String(100)),
    Column("scores", Text, nullable=False),
    Column("latency_ms", Float),
    Column("ttft_ms", Float),
    Column("tokens_in", BigInteger),
    Column("tokens_out", BigInteger),
    Column("cost_nanousd", BigInteger),
    Column("cached", Boolean, nullable=False),
    Column("trace_id", String(32)),
    sqlite_with_rowid=False,
)

#: How far online evals have come with the log of one place. ``done``: judgements made beyond the positions, as JSON.
online_progress = Table(
    "online_progress",
    metadata,
    Column("place", String(64), primary_key=True),
    Column("positions", Text, nullable=False),
    Column("done", Text, nullable=False),
)

#: What online evals did each day (UTC), by rule.
online_days = Table(
    "online_days",
    metadata,
    Column("day", Date, primary_key=True),
    Column("rule", String(40), primary_key=True),
    Column("scored", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("unmeasured", BigInteger, nullable=False),
    Column("no_texts", BigInteger, nullable=False),
    Column("over_budget", BigInteger, nullable=False),
    Column("too_old", BigInteger, nullable=False),
    Column("spent_nanousd", BigInteger, nullable=False),
)

#: What a watch over drift has found last: JSON.
drift_reports = Table(
    "drift_reports",
    metadata,
    Column("watch", String(40), primary_key=True),
    Column("tenant", String(256)),
    Column("at_s", Float, nullable=False),
    Column("report", Text, nullable=False),
)

#: Who changed what. ``before`` and ``after`` are JSON; a ``tenant`` of NULL is the operator's matter.
audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("tenant", String(256)),
    Column("key_id", String(256)),
    Column("actor", String(256), nullable=False),
    Column("role", String(16), nullable=False),
    Column("actor_tenant", String(256)),
    Column("action", String(64), nullable=False),
    Column("object", String(256), nullable=False),
    Column("before", Text),
    Column("after", Text),
    Column("reason", Text),
    Index("ix_audit_tenant", "tenant", "id"),
    Index("ix_audit_object", "object", "id"),
    Index("ix_audit_action", "action", "id"),
    sqlite_autoincrement=True,
)

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

#: Promotions of baselines; rows are added and never changed. ``record`` is JSON of `evals.baselines.Baseline`.
eval_baselines = Table(
    "eval_baselines",
    metadata,
    Column("tenant", String(256), primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("run_id", String(100), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("record", Text, nullable=False),
    Index("ix_eval_baselines_run", "run_id"),
)

#: What gates decided. ``decision`` is JSON of `evals.gate.decision.Decision`.
eval_decisions = Table(
    "eval_decisions",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("tenant", String(256), nullable=False),
    Column("gate", String(100), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("dataset", String(256), nullable=False),
    Column("dataset_version", String(64), nullable=False),
    Column("baseline_run", String(100)),
    Column("candidate_run", String(100)),
    Column("at_ms", BigInteger, nullable=False),
    Column("decision", Text, nullable=False),
    Index("ix_eval_decisions_gate", "tenant", "gate", "at_ms"),
    Index("ix_eval_decisions_dataset", "tenant", "dataset", "dataset_version"),
)

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

#: Rollouts, each as it stands: ``plan``, ``state`` and ``evidence`` are JSON; ``tenant`` '*' is shared. ``revision``
#: counts the writes.
rollouts = Table(
    "rollouts",
    metadata,
    Column("id", String(20), primary_key=True),
    Column("tenant", String(256), nullable=False),
    Column("name", String(100), nullable=False),
    Column("stable", String(20), nullable=False),
    Column("candidate", String(20), nullable=False),
    Column("status", String(16), nullable=False),
    Column("plan", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("saying", Text, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("created_by", String(256), nullable=False),
    Column("reason", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Index("ix_rollouts_status", "status"),
    Index("ix_rollouts_name", "name", "created_at_ms"),
    Index("ix_rollouts_candidate", "candidate"),
)

#: What was decided of a rollout, and why.
rollout_events = Table(
    "rollout_events",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("rollout_id", String(20), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("action", String(16), nullable=False),
    Column("step", Integer, nullable=False),
    Column("share", Float, nullable=False),
    Column("by", String(256), nullable=False),
    Column("reason", Text, nullable=False),
    Index("ix_rollout_events_rollout_id", "rollout_id", "id"),
    sqlite_autoincrement=True,
)

#: Its evidence over time, to be drawn: ``marks`` is JSON, one mark for each guard.
rollout_evidence = Table(
    "rollout_evidence",
    metadata,
    Column("rollout_id", String(20), primary_key=True),
    Column("at_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("marks", Text, nullable=False),
)

#: The units that an open rollout has counted, as hashes: each is one observation.
rollout_units = Table(
    "rollout_units",
    metadata,
    Column("rollout_id", String(20), primary_key=True),
    Column("unit", String(24), primary_key=True),
    Column("first_ms", BigInteger, nullable=False),
)

#: Calls of open rollouts that had not ended when they should have, or whose gateway died. ``is_counted``: the evidence
#: has them, and only their cost is awaited.
rollout_late_calls = Table(
    "rollout_late_calls",
    metadata,
    Column("rollout_id", String(20), primary_key=True),
    Column("request_id", String(64), primary_key=True),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("tenant", String(256), nullable=False),
    Column("arm", String(256), nullable=False),
    Column("probability", Float, nullable=False),
    Column("key_id", String(256)),
    Column("user", String(256)),
    Column("session", String(256)),
    Column("trace_id", String(32)),
    Column("is_counted", Boolean, nullable=False),
)
