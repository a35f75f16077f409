"""Runs of evals, online evals, drift, and what gates decided."""

from sqlalchemy import BigInteger, Boolean, Column, Date, Float, Index, Integer, String, Table, Text

from .base import metadata

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
