"""A run sent to an MLflow server, over its REST API: parameters are versions, metrics figures, artifacts the reports.

The same run sent again replaces what can be replaced: it is found by its tag. Scores of one run never mix with those of
another that has its name. What MLflow's own limits cut (250 characters of a name, 6,000 of a value) is cut here.
"""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import msgspec

from ...errors import StoreUnavailable
from ...telemetry.export.post import Post
from .report import Report
from .writing import write

_JSON = "application/json"
_AT_ONCE, _NAME_CHARS, _VALUE_CHARS = 100, 250, 6_000
_API, _FILES = "/api/2.0/mlflow", "/api/2.0/mlflow-artifacts/artifacts"
_NAME = re.compile(r"[^A-Za-z0-9_\-. /:]")
_STATES = {"complete": "FINISHED", "running": "RUNNING", "interrupted": "KILLED"}
_TAG = "llmops.run_id"


class MlflowRuns:
    """``url`` is the server's; headers may hold its credential. `StoreUnavailable` says what the server said."""

    def __init__(self, url: str, headers: dict[str, str] | None = None, *, timeout_s: float = 30.0) -> None:
        self._post = Post(url, headers or {}, timeout_s)

    def send(self, report: Report, experiment: str) -> str:
        """Make or bring up to date the run of this report; returns MLflow's id of it."""
        run = report.run
        experiment_id = self._experiment(experiment)
        run_id, where = self._run(report, experiment_id)
        self._batches(run_id, "params", _params(report))
        at_ms = run.ending.ended_at_ms or run.spec.started_at_ms
        metrics = [{"key": key, "value": value, "timestamp": at_ms, "step": 0} for key, value in _metrics(report)]
        self._batches(run_id, "metrics", metrics)
        for name, form in (("report.html", "html"), ("report.md", "markdown"), ("report.json", "json")):
            self._put(where, name, write(report, form).encode("utf-8", "replace"))  # type: ignore[arg-type]
        ending: dict[str, Any] = {"run_id": run_id, "status": _STATES[run.ending.state]}
        if run.ending.ended_at_ms is not None:
            ending["end_time"] = run.ending.ended_at_ms
        self._ask("runs/update", ending)
        return run_id

    def close(self) -> None:
        self._post.close()

    def _experiment(self, name: str) -> str:
        path = f"{self._post.path}{_API}/experiments/get-by-name?experiment_name={quote(name, safe='')}"
        known = self._post(path, b"", _JSON, method="GET")
        if known.sent is None:
            return str(self._read(known.body, "experiments/get-by-name")["experiment"]["experiment_id"])
        if not known.sent.why.startswith("HTTP 404"):
            raise StoreUnavailable(f"MLflow: {known.sent.why}")
        return str(self._ask("experiments/create", {"name": name})["experiment_id"])

    def _run(self, report: Report, experiment_id: str) -> tuple[str, str]:
        """Its id, and where its artifacts lie."""
        spec = report.run.spec
        wanted = {
            "experiment_ids": [experiment_id],
            "filter": f"tags.`{_TAG}` = '{spec.run_id}'",  # the pattern of our ids has no quotation mark
            "max_results": 1,
        }
        known = self._ask("runs/search", wanted).get("runs")
        if known:
            info = known[0]["info"]
        else:
            tags = {_TAG: spec.run_id, "mlflow.source.git.commit": spec.code_revision, "llmops.tenant": spec.tenant}
            tags |= {f"llmops.label.{name}": value for name, value in spec.labels.items()}
            made = self._ask(
                "runs/create",
                {
                    "experiment_id": experiment_id,
                    "run_name": spec.run_id,
                    "start_time": spec.started_at_ms,
                    "tags": [
                        {"key": _key(key), "value": value[:_VALUE_CHARS]}
                        for key, value in tags.items()
                        if value is not None
                    ],
                },
            )
            info = made["run"]["info"]
        return str(info["run_id"]), str(info["artifact_uri"])

    def _batches(self, run_id: str, what: str, entries: Iterable[dict[str, Any]]) -> None:
        listed = list(entries)
        for begin in range(0, len(listed), _AT_ONCE):
            self._ask("runs/log-batch", {"run_id": run_id, what: listed[begin : begin + _AT_ONCE]})

    def _put(self, where: str, name: str, body: bytes) -> None:
        """Through the server, which is how it has artifacts stored by default (``mlflow-artifacts:/…``)."""
        scheme, _, path = where.partition(":")
        if scheme != "mlflow-artifacts":
            raise StoreUnavailable(
                f"MLflow keeps this experiment's artifacts at {where[:200]!r}, where only it can write; start the "
                "server with --serve-artifacts"
            )
        path = path.lstrip("/")
        self._checked(self._post(f"{self._post.path}{_FILES}/{path}/{quote(name)}", body, "text/plain", method="PUT"))

    def _ask(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        found = self._checked(self._post(f"{self._post.path}{_API}/{what}", msgspec.json.encode(body), _JSON))
        return self._read(found, what)

    @staticmethod
    def _read(found: bytes, what: str) -> dict[str, Any]:
        try:
            answer = msgspec.json.decode(found) if found else {}
        except msgspec.DecodeError as exc:
            raise StoreUnavailable(f"MLflow's answer to {what} is no JSON: {found[:80]!r}") from exc
        return answer if isinstance(answer, dict) else {}

    @staticmethod
    def _checked(answer: Any) -> bytes:
        if answer.sent is not None:
            raise StoreUnavailable(f"MLflow: {answer.sent.why}")
        body: bytes = answer.body
        return body


def _params(report: Report) -> list[dict[str, str]]:
    spec = report.run.spec
    found: dict[str, Any] = {
        "dataset": spec.dataset,
        "dataset_version": spec.dataset_version,
        **{f"subject.{name}": value for name, value in spec.subject.items()},
        **{f"scorer.{number}": scorer for number, scorer in enumerate(spec.scorers)},
        "repeats": spec.repeats,
        "seed": spec.seed,
        "timeout_s": spec.timeout_s,
        "concurrency": spec.concurrency,
        "code_revision": spec.code_revision or "unknown",
    }
    if report.baseline is not None:
        found["baseline"] = report.baseline.spec.run_id
    return [{"key": _key(key), "value": str(value)[:_VALUE_CHARS]} for key, value in found.items()]


def _metrics(report: Report) -> list[tuple[str, float]]:
    summary = report.run.summary
    found: dict[str, float | None] = {
        "cells": summary.cells,
        "failed": summary.failed,
        "tokens_in": summary.tokens_in,
        "tokens_out": summary.tokens_out,
        "cost_usd": summary.cost_nanousd / 1e9,
        "judge_cost_usd": summary.judge_cost_nanousd / 1e9,
    }
    if summary.latency_ms is not None:
        found |= {"latency_ms.p50": summary.latency_ms.p50, "latency_ms.p95": summary.latency_ms.p95}
    for figure in summary.metrics:
        found |= {
            figure.name: figure.mean,
            f"{figure.name}.low": figure.low,
            f"{figure.name}.high": figure.high,
            f"{figure.name}.n": figure.n,
            f"{figure.name}.errors": figure.errors,
        }
    if report.comparison is not None:
        for each in report.comparison.differences:
            found |= {f"{each.metric}.gain": each.mean, f"{each.metric}.gain.low": each.low}
            found[f"{each.metric}.gain.high"] = each.high
    return [(_key(key), float(value)) for key, value in found.items() if value is not None]


def _key(name: str) -> str:
    return _NAME.sub("_", name)[:_NAME_CHARS]
