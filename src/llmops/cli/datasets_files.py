"""``llmops datasets import``, ``export`` and ``from-traces``: cases from and to files, and from what was recorded."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from .datasets import ByOption, ReferenceArgument, TenantOption, app, now_ms, opened, print_version
from .output import ConfigOption, JsonFlag, clean_errors, print_json, say
from .usage import progress_bar

if TYPE_CHECKING:
    from ..evals.datasets.from_traces import TraceImport
    from ..evals.datasets.repository.datasets import DatasetRepository
    from ..telemetry.traces.query import TraceFilter

__all__ = ["app"]  # the group, with these commands in it

NoteOption = Annotated[str, typer.Option(help="What this version is, for the list.")]
MergeFlag = Annotated[bool, typer.Option("--merge", help="Keep the latest version's other cases.")]
ByStratum = Annotated[
    list[str] | None,
    typer.Option("--stratify", metavar="FIELD", help="model, session, release_id, name or state; may be repeated."),
]
ScanOption = Annotated[int, typer.Option(min=1, max=1_000_000, help="Of the newest so many traces.")]
SeedOption = Annotated[int, typer.Option(help="The same seed chooses the same.")]


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file, or a folder in Hugging Face's form.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="The dataset.")],
    form: Annotated[
        str | None,
        typer.Option("--format", help="jsonl, csv, yaml, hf, promptfoo, openai or gsm8k; found out by default."),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="FIELD=COLUMN", help="Which column is the input, reference, …; may be repeated."),
    ] = None,
    merge: MergeFlag = False,
    note: NoteOption = "",
    by: ByOption = "shell",
    tenant: TenantOption = "default",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a version of a file's cases. Errors name the line; what cannot be carried over is told."""
    with opened(config) as datasets:
        from ..evals.datasets.batch import CaseBatch
        from ..evals.datasets.formats import registry
        from ..evals.datasets.mapping import columns_of
        from ..evals.datasets.merging import merged
        from ..evals.datasets.report import Report

        report = Report(str(file))
        read = registry.reader(form, file)
        with progress_bar(f"reading {file.name}") as progress:
            cases = read(file, report, columns_of(columns or []), progress)
            mode: Literal["merge", "replace"] = "merge" if merge else "replace"
            with CaseBatch(merged(datasets, tenant, name, cases, mode), source=str(file)) as batch:
                made = datasets.store(tenant, name, batch, now_ms=now_ms(), who=by, source=file.name, note=note)
    print_version(made, as_json, report.notes)


