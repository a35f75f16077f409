"""``python -m evals.run_eval``: ten cases through the whole pipeline in-process; the result in ``evals/report.json``.

The model is the configured one (``LLM_PROVIDER``, ``LLM_MODEL``), by default the mock. Half of the cases demand JSON
that fits a schema. A case that fails is a value in the report and never the end of the run; afterwards the exit status
is 1 if any case had an error. The statistics that decide about releases are the eval engine's, not this file's.
"""

import argparse
import asyncio
import math
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

# From the checkout, whatever else is installed: an eval judges the code that lies beside it.
from src.llmops import Settings, Stack, __version__, load_settings
from src.llmops.errors import ConfigError, LLMOpsError
from src.llmops.types import Usage

FOLDER = Path(__file__).parent
CASES = FOLDER / "cases.jsonl"
REPORT = FOLDER / "report.json"


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of ``cases.jsonl``. With a ``schema`` the answer must be JSON that fits it."""

    id: str
    prompt: str
    schema: dict[str, Any] | None = None

    def request(self, model: str) -> dict[str, Any]:
        body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": self.prompt}]}
        if self.schema is not None:
            wanted = {"name": self.id, "strict": True, "schema": self.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": wanted}
        return body


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """``ok``: answered, and with valid JSON where a schema asked for it. ``json_valid`` is None without a schema."""

    id: str
    ok: bool
    error: str | None
    json_valid: bool | None
    latency_ms: float
    tokens: dict[str, int]


class Latency(NamedTuple):
    """Milliseconds over all cases that were answered; percentiles by nearest rank."""

    mean: float
    p50: float
    p95: float
    p99: float
    max: float


def read_cases(path: Path) -> list[Case]:
    """The cases; `ConfigError` for a file that is none or that holds an identifier twice."""
    try:
        cases = msgspec.json.Decoder(Case).decode_lines(path.read_bytes())
    except (OSError, msgspec.DecodeError) as exc:
        raise ConfigError([f"{path}: {exc}"], source="the cases") from exc
    if not cases:
        raise ConfigError([f"{path}: there are no cases"], source="the cases")
    name, times = Counter(case.id for case in cases).most_common(1)[0]
    if times > 1:
        raise ConfigError([f"{path}: {name!r} is there twice"], source="the cases")
    return cases


async def run_case(stack: Stack, case: Case, model: str) -> CaseResult:
    """Call and judge; whatever goes wrong with the call becomes the result's ``error``."""
    started_s = time.perf_counter()
    error, json_valid, usage = None, None, Usage()
    try:
        reply = await stack.call("chat", case.request(model))
        usage, json_valid = reply.outcome.usage, reply.json_valid
        if not _text(reply.body):
            error = "empty_answer: the model answered nothing"
    except LLMOpsError as exc:
        error = f"{exc.code}: {exc.message}"
    except msgspec.DecodeError as exc:
        error = f"unreadable_answer: {exc}"
    if case.schema is not None and error is None:
        json_valid = bool(json_valid)
    return CaseResult(
        id=case.id,
        ok=error is None and json_valid is not False,
        error=error,
        json_valid=json_valid,
        latency_ms=round((time.perf_counter() - started_s) * 1000, 3),
        tokens={"prompt": usage.prompt, "completion": usage.completion, "total": usage.total},
    )


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message


class _Completion(msgspec.Struct):
    choices: list[_Choice]


def _text(body: bytes) -> str:
    """What the first choice says; empty where it says nothing."""
    choices = msgspec.json.decode(body, type=_Completion).choices
    return (choices[0].message.content or choices[0].message.refusal or "") if choices else ""


async def evaluate(settings: Settings, cases: Sequence[Case]) -> list[CaseResult]:
    """One case after the other, so that latencies are those of a single call; progress goes to stderr."""
    from rich.console import Console
    from rich.progress import Progress

    results = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("cases", total=len(cases))
        async with Stack(settings) as stack:
            for case in cases:
                results.append(await run_case(stack, case, settings.llm.model))
                progress.advance(task)
    return results


def summarise(results: Sequence[CaseResult], cases: Sequence[Case]) -> dict[str, Any]:
    """The figures of a run. A case with a schema that had an error does not comply with it."""
    demanding = [case.id for case in cases if case.schema is not None]
    valid = sum(result.json_valid is True for result in results)
    latencies = [result.latency_ms for result in results if result.error is None]
    return {
        "json_compliance_rate": valid / len(demanding) if demanding else None,
        "error_rate": sum(result.error is not None for result in results) / len(results),
        "latency_ms": latency_of(latencies)._asdict() if latencies else None,
    }


def latency_of(values_ms: Sequence[float]) -> Latency:
    ordered = sorted(values_ms)

    def percentile(share: float) -> float:
        return ordered[math.ceil(share * len(ordered)) - 1]

    return Latency(
        round(sum(ordered) / len(ordered), 3), percentile(0.5), percentile(0.95), percentile(0.99), ordered[-1]
    )


def git_revision(folder: Path) -> str | None:
    """The commit that ran, with ``+changes`` where files differ from it; None outside a repository."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


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
        results = asyncio.run(evaluate(settings, cases))
    except ConfigError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 2
    report = {
        **summarise(results, cases),
        "cases": results,
        "model": settings.llm.model,
        "provider": settings.llm.provider,
        "prompt_version": settings.prompts.version,
        "started_at": started_at,
        "version": __version__,
        "git_revision": git_revision(FOLDER),
    }
    document = msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"
    options.report.write_bytes(document)
    if options.json:
        print(document.decode(), end="")
    else:
        print_report(report, results, options.report)
    return 1 if any(result.error for result in results) else 0


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
