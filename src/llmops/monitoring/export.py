"""What other monitoring systems need, as files: ``llmops monitoring export`` writes them.

Made from the metric table and the definitions beside it. They name no secrets and no objectives, so they are to be
written anew after an upgrade, and not after a change of the configuration.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from . import shipping
from .prometheus import configuration
from .prometheus.dashboard import dashboard
from .prometheus.gateway_rules import alert_groups, recording_groups
from .prometheus.rule import as_file
from .prometheus.slo_rules import slo_groups

NOTE = "# Made by `llmops monitoring export`; write it anew after an upgrade.\n"


def files(log: Path, target: str, *, with_key: bool) -> Mapping[str, str]:
    """Texts by their path. ``target`` is the gateway's host and port; ``with_key``: it wants a key of a viewer."""
    return {
        "prometheus.yml": _yaml(configuration.prometheus(target, with_key=with_key)),
        f"{configuration.RULES}/llmops-recording.yml": _yaml(as_file(recording_groups())),
        f"{configuration.RULES}/llmops-alerts.yml": _yaml(as_file(alert_groups())),
        f"{configuration.RULES}/llmops-slo.yml": _yaml(as_file(slo_groups())),
        "alertmanager.yml": _yaml(configuration.alertmanager()),
        "grafana/dashboards/llmops.json": _json(dashboard()),
        "grafana/provisioning/datasources/llmops.yml": _yaml(configuration.grafana_data_source()),
        "grafana/provisioning/dashboards/llmops.yml": _yaml(configuration.grafana_dashboards()),
        "logs/promtail.yml": _yaml(shipping.promtail(log)),
        "logs/vector.yml": _yaml(shipping.vector(log)),
        "logs/filebeat.yml": _yaml(shipping.filebeat(log)),
        "logs/cloudwatch-agent.json": _json(shipping.cloudwatch(log)),
        "statsd/vector.yml": _yaml(shipping.statsd(target)),
    }


def write(folder: Path, found: Mapping[str, str]) -> list[Path]:
    """Write them below ``folder``, over what is there; raises `OSError`."""
    written = []
    for name, text in found.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as such."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def _yaml(value: Any) -> str:
    return NOTE + yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"
