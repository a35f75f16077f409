"""The configurations of a Prometheus, an Alertmanager and a Grafana around the rules and the dashboard."""

from typing import Any

from .gateway_rules import JOB

RULES = "rules"
KEY_FILE = "/etc/prometheus/llmops.key"


def prometheus(target: str, *, with_key: bool, alertmanager: str = "127.0.0.1:9093") -> dict[str, Any]:
    """``with_key``: once there are keys, a scrape needs one of a viewer, which lies in `KEY_FILE`."""
    authorization = {"authorization": {"type": "Bearer", "credentials_file": KEY_FILE}} if with_key else {}
    return {
        "global": {"scrape_interval": "15s", "evaluation_interval": "30s"},
        "rule_files": [f"{RULES}/*.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [
            {"job_name": JOB, "metrics_path": "/metrics", **authorization, "static_configs": [{"targets": [target]}]}
        ],
    }


def alertmanager(page_url: str = "http://127.0.0.1:9099/page", ticket_url: str = "") -> dict[str, Any]:
    """What wakes somebody and what waits until morning go different ways; a page silences the ticket about the same."""
    return {
        "route": {
            "receiver": "ticket",
            "group_by": ["alertname", "slo", "model", "tenant", "deployment"],
            "group_wait": "30s",
            "group_interval": "5m",
            "repeat_interval": "12h",
            "routes": [{"matchers": ['severity="page"'], "receiver": "page", "repeat_interval": "1h"}],
        },
        "receivers": [
            {"name": "page", "webhook_configs": [{"url": page_url, "send_resolved": True}]},
            {"name": "ticket", "webhook_configs": [{"url": ticket_url or page_url, "send_resolved": True}]},
        ],
        "inhibit_rules": [
            {
                "source_matchers": ['severity="page"'],
                "target_matchers": ['severity="ticket"'],
                "equal": ["alertname", "slo", "model", "operation", "release", "tenant", "deployment"],
            }
        ],
    }


def grafana_data_source(url: str = "http://127.0.0.1:9090") -> dict[str, Any]:
    source = {"name": "Prometheus", "type": "prometheus", "access": "proxy", "url": url, "isDefault": True}
    return {"apiVersion": 1, "datasources": [source]}


def grafana_dashboards(folder: str = "/var/lib/grafana/dashboards/llmops") -> dict[str, Any]:
    provider = {"name": "llmops", "folder": "LLMOps", "type": "file", "options": {"path": folder}}
    return {"apiVersion": 1, "providers": [provider]}
