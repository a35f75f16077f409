"""Configurations of log shippers that read ``gateway.jsonl``: Promtail, Vector, Filebeat and the CloudWatch agent.

All follow the file by its name and know rotation by renaming, read a line as one JSON object, take its own timestamp,
and leave the line as it is. Labels and dimensions are few and bounded (operation, status class); what has many values,
such as tenants and users, stays in the line and is searched there. Also here: the metrics for a StatsD server, which
Vector scrapes and sends on, since the gateway offers Prometheus' form alone.
"""

from pathlib import Path
from typing import Any


def promtail(log: Path, loki: str = "http://127.0.0.1:3100/loki/api/v1/push") -> dict[str, Any]:
    """To Loki. Rotated files are older lines of the same file, so only the current name is followed."""
    fields = {"timestamp": "timestamp", "operation": "operation", "status": "status"}
    return {
        "server": {"http_listen_port": 9080, "grpc_listen_port": 0},
        "positions": {"filename": "/var/lib/promtail/positions.yaml"},
        "clients": [{"url": loki}],
        "scrape_configs": [
            {
                "job_name": "llmops",
                "static_configs": [{"targets": ["localhost"], "labels": {"job": "llmops", "__path__": str(log)}}],
                "pipeline_stages": [
                    {"json": {"expressions": fields}},
                    {"timestamp": {"source": "timestamp", "format": "RFC3339Nano"}},
                    {"labels": {"operation": None, "status": None}},
                ],
            }
        ],
    }


def vector(log: Path, elasticsearch: str = "http://127.0.0.1:9200") -> dict[str, Any]:
    """To Elasticsearch or OpenSearch; any other of Vector's sinks takes the same events."""
    return {
        "data_dir": "/var/lib/vector",
        "sources": {"llmops_log": {"type": "file", "include": [str(log)], "read_from": "beginning"}},
        "transforms": {
            "llmops_calls": {
                "type": "remap",
                "inputs": ["llmops_log"],
                "source": (
                    ". = object!(parse_json!(string!(.message)))\n"
                    '.timestamp = parse_timestamp!(string!(.timestamp), "%+")\n'
                ),
            }
        },
        "sinks": {
            "elasticsearch": {
                "type": "elasticsearch",
                "inputs": ["llmops_calls"],
                "endpoints": [elasticsearch],
                "mode": "bulk",
                "id_key": "request_id",
                "bulk": {"index": "llmops-calls-%Y.%m.%d"},
            }
        },
    }


def filebeat(log: Path, elasticsearch: str = "http://127.0.0.1:9200") -> dict[str, Any]:
    """To Elasticsearch. ``document_id`` makes a line that is sent twice one document."""
    ndjson = {"target": "llmops", "add_error_key": True, "document_id": "request_id"}
    timestamp = {
        "field": "llmops.timestamp",
        "layouts": ["2006-01-02T15:04:05.000Z"],
        "test": ["2026-01-02T03:04:05.678Z"],
    }
    return {
        "filebeat.inputs": [
            {"type": "filestream", "id": "llmops-gateway", "paths": [str(log)], "parsers": [{"ndjson": ndjson}]}
        ],
        "processors": [{"timestamp": timestamp}],
        "output.elasticsearch": {"hosts": [elasticsearch], "index": "llmops-calls-%{+yyyy.MM.dd}"},
        "setup.ilm.enabled": False,
        "setup.template.name": "llmops-calls",
        "setup.template.pattern": "llmops-calls-*",
    }


def cloudwatch(log: Path) -> dict[str, Any]:
    """For the CloudWatch agent; CloudWatch Logs Insights reads JSON lines without further ado."""
    collected = {
        "file_path": str(log),
        "log_group_name": "/llmops/gateway",
        "log_stream_name": "{instance_id}",
        "timestamp_format": "%Y-%m-%dT%H:%M:%S",
        "timezone": "UTC",
        "retention_in_days": 30,
    }
    return {"logs": {"logs_collected": {"files": {"collect_list": [collected]}}}}


def statsd(target: str, server: str = "127.0.0.1:8125") -> dict[str, Any]:
    """Vector scrapes the metrics and sends them on to a StatsD server."""
    return {
        "data_dir": "/var/lib/vector",
        "sources": {
            "llmops_metrics": {
                "type": "prometheus_scrape",
                "endpoints": [f"http://{target}/metrics"],
                "scrape_interval_secs": 15,
            }
        },
        "sinks": {"statsd": {"type": "statsd", "inputs": ["llmops_metrics"], "mode": "udp", "address": server}},
    }
