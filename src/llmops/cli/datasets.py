"""``llmops datasets``: lists, versions, what differs, labels, splits, removal. Files are in `datasets_files`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import ConfigOption, JsonFlag, clean_errors, print_json, print_table, say

if TYPE_CHECKING:
    from ..evals.datasets.repository.datasets import DatasetRepository
    from ..evals.datasets.version import Version

app = typer.Typer(help="Datasets: immutable versions of cases, from files and from traces.", no_args_is_help=True)

TenantOption = Annotated[str, typer.Option(help="Whose dataset it is.")]
ReferenceArgument = Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="A label may stand for the version.")]
ByOption = Annotated[str, typer.Option(help="Who does it, for the record.")]
_SHOWN_CHARS = 200


@contextmanager
def opened(config: Path | None) -> Iterator["DatasetRepository"]:
    """The datasets of the configured database; errors end the command cleanly."""
    with clean_errors():
        from ..config import load_settings
        from ..evals.datasets.repository.datasets import DatasetRepository
        from ..opening import open_identity

        identity = open_identity(load_settings(config))
        try:
            yield DatasetRepository(identity.database)
        finally:
            identity.close()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@app.command("list")
def list_(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """List datasets, each with its latest version."""
    import msgspec

    with opened(config) as datasets:
        found = datasets.summaries(tenant)
    if as_json:
        print_json(msgspec.to_builtins(found))
    elif not found:
        say("no datasets")
    else:
        rows = [[each.dataset, each.tenant, str(each.versions), *_row(each.latest)] for each in found]
        print_table(["dataset", "tenant", "versions", *_COLUMNS], rows)


@app.command()
def show(
    reference: ReferenceArgument,
    tenant: TenantOption = "default",
    cases: Annotated[int, typer.Option(min=0, max=1000, help="Also its first cases, so many.")] = 0,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show a dataset's versions, labels and history, and cases of one version."""
    import msgspec

    with opened(config) as datasets:
        from ..evals.datasets.version import reference_of, shown

        asked = reference_of(reference)
        version = datasets.version(tenant, asked)
        versions, labels = datasets.versions(tenant, asked.name), datasets.labels(tenant, asked.name)
        events = datasets.events(tenant, asked.name)
        first = datasets.page(tenant, asked, cases) if cases else []
    if as_json:
        told = {"labels": labels, "events": events, "cases": first}
        print_json({"version": shown(version), "versions": list(map(shown, versions)), **msgspec.to_builtins(told)})
        return
    print_table(_COLUMNS, [_row(each) for each in versions])
    if version.wear is not None:
        say(f"warning: {version.wear}")
    if first:
        typer.echo()
        lines = [
            [each.id, each.split or "", each.cluster or "", text_of(each.input), text_of(each.reference)]
            for each in first
        ]
        print_table(["case", "split", "cluster", "input", "reference"], lines)


