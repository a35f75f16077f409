"""``python -m evals.run_eval``: ten cases through the whole pipeline in-process; the result in ``evals/report.json``.

The model is the configured one (``LLM_PROVIDER``, ``LLM_MODEL``), by default the mock. Half of the cases demand JSON
that fits a schema. The eval engine does the work; this file says which cases, and writes the report: the last one, and
one for each run in ``results/`` beside it. A case that fails is a value in the report and never the end of the run;
afterwards the exit status is 1 if any case had an error. Deciding about releases is the gate's.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import msgspec

# From the checkout, whatever else is installed: an eval judges the code that lies beside it.
from src.llmops import Settings, Stack, __version__, load_settings
from src.llmops.assembly.asking import StackAsk
from src.llmops.errors import ConfigError
from src.llmops.evals.case import Case
from src.llmops.evals.dataset import Dataset
from src.llmops.evals.evaluation import evaluate
from src.llmops.evals.output import Output
from src.llmops.evals.result import Result
from src.llmops.evals.revision import git_revision
from src.llmops.evals.running import Run
from src.llmops.evals.score import Metric, Score
from src.llmops.evals.subjects.chat_request import ChatRequest
from src.llmops.evals.subjects.model import ModelSubject

FOLDER = Path(__file__).parent
CASES = FOLDER / "cases.jsonl"
REPORT = FOLDER / "report.json"
HISTORY = "results"


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of ``cases.jsonl``. With a ``schema`` the answer must be JSON that fits it."""

    id: str
    prompt: str
    schema: dict[str, Any] | None = None

    def case(self) -> Case:
        if self.schema is None:
            return Case(id=self.id, input=self.prompt)
        wanted = {"name": self.id, "strict": True, "schema": self.schema}
        request = {"response_format": {"type": "json_schema", "json_schema": wanted}}
        return Case(id=self.id, input=self.prompt, reference=self.schema, metadata={"request": request})


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """``ok``: answered, and with valid JSON where a schema asked for it. ``json_valid`` is None without a schema."""

    id: str
    ok: bool
    error: str | None
    json_valid: bool | None
    latency_ms: float
    tokens: dict[str, int]

    @classmethod
    def of(cls, result: Result, *, demands_json: bool) -> "CaseResult":
        output = result.output
        error = None
        if output.error is not None:
            error = f"{output.error.code}: {output.error.message}"
        elif not (output.text or output.refusal):
            error = "empty_answer: the model answered nothing"
        score = result.value("json_valid")
        valid = score == 1.0 if score is not None else (False if demands_json and error is None else None)
        prompt, completion = output.tokens_in or 0, output.tokens_out or 0
        return cls(
            id=result.case_id,
            ok=error is None and valid is not False,
            error=error,
            json_valid=valid,
            latency_ms=output.latency_ms or 0.0,
            tokens={"prompt": prompt, "completion": completion, "total": prompt + completion},
        )


@dataclass(frozen=True)
class FitsSchema:
    """Whether the answer is JSON that fits the case's schema; nothing to measure where there is none."""

    metrics: ClassVar = (Metric(name="json_valid"),)

    def score(self, case: Case, output: Output) -> Score:
        import jsonschema_rs

        if case.reference is None:
            return Score(name="json_valid", note="the case demands no JSON")
        try:
            fits = jsonschema_rs.is_valid(case.reference, msgspec.json.decode(output.text or ""))
        except msgspec.DecodeError:
            fits = False
        return Score(name="json_valid", value=float(fits), passed=fits)


def read_cases(path: Path) -> Dataset:
    """The cases; `ConfigError` for a file that is none or that holds an identifier twice."""
    try:
        lines = msgspec.json.Decoder(Line).decode_lines(path.read_bytes())
    except (OSError, msgspec.DecodeError) as exc:
        raise ConfigError([f"{path}: {exc}"], source="the cases") from exc
    return Dataset(path.stem, [line.case() for line in lines], source=str(path))


