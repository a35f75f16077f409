"""Calls as traces: their spans' ids, session, timings and what is shown of an answer; indexes for the searches."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_COLUMNS = (
    ("trace_id", sa.String(32)),
    ("span_id", sa.String(16)),
    ("parent_span_id", sa.String(16)),
    ("session", sa.String(256)),
    ("attempts", sa.Integer),
    ("finish_reason", sa.String(256)),
    ("upstream_model", sa.String(256)),
    ("upstream_id", sa.String(256)),
    ("degraded", sa.String(256)),
    ("timings", sa.Text),
)
_INDEXES = (
    ("ix_calls_trace_id", ("day", "trace_id"), None),
    ("ix_calls_session", ("day", "session", "started_at_ms"), "session IS NOT NULL"),
    ("ix_calls_user", ("day", "user", "started_at_ms"), '"user" IS NOT NULL'),
    ("ix_calls_error_type", ("started_at_ms",), "error_type IS NOT NULL"),
)
_FIGURES = ("latency_ms", "cost_nanousd")
_WIDENED = {"ix_calls_started_at_ms": ("started_at_ms",), "ix_calls_tenant": ("tenant", "started_at_ms")}


def upgrade() -> None:
    for name, kind in _COLUMNS:
        op.add_column("calls", sa.Column(name, kind))
    for name in _WIDENED:
        op.drop_index(name, "calls")
    for name, columns, where in (*_INDEXES, *((name, (*begin, *_FIGURES), None) for name, begin in _WIDENED.items())):
        condition = sa.text(where) if where is not None else None
        op.create_index(name, "calls", list(columns), sqlite_where=condition, postgresql_where=condition)
    op.create_index("ix_traces_trace_id", "traces", ["trace_id"])
    op.create_index("ix_traces_started_us", "traces", ["started_us"])


def downgrade() -> None:
    op.drop_index("ix_traces_started_us", "traces")
    op.drop_index("ix_traces_trace_id", "traces")
    for name, _columns, _where in _INDEXES:
        op.drop_index(name, "calls")
    for name, columns in _WIDENED.items():
        op.drop_index(name, "calls")
        op.create_index(name, "calls", list(columns))
    for name, _kind in reversed(_COLUMNS):
        op.drop_column("calls", name)
