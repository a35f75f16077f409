"""The tables of this version. What changes them comes with a migration in ``migrations/versions/``."""

from .alerts import alert_events, alert_letters, alert_signals, alerts, silences
from .assessments import assessments
from .audit import audit
from .base import metadata
from .datasets import eval_cases, eval_dataset_events, eval_dataset_labels, eval_dataset_versions, eval_datasets
from .evals import (
    drift_reports,
    eval_baselines,
    eval_decisions,
    eval_metrics,
    eval_results,
    eval_runs,
    online_days,
    online_progress,
)
from .identity import api_keys, tenants
from .processes import exports, leases, versions
from .prompts import prompt_comments, prompt_labels, prompt_moves, prompt_versions, prompts
from .releases import flags, release_moves, release_pointers, release_verdicts, releases
from .review import review_items, review_marks, review_queues
from .rollouts import rollout_events, rollout_evidence, rollout_late_calls, rollout_readings, rollout_units, rollouts
from .rollups import rollup_groups, rollup_marks, rollups
from .spend import calls, log_files, spend_rules, usage_days
from .traces import span_days, span_spools, span_texts, spans, traces

__all__ = [
    "alert_events",
    "alert_letters",
    "alert_signals",
    "alerts",
    "api_keys",
    "assessments",
    "audit",
    "calls",
    "drift_reports",
    "eval_baselines",
    "eval_cases",
    "eval_dataset_events",
    "eval_dataset_labels",
    "eval_dataset_versions",
    "eval_datasets",
    "eval_decisions",
    "eval_metrics",
    "eval_results",
    "eval_runs",
    "exports",
    "flags",
    "leases",
    "log_files",
    "metadata",
    "online_days",
    "online_progress",
    "prompt_comments",
    "prompt_labels",
    "prompt_moves",
    "prompt_versions",
    "prompts",
    "release_moves",
    "release_pointers",
    "release_verdicts",
    "releases",
    "review_items",
    "review_marks",
    "review_queues",
    "rollout_events",
    "rollout_evidence",
    "rollout_late_calls",
    "rollout_readings",
    "rollout_units",
    "rollouts",
    "rollup_groups",
    "rollup_marks",
    "rollups",
    "silences",
    "span_days",
    "span_spools",
    "span_texts",
    "spans",
    "spend_rules",
    "tenants",
    "traces",
    "usage_days",
    "versions",
]
