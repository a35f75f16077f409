"""A dashboard for Grafana: panels as values, and the JSON that Grafana imports.

Queries use recording rules where there is one, so that an open page costs Prometheus little. The data source and the
model are variables of the dashboard.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from ..slo.burn import WINDOWS_S
from .slo_rules import burn

UID = "llmops-gateway"
_WIDTH, _HEIGHT = 8, 7
_COLUMNS = 3
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_RATE = "$__rate_interval"
_OF_MODEL = 'model=~"$model"'

Unit = Literal["reqps", "percentunit", "s", "currencyUSD", "short", "bytes", "none"]
Look = Literal["timeseries", "stat", "table"]


class Panel(msgspec.Struct, frozen=True):
    """``queries`` by their legend."""

    title: str
    queries: Sequence[tuple[str, str]]
    unit: Unit = "short"
    look: Look = "timeseries"


class Row(msgspec.Struct, frozen=True):
    title: str
    panels: Sequence[Panel]


def _sum(by: str, metric: str, *matchers: str) -> str:
    return f"sum by ({by}) (rate({metric}{{{', '.join(matchers)}}}[{_RATE}]))"


ROWS: Sequence[Row] = (
    Row(
        "Calls",
        (
            Panel("Calls", [("{{model}}", f"model:llm_requests:rate5m{{{_OF_MODEL}}}")], "reqps"),
            Panel("Failing calls", [("{{model}}", f"model:llm_errors:ratio_rate5m{{{_OF_MODEL}}}")], "percentunit"),
            Panel("Why calls fail", [("{{error_type}}", _sum("error_type", "llm_errors_total", _OF_MODEL))], "reqps"),
            Panel(
                "Latency",
                [
                    (f"{p} {{{{model}}}}", f"model:llm_latency_seconds:{p}_5m{{{_OF_MODEL}}}")
                    for p in ("p50", "p95", "p99")
                ],
                "s",
            ),
            Panel(
                "Time to first content",
                [(f"{p} {{{{model}}}}", f"model:llm_ttft_seconds:{p}_5m{{{_OF_MODEL}}}") for p in ("p50", "p95")],
                "s",
            ),
            Panel("Under way", [("calls", "sum(llm_requests_in_flight)")]),
            Panel(
                "Refused by limits",
                [("{{limit}} ({{kind}})", _sum("limit, kind", "llm_limiter_refusals_total"))],
                "reqps",
            ),
            Panel("Refused tenants", [("{{tenant}}", _sum("tenant", "llm_limiter_refusals_total"))], "reqps"),
            Panel("Waiting for room under limits", [("calls", "sum(llm_limiter_waiting)")]),
        ),
    ),
    Row(
        "Money and tokens",
        (
            Panel(
                "Dollars an hour", [("{{model}}", f"model:llm_cost_usd:rate5m{{{_OF_MODEL}}} * 3600")], "currencyUSD"
            ),
            Panel("Tokens a second", [("{{type}}", _sum("type", "llm_tokens_total", _OF_MODEL))]),
            Panel(
                "Saved by the cache, dollars an hour",
                [("{{model}}", _sum("model", "llm_cache_saved_usd_total", _OF_MODEL) + " * 3600")],
                "currencyUSD",
            ),
            Panel(
                "Answered by the cache",
                [("{{model}}", f"model:llm_cache_answered:ratio_rate5m{{{_OF_MODEL}}}")],
                "percentunit",
            ),
            Panel(
                "JSON that was demanded",
                [("valid: {{valid}}", _sum("valid", "llm_json_answers_total", _OF_MODEL))],
                "reqps",
            ),
            Panel("Without a price", [("{{model}}", _sum("model", "llm_unpriced_calls_total", _OF_MODEL))], "reqps"),
        ),
    ),
    Row(
        "Objectives",
        (
            Panel(
                "Budget left (30 days)",
                [("{{slo}} {{model}} {{release}} {{tenant}}", "slo:llmops_slo_budget_left:ratio_30d")],
                "percentunit",
                "stat",
            ),
            Panel(
                "Burn rate",
                [
                    (f"{{{{slo}}}} {{{{model}}}} {name}", burn(name))
                    for name in WINDOWS_S
                    if name in ("5m", "1h", "6h", "3d")
                ],
            ),
            Panel("Alerts", [("", 'ALERTS{alertstate="firing", alertname=~"LLM.*"}')], "none", "table"),
        ),
    ),
    Row(
        "Upstreams",
        (
            Panel(
                "Attempts", [("{{deployment}} {{outcome}}", _sum("deployment, outcome", "llm_attempts_total"))], "reqps"
            ),
            Panel(
                "Breakers that are not closed",
                [("{{deployment}} {{state}}", 'max by (deployment, state) (llm_breaker_state{state!="closed"}) > 0')],
            ),
            Panel(
                "Retries and failovers",
                [
                    ("retries {{model}}", _sum("model", "llm_retries_total")),
                    ("failovers {{model}}", _sum("model", "llm_failovers_total")),
                ],
                "reqps",
            ),
            Panel(
                "Places taken",
                [
                    (
                        "{{deployment}}",
                        "sum by (deployment) (llm_deployment_calls_in_flight)"
                        " / sum by (deployment) (llm_deployment_places)",
                    )
                ],
                "percentunit",
            ),
            Panel("Last resorts", [("{{model}} {{resort}}", _sum("model, resort", "llm_degraded_total"))], "reqps"),
            Panel(
                "Turned away", [("{{sign}} {{priority}}", _sum("sign, priority", "llmops_calls_shed_total"))], "reqps"
            ),
        ),
    ),
    Row(
        "Records",
        (
            Panel(
                "Records that wait, and are lost",
                [("waiting", "sum(llmops_log_records_waiting)"), ("lost", "sum(llmops_log_records_dropped_total)")],
            ),
            Panel("Log that is not in the database", [("bytes", "max(llmops_ingest_behind_bytes)")], "bytes"),
            Panel("Ledger", [("open", "sum(llmops_ledger_open)"), ("unwritten", "sum(llmops_ledger_unwritten_total)")]),
            Panel(
                "Spans of other programs",
                [
                    (name, f"sum(rate(llmops_spans_{name}_total[{_RATE}]))")
                    for name in ("accepted", "stored", "rejected", "damaged")
                ],
            ),
            Panel("Exports", [("{{export}} {{fate}}", _sum("export, fate", "llmops_export_spans_total"))]),
            Panel("Waiting for an export", [("{{export}}", "max by (export) (llmops_export_waiting_bytes)")], "bytes"),
        ),
    ),
)


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row in ROWS:
        panels.append(_heading(row.title, len(panels) + 1, top))
        top += 1
        for number, panel in enumerate(row.panels):
            down, right = divmod(number, _COLUMNS)
            at = {"x": right * _WIDTH, "y": top + down * _HEIGHT, "w": _WIDTH, "h": _HEIGHT}
            panels.append(_panel(panel, len(panels) + 1, at))
        top += -(-len(row.panels) // _COLUMNS) * _HEIGHT
    return {
        "uid": UID,
        "title": "LLM gateway",
        "tags": ["llmops"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_data_source(), _models()]},
        "panels": panels,
    }


def _heading(title: str, number: int, top: int) -> dict[str, Any]:
    at = {"x": 0, "y": top, "w": _WIDTH * _COLUMNS, "h": 1}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": at, "panels": []}


def _panel(panel: Panel, number: int, at: dict[str, int]) -> dict[str, Any]:
    table = panel.look == "table"
    return {
        "id": number,
        "type": panel.look,
        "title": panel.title,
        "datasource": _SOURCE,
        "gridPos": at,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0} if panel.look == "timeseries" else {"unit": panel.unit},
            "overrides": [],
        },
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}} if panel.look == "timeseries" else {},
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": _SOURCE,
                "expr": query,
                "legendFormat": legend,
                **({"format": "table", "instant": True} if table else {}),
            }
            for place, (legend, query) in enumerate(panel.queries)
        ],
    }


def _data_source() -> dict[str, Any]:
    return {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"}


def _models() -> dict[str, Any]:
    return {
        "name": "model",
        "type": "query",
        "label": "Model",
        "datasource": _SOURCE,
        "query": {"query": "label_values(llm_requests_total, model)", "refId": "models"},
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }
