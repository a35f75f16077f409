"""What ``llmops monitoring export`` writes: the real tools accept it, and it names only metrics that there are."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops.monitoring.export import files
from llmops.monitoring.prometheus.dashboard import ROWS, dashboard
from llmops.monitoring.prometheus.gateway_rules import alert_groups, recording_groups
from llmops.monitoring.prometheus.rule import Recording
from llmops.monitoring.prometheus.slo_rules import slo_groups
from llmops.telemetry.metric_table import LABELS, SERIES
from tests.serving import llmops

from .prometheus.tools import asked, tool, write_yaml

_OURS = re.compile(r"\b(?:llm|llmops)_\w+|\b(?:slo|model):[\w:]+")
GROUPS = [*recording_groups(), *alert_groups(), *slo_groups()]
RECORDED = {rule.record for group in GROUPS for rule in group.rules if isinstance(rule, Recording)}
RULES = [rule for group in GROUPS for rule in group.rules]
QUERIES = [
    pytest.param(query, id=f"{panel.title}-{legend}")
    for row in ROWS
    for panel in row.panels
    for legend, query in panel.queries
]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    done = llmops("monitoring", "export", "out", "--target", "gateway.example:8000", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(files(Path("x"), "y", with_key=False))
    return tmp_path / "out"


def test_prometheus_accepts_its_files(written: Path) -> None:
    said = asked(tool("promtool"), "check", "config", "prometheus.yml", folder=written)
    assert said.count("SUCCESS") == 5, said  # the configuration, that it names rules, and three files of them
    assert "gateway.example:8000" in (written / "prometheus.yml").read_text()


def test_alertmanager_accepts_its_file_and_sends_pages_elsewhere_than_tickets(written: Path) -> None:
    amtool = tool("amtool", "prometheus-alertmanager")
    assert "SUCCESS" in asked(amtool, "check-config", "alertmanager.yml", folder=written)
    for severity, receiver in (("page", "page"), ("ticket", "ticket")):
        routed = asked(
            *(amtool, "config", "routes", "test", "--config.file=alertmanager.yml", f"severity={severity}"),
            folder=written,
        )
        assert routed.splitlines()[0] == receiver


def test_a_key_is_named_by_its_file_alone(tmp_path: Path) -> None:
    (tmp_path / "prometheus.yml").write_text(files(tmp_path, "h:1", with_key=True)["prometheus.yml"])
    (scrape,) = yaml.safe_load((tmp_path / "prometheus.yml").read_text())["scrape_configs"]
    assert scrape["authorization"] == {"type": "Bearer", "credentials_file": "/etc/prometheus/llmops.key"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: getattr(rule, "record", None) or rule.alert)
def test_a_rule_names_only_what_there_is(rule: Any) -> None:
    assert set(_OURS.findall(rule.expr)) <= SERIES | RECORDED


@pytest.mark.parametrize("query", QUERIES)
def test_a_panel_names_only_what_there_is(query: str) -> None:
    named = set(_OURS.findall(query))
    assert (named or "ALERTS" in query) and named <= SERIES | RECORDED
    labels = re.findall(r"(\w+)(?:=~|!~|!=|=)\"", query) + re.findall(r"by \(([\w, ]+)\)", query)
    used = {label.strip() for each in labels for label in each.split(",")}
    assert used <= {*LABELS, "le", "alertstate", "alertname"}


def test_every_query_of_the_dashboard_is_one_that_prometheus_understands(tmp_path: Path) -> None:
    """promtool reads rules: each query is the expression of one."""
    rules = [
        {"record": "panel:query", "expr": target["expr"].replace("$__rate_interval", "5m").replace("$model", ".*")}
        for panel in dashboard()["panels"]
        for target in panel.get("targets", [])
    ]
    for number, rule in enumerate(rules):
        rule["record"] = f"panel:query_{number}"
    assert len(rules) == len(QUERIES)
    file = write_yaml(tmp_path / "rules.yml", {"groups": [{"name": "panels", "rules": rules}]})
    assert f"{len(rules)} rules found" in asked(tool("promtool"), "check", "rules", file, folder=tmp_path)


def test_the_dashboard_is_laid_out_without_overlaps(written: Path) -> None:
    shown = json.loads((written / "grafana/dashboards/llmops.json").read_text())
    assert len({panel["id"] for panel in shown["panels"]}) == len(shown["panels"])
    cells: set[tuple[int, int]] = set()
    for panel in shown["panels"]:
        at = panel["gridPos"]
        taken = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not taken & cells and at["x"] + at["w"] <= 24
        cells |= taken


def test_log_shippers_follow_this_log(written: Path, tmp_path: Path) -> None:
    log = str((tmp_path / "runs/logs/gateway.jsonl").resolve())
    promtail = yaml.safe_load((written / "logs/promtail.yml").read_text())
    assert promtail["scrape_configs"][0]["static_configs"][0]["labels"]["__path__"] == log
    vector = yaml.safe_load((written / "logs/vector.yml").read_text())
    assert vector["sources"]["llmops_log"]["include"] == [log]
    assert vector["sinks"]["elasticsearch"]["inputs"] == list(vector["transforms"])
    filebeat = yaml.safe_load((written / "logs/filebeat.yml").read_text())
    assert filebeat["filebeat.inputs"][0]["paths"] == [log]
    cloudwatch = json.loads((written / "logs/cloudwatch-agent.json").read_text())
    assert cloudwatch["logs"]["logs_collected"]["files"]["collect_list"][0]["file_path"] == log
    statsd = yaml.safe_load((written / "statsd/vector.yml").read_text())
    assert statsd["sources"]["llmops_metrics"]["endpoints"] == ["http://gateway.example:8000/metrics"]


def test_the_fields_that_shippers_read_are_in_every_line() -> None:
    from llmops.telemetry.record import CallRecord

    read = {"timestamp", "operation", "status", "request_id"}
    assert read <= set(CallRecord.__struct_fields__)


def test_a_folder_that_cannot_be_written_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    done = llmops("monitoring", "export", "taken", folder=tmp_path)
    assert done.returncode == 1 and "cannot be written" in done.stderr and "Traceback" not in done.stderr