async def run_cases(settings: Settings, cases: Dataset) -> Run:
    """One case after the other, so that latencies are those of a single call; progress goes to stderr."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("cases", total=len(cases))
        async with Stack(settings) as stack:
            return await evaluate(
                cases,
                ModelSubject(StackAsk(stack), ChatRequest(model=settings.llm.model)),
                [FitsSchema()],
                concurrency=1,
                on_progress=lambda told: progress.update(task, completed=told.done),
            )


def results_of(run: Run, cases: Dataset) -> list[CaseResult]:
    """In the order of the file."""
    found = {each.case_id: each for each in run.results or []}
    return [CaseResult.of(found[case.id], demands_json=case.reference is not None) for case in cases.cases]


def summarise(run: Run, results: Sequence[CaseResult], cases: Dataset) -> dict[str, Any]:
    """The figures of a run. A case with a schema that had an error does not comply with it."""
    demanding = sum(case.reference is not None for case in cases.cases)
    spread = run.summary.latency_ms
    return {
        "json_compliance_rate": sum(each.json_valid is True for each in results) / demanding if demanding else None,
        "error_rate": sum(each.error is not None for each in results) / len(results),
        "latency_ms": None
        if spread is None
        else {name: getattr(spread, name) for name in ("mean", "p50", "p95", "p99", "max")},
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m evals.run_eval", description=__doc__)
    parser.add_argument("--cases", type=Path, default=CASES, help="a JSON object a line: id, prompt, schema")
    parser.add_argument("--report", type=Path, default=REPORT, help="where the report is written")
    parser.add_argument("--config", type=Path, help="configuration file")
    parser.add_argument("--json", action="store_true", help="print the report instead of a table")
    options = parser.parse_args(arguments)
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        settings, cases = load_settings(options.config), read_cases(options.cases)
        run = asyncio.run(run_cases(settings, cases))
    except ConfigError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 2
    results = results_of(run, cases)
    report = {
        **summarise(run, results, cases),
        "cases": results,
        "model": settings.llm.model,
        "provider": settings.llm.provider,
        "prompt_version": settings.prompts.version,
        "started_at": started_at,
        "version": __version__,
        "git_revision": git_revision(FOLDER),
    }
    document = write_report(report, run, options.report)
    if options.json:
        print(document.decode(), end="")
    else:
        print_report(report, results, options.report)
    return 1 if any(result.error for result in results) else 0


def write_report(report: dict[str, Any], run: Run, path: Path) -> bytes:
    """The report, and in ``results/`` the same with what identifies the run: its history."""
    document = msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"
    path.write_bytes(document)
    history = path.parent / HISTORY
    history.mkdir(exist_ok=True)
    kept = {"run_id": run.spec.run_id, "dataset_version": run.spec.dataset_version, **report}
    (history / f"{run.spec.run_id}.json").write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n")
    return document


def print_report(report: dict[str, Any], results: Sequence[CaseResult], path: Path) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("case", "ok", "JSON", "ms", "tokens", "error", box=None, header_style="bold")
    for result in results:
        table.add_row(
            result.id,
            _word(result.ok),
            _word(result.json_valid),
            f"{result.latency_ms:.1f}",
            str(result.tokens["total"]),
            Text(result.error or ""),
        )
    console = Console()
    console.print(table)
    compliance, latency = report["json_compliance_rate"], report["latency_ms"]
    console.print(
        f"{report['provider']}/{report['model']}: "
        f"JSON compliance {'none asked' if compliance is None else f'{compliance:.0%}'}, "
        f"errors {report['error_rate']:.0%}"
        + (f", latency mean {latency['mean']:.1f} ms, p95 {latency['p95']:.1f} ms" if latency else "")
        + f"\nwritten to {path}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _word(value: bool | None) -> str:
    return {True: "yes", False: "no", None: "-"}[value]


if __name__ == "__main__":
    sys.exit(main())