@app.command()
def diff(
    before: ReferenceArgument,
    after: Annotated[str, typer.Argument(metavar="VERSION", help="A version or label of the same dataset.")] = "latest",
    tenant: TenantOption = "default",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many changes.")] = 50,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what differs between two versions, field by field."""
    import msgspec

    with opened(config) as datasets:
        from ..evals.datasets.version import reference_of

        asked = reference_of(before)
        told = datasets.difference(tenant, asked, reference_of(f"{asked.name}@{after}"), limit=limit)
    if as_json:
        print_json(msgspec.to_builtins(told))
        return
    typer.echo(
        f"{asked.name}: {told.before} -> {told.after}: {told.added:,} added, {told.removed:,} removed, "
        f"{told.changed:,} changed, {told.unchanged:,} unchanged"
    )
    rows = []
    for each in told.changes:
        rows += [[each.case_id, each.kind, "", "", ""]] if not each.fields else []
        rows += [[each.case_id, each.kind, f.field, text_of(f.before), text_of(f.after)] for f in each.fields]
    if rows:
        print_table(["case", "change", "field", "before", "after"], rows)


@app.command()
def label(
    reference: ReferenceArgument,
    name: Annotated[str, typer.Argument(metavar="LABEL", help="e.g. golden; a protected one needs --reason.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    remove: Annotated[bool, typer.Option("--remove", help="Take it away instead.")] = False,
    by: ByOption = "shell",
    tenant: TenantOption = "default",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Point a label to a version. Whoever has the database is an administrator."""
    with opened(config) as datasets:
        from ..evals.datasets.version import reference_of, shown

        asked, who = reference_of(reference), {"now_ms": now_ms(), "who": by, "reason": reason, "is_admin": True}
        if remove:
            datasets.unlabel(tenant, asked.name, name, **who)  # type: ignore[arg-type]
        version = None if remove else datasets.label(tenant, asked, name, **who)  # type: ignore[arg-type]
    if as_json:
        print_json(shown(version) if version is not None else {"dataset": asked.name, "label": name, "removed": True})
    else:
        typer.echo(f"{asked.name}@{name} " + (f"is {version.version}" if version is not None else "is gone"))


@app.command()
def split(
    reference: ReferenceArgument,
    ratios: Annotated[str, typer.Option(help="Shares that come to 1.")] = "train=0.8,dev=0.1,test=0.1",
    seed: Annotated[int, typer.Option(help="Another seed splits otherwise.")] = 0,
    by: ByOption = "shell",
    tenant: TenantOption = "default",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a version whose cases are in train, dev and test, clusters whole. A case's part never moves."""
    with opened(config) as datasets:
        from ..evals.datasets.batch import CaseBatch
        from ..evals.datasets.split import assigned, ratios_of
        from ..evals.datasets.version import reference_of

        asked, shares = reference_of(reference), ratios_of(ratios)
        with CaseBatch(assigned(datasets.cases(tenant, asked), shares, seed), source=reference) as batch:
            note = f"split {ratios} (seed {seed})"
            made = datasets.store(tenant, asked.name, batch, now_ms=now_ms(), who=by, source=reference, note=note)
    print_version(made, as_json)


@app.command("rm")
def remove(
    reference: ReferenceArgument,
    by: ByOption = "shell",
    tenant: TenantOption = "default",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Remove a version that no label points to, or (without one) the dataset. Protected labels hold both."""
    with opened(config) as datasets:
        from ..evals.datasets.version import reference_of

        asked = reference_of(reference)
        which = asked.which if "@" in reference else None
        datasets.remove(tenant, asked.name, which, now_ms=now_ms(), who=by)
    if as_json:
        print_json({"dataset": asked.name, "version": which, "removed": True})
    else:
        typer.echo(f"{reference} is removed")


_COLUMNS = ["version", "no", "labels", "cases", "made (UTC)", "by", "source", "used"]


def _row(version: "Version") -> list[str]:
    made = time.strftime("%Y-%m-%d %H:%M", time.gmtime(version.created_at_ms / 1000))
    labels, said = ", ".join(version.labels), version.source[:60]
    return [
        version.version,
        str(version.number),
        labels,
        f"{version.cases:,}",
        made,
        version.created_by or "",
        said,
        str(version.used),
    ]


def print_version(version: "Version", as_json: bool, notes: list[str] | None = None) -> None:
    """What was made, and what was lost on the way."""
    from ..evals.datasets.version import shown

    for note in notes or []:
        say(f"note: {note}")
    if as_json:
        print_json({**shown(version), "notes": notes or []})
    else:
        typer.echo(f"{version.dataset}@{version.version}: {version.cases:,} cases")


def text_of(value: Any) -> str:
    """A JSON value on one line, cut."""
    import msgspec

    if value is None:
        return ""
    said = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    line = " ".join(said[: 2 * _SHOWN_CHARS].split())
    return line if len(line) <= _SHOWN_CHARS else f"{line[: _SHOWN_CHARS - 1]}…"
