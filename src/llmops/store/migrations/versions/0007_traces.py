"""Spans from outside, the traces they make up, and their captured text with an index over its words."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table("spans", *_span_columns(), postgresql_partition_by="RANGE (day)")
    op.create_index("ix_spans_tenant", "spans", ["tenant", "started_us"])
    op.create_index("ix_spans_day", "spans", ["day"])
    op.create_table(
        "traces",
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("trace_id", sa.String(32), nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("started_us", sa.BigInteger, nullable=False),
        sa.Column("ended_us", sa.BigInteger, nullable=False),
        sa.Column("name", sa.String(256)),
        *(sa.Column(name, sa.String(256)) for name in ("service", "session", "user", "release_id")),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("spans", "errors", "input_tokens", "output_tokens", "cost_nanousd")
        ),
        sa.PrimaryKeyConstraint("tenant", "trace_id", name="pk_traces"),
    )
    op.create_index("ix_traces_tenant", "traces", ["tenant", "started_us"])
    op.create_index("ix_traces_session", "traces", ["tenant", "session", "started_us"])
    op.create_index("ix_traces_user", "traces", ["tenant", "user", "started_us"])
    op.create_index("ix_traces_day", "traces", ["day"])
    op.create_table(
        "span_texts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("trace_id", sa.String(32), nullable=False),
        sa.Column("span_id", sa.String(16), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_span_texts"),
        sqlite_autoincrement=True,  # an id that was used is not used again, or the index would miss it
    )
    op.create_index("ix_span_texts_day", "span_texts", ["day"])
    op.create_index("ix_span_texts_trace_id", "span_texts", ["trace_id"])
    op.create_table(
        "span_days",
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("spans", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("masked", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("day", name="pk_span_days"),
    )
    op.create_table(
        "span_spools",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("read_bytes", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("stored", "known", "damaged")),
        sa.Column("updated_at_s", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_span_spools"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE INDEX ix_span_texts_words ON span_texts USING gin (to_tsvector('simple', text))")
    else:
        # Its text is that of `span_texts`. Positions of words, which only phrases need, would cost as much again.
        op.execute(
            "CREATE VIRTUAL TABLE span_texts_fts USING fts5("
            "text, tenant, content='span_texts', content_rowid='id', detail=column, columnsize=0)"
        )
        op.create_table(
            "span_texts_indexed",
            sa.Column("one", sa.Integer, nullable=False),
            sa.Column("up_to_id", sa.Integer, nullable=False),
            sa.PrimaryKeyConstraint("one", name="pk_span_texts_indexed"),
        )
        op.execute("INSERT INTO span_texts_indexed VALUES (1, 0)")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.drop_table("span_texts_indexed")
        op.drop_table("span_texts_fts")
    for table in ("span_spools", "span_days", "span_texts", "traces", "spans"):
        op.drop_table(table)


def _span_columns() -> list[sa.schema.SchemaItem]:
    texts = ("service", "model", "provider", "session", "user", "release_id", "prompt_version")
    return [
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("trace_id", sa.String(32), nullable=False),
        sa.Column("span_id", sa.String(16), nullable=False),
        sa.Column("parent_id", sa.String(16)),
        sa.Column("name", sa.String(256), nullable=False),
        *(sa.Column(name, sa.String(16), nullable=False) for name in ("kind", "step", "status", "convention")),
        sa.Column("started_us", sa.BigInteger, nullable=False),
        sa.Column("duration_us", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.String(256)) for name in texts),
        *(sa.Column(name, sa.BigInteger) for name in ("input_tokens", "output_tokens", "cost_nanousd", "ttft_us")),
        sa.Column("rest", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("trace_id", "span_id", "tenant", "day", name="pk_spans"),
    ]