@app.command()
def export(
    reference: ReferenceArgument,
    target: Annotated[Path, typer.Argument(metavar="FILE", help="A new file or folder; - for stdout.")],
    form: Annotated[
        str | None,
        typer.Option(
            "--format", help="jsonl, csv, yaml, hf, hf-parquet, openai-evals or openai-chat; by the file's name."
        ),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Only train, dev or test.")] = None,
    tenant: TenantOption = "default",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a version to a new file."""
    with opened(config) as datasets:
        from ..errors import InvalidRequest
        from ..evals.datasets.formats import registry
        from ..evals.datasets.report import Report
        from ..evals.datasets.version import reference_of

        part: Any = split
        if split not in (None, "train", "dev", "test"):
            raise InvalidRequest(f"--split {split!r}: must be train, dev or test")
        asked = reference_of(reference)
        version = datasets.version(tenant, asked)
        chosen = form or {".csv": "csv", ".yaml": "yaml", ".yml": "yaml", "": "hf"}.get(target.suffix.lower(), "jsonl")
        report = Report(reference)
        if str(target) == "-":
            form = form or "jsonl"
            count = registry.write_stream(form, datasets.cases(tenant, asked, part), sys.stdout.buffer, report)
        else:
            with progress_bar(f"writing {target.name}") as progress:
                count = registry.write(
                    chosen,
                    lambda: _counted(datasets.cases(tenant, asked, part), version.cases, progress),
                    target,
                    report,
                )
    for told in report.notes:
        say(f"note: {told}")
    if as_json and str(target) != "-":
        print_json({"version": version.version, "cases": count, "file": str(target), "notes": report.notes})
    else:
        say(f"{reference}: {count:,} cases in {target}")


@app.command("from-traces")
def from_traces(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The dataset.")],
    first: Annotated[str | None, typer.Option("--from", metavar="TIME", help="e.g. now-7d.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Its end.")] = None,
    user: Annotated[str | None, typer.Option(help="Only this user's.")] = None,
    session: Annotated[str | None, typer.Option(help="Only of this session.")] = None,
    model: Annotated[str | None, typer.Option(help="Only with this model.")] = None,
    release: Annotated[str | None, typer.Option(help="Only of this release.")] = None,
    state: Annotated[str | None, typer.Option(metavar="ok|error", help="Only those.")] = None,
    text: Annotated[str | None, typer.Option(metavar="WORDS", help="Only where these words were captured.")] = None,
    count: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many cases.")] = 100,
    scan: ScanOption = 10_000,
    stratify: ByStratum = None,
    seed: SeedOption = 0,
    reference: Annotated[
        str | None, typer.Option(help="What becomes the reference: output, or the name of a score.")
    ] = None,
    merge: MergeFlag = False,
    note: NoteOption = "",
    by: ByOption = "shell",
    tenant: TenantOption = "default",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a version of recorded calls and traces: sampled, masked, and only with the tenant's consent."""
    filters = {"user": user, "session": session, "model": model, "release_id": release, "state": state, "text": text}
    with opened(config) as datasets, recordings(config) as source:
        from ..evals.datasets.batch import CaseBatch
        from ..evals.datasets.merging import merged
        from ..evals.datasets.report import Report

        report, wanted = Report("the traces"), wanted_of(tenant, first, last, filters)
        with progress_bar("reading traces") as progress:
            sampling = sampling_of(count, scan, stratify, seed)
            cases = source.cases(wanted, sampling, report, reference=reference, progress=progress)
            mode: Literal["merge", "replace"] = "merge" if merge else "replace"
            made = _stored(datasets, tenant, name, merged(datasets, tenant, name, cases, mode), by, note, CaseBatch)
    print_version(made, as_json, report.notes)


def _stored(
    datasets: "DatasetRepository", tenant: str, name: str, cases: Iterator[Any], by: str, note: str, batch_of: Any
) -> Any:
    with batch_of(cases, source="the traces") as batch:
        return datasets.store(tenant, name, batch, now_ms=now_ms(), who=by, source="traces", note=note)


def wanted_of(tenant: str, first: str | None, last: str | None, filters: dict[str, Any]) -> "TraceFilter":
    from ..errors import InvalidRequest
    from ..telemetry.rollups.window import moment_of
    from ..telemetry.traces.query import TraceFilter

    if filters.get("state") not in (None, "ok", "error"):
        raise InvalidRequest(f"--state is ok or error, not {filters['state']!r}")
    since, until = (
        None if each is None else moment_of(each, time.time(), "from") * 1_000_000 for each in (first, last)
    )
    return TraceFilter(tenant=tenant, since_us=since, until_us=until, **filters)


def sampling_of(count: int, scan: int, stratify: list[str] | None, seed: int) -> Any:
    from ..errors import InvalidRequest
    from ..evals.datasets.from_traces import STRATA, Sampling

    for each in stratify or []:
        if each not in STRATA:
            raise InvalidRequest(f"--stratify {each!r}: must be one of {', '.join(STRATA)}")
    by = tuple(each for each in STRATA if each in (stratify or []))
    return Sampling(count=count, scan=max(scan, count), by=by, seed=seed)


@contextmanager
def recordings(config: Path | None) -> Iterator["TraceImport"]:
    """What was recorded, what the log holds included."""
    with clean_errors():
        from ..config import load_settings
        from ..evals.datasets.from_traces import TraceImport
        from ..evals.datasets.recorded import masking_of
        from ..opening import open_log
        from ..telemetry.assessments.repository.assessments import AssessmentRepository
        from .traces import opened as opened_traces

        settings = load_settings(config)
        log = open_log(settings).path
        files = sorted(log.parent.glob(f"{log.stem}*{log.suffix}*")) if log.parent.is_dir() else []
        with opened(config) as datasets, opened_traces(config) as traces:
            scores = AssessmentRepository(datasets.database)
            masking = masking_of(settings.traces.capture.redact)
            yield TraceImport(traces, scores, files, settings.evals.datasets, masking)


def _counted(cases: Iterator[Any], total: int, progress: Any) -> Iterator[Any]:
    for number, case in enumerate(cases, 1):
        if number % 1000 == 0:
            progress(number, total)
        yield case
    progress(total, total)
