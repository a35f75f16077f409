"""``llmops review``: queues of outputs that people judge, and what becomes of their answers."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from .datasets import ByOption, TenantOption, now_ms, print_version, text_of
from .datasets import opened as opened_datasets
from .datasets_files import ByStratum, ScanOption, SeedOption, recordings, sampling_of, wanted_of
from .output import ConfigOption, JsonFlag, clean_errors, print_json, print_table, say
from .usage import progress_bar

if TYPE_CHECKING:
    from ..evals.review.desk import ReviewDesk
    from ..evals.review.item import Item

app = typer.Typer(help="Review: people judge outputs of traces and runs.", no_args_is_help=True)

QueueArgument = Annotated[str, typer.Argument(metavar="QUEUE")]
ReviewerOption = Annotated[str | None, typer.Option("--reviewer", help="Who judges; default: your user name.")]
FolderOption = Annotated[Path, typer.Option("--folder", metavar="FOLDER", help="Where runs lie.")]
_RUNS = Path("runs/evals")


@contextmanager
def opened(config: Path | None) -> Iterator["ReviewDesk"]:
    with clean_errors(), opened_datasets(config) as datasets:
        from ..evals.review.desk import ReviewDesk

        yield ReviewDesk(datasets.database)


@app.command()
def create(
    queue: QueueArgument,
    question: Annotated[str, typer.Argument(help="What is judged, such as correctness.")],
    choices: Annotated[str | None, typer.Option(metavar="A,B,…", help="The answers to choose from.")] = None,
    scale: Annotated[
        str | None, typer.Option(metavar="LOW-HIGH", help="Or a number, e.g. 1-5; otherwise a text.")
    ] = None,
    tolerance: Annotated[int, typer.Option(min=0, help="On a scale: answers no further apart agree.")] = 0,
    instructions: Annotated[str, typer.Option(help="What reviewers should know.")] = "",
    reviewers: Annotated[int, typer.Option(min=1, max=20, help="Answers wanted for each item.")] = 1,
    lease_minutes: Annotated[float, typer.Option(min=0.2, help="How long an item is somebody's.")] = 15,
    by: ByOption = "shell",
    tenant: TenantOption = "default",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a queue: --choices, or --scale, or neither for free texts."""
    import msgspec

    with opened(config) as desk:
        from ..errors import InvalidRequest
        from ..evals.review.question import Question

        if choices is not None and scale is not None:
            raise InvalidRequest("--choices or --scale, not both")
        low, _, high = (scale or "1-5").partition("-")
        if not low.isdecimal() or not high.isdecimal():
            raise InvalidRequest(f"--scale {scale!r}: write e.g. 1-5")
        kind: Literal["choices", "scale", "text"] = "choices" if choices else "scale" if scale else "text"
        asked = Question(
            name=question,
            kind=kind,
            choices=tuple(each.strip() for each in choices.split(",")) if choices else (),
            low=int(low),
            high=int(high),
            tolerance=tolerance,
            instructions=instructions,
        )
        made = desk.create(
            tenant, queue, asked, now_ms=now_ms(), reviewers=reviewers, lease_s=60 * lease_minutes, who=by
        )
    if as_json:
        print_json(msgspec.to_builtins(made))
    else:
        typer.echo(made.name)


@app.command()
def add(
    queue: QueueArgument,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Outputs of this run.")] = None,
    traces: Annotated[bool, typer.Option("--traces", help="Outputs of recorded traces (with consent).")] = False,
    file: Annotated[Path | None, typer.Option(metavar="FILE", help='JSONL: {"input": …, "output": …} a line.')] = None,
    model: Annotated[str | None, typer.Option(help="Of traces: only with this model.")] = None,
    first: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Of traces: e.g. now-7d.")] = None,
    count: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 100,
    scan: ScanOption = 10_000,
    stratify: ByStratum = None,
    seed: SeedOption = 0,
    folder: FolderOption = _RUNS,
    tenant: TenantOption = "default",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Put a sample into a queue; what is there already is not put there again."""
    with opened(config) as desk:
        from ..errors import InvalidRequest
        from ..evals.datasets.report import Report

        if sum((run is not None, traces, file is not None)) != 1:
            raise InvalidRequest("say where items come from: --run RUN, --traces or --file FILE")
        desk.queue(tenant, queue)
        report = Report(str(file or run or "the traces"))
        if traces:
            from ..evals.review.sources import item_of_case

            wanted = wanted_of(tenant, first, None, {"model": model})
            with recordings(config) as source, progress_bar("reading traces") as progress:
                found = source.recorded(wanted, sampling_of(count, scan, stratify, seed), report, progress=progress)
                added = desk.add(tenant, queue, (item_of_case(*each) for each in found), now_ms=now_ms())
        else:
            from ..evals.datasets.sampling import sampled

            items = _of_file(file, report) if file is not None else _of_run(folder, run or "")
            chosen = sampled(items, count, key=lambda item: item.id, stratum=lambda _: (), seed=seed)
            added = desk.add(tenant, queue, chosen, now_ms=now_ms())
    for note in report.notes:
        say(f"note: {note}")
    if as_json:
        print_json({"queue": queue, "added": added, "notes": report.notes})
    else:
        typer.echo(f"{queue}: {added:,} items added")


@app.command("list")
def list_(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """List queues, each with how far it is."""
    import msgspec

    with opened(config) as desk:
        found = [(each, desk.progress(each.tenant, each.name)) for each in desk.queues(tenant)]
    if as_json:
        print_json([{**msgspec.to_builtins(each), "progress": msgspec.to_builtins(how)} for each, how in found])
    elif not found:
        say("no review queues")
    else:
        rows = [
            [
                q.name,
                q.tenant,
                q.question.name,
                q.question.kind,
                *map(str, (p.items, p.open, p.disputed, p.agreed + p.settled)),
            ]
            for q, p in found
        ]
        print_table(["queue", "tenant", "question", "kind", "items", "open", "disputed", "done"], rows)


@app.command()
def show(
    queue: QueueArgument,
    state: Annotated[str | None, typer.Option(help="Only open, disputed, agreed or settled.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    tenant: TenantOption = "default",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show a queue's items and answers."""
    import msgspec

    with opened(config) as desk:
        from ..errors import InvalidRequest

        if state not in (None, "open", "disputed", "agreed", "settled"):
            raise InvalidRequest(f"--state {state!r}: must be open, disputed, agreed or settled")
        states: Any = (state,) if state else ()
        found = desk.items(tenant, queue, limit, states=states)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    rows = []
    for each in found:
        answers = ", ".join(
            f"{mark.reviewer}: {text_of(mark.answer)}" for mark in each.marks if mark.answer is not None
        )
        rows.append([each.id, each.state, text_of(each.item.input), text_of(each.item.output), answers])
    print_table(["item", "state", "input", "output", "answers"], rows)


@app.command()
def label(
    queue: QueueArgument,
    item: Annotated[
        str | None, typer.Argument(metavar="[ITEM]", help="Without one: show yours, or take the next.")
    ] = None,
    answer: Annotated[str | None, typer.Argument(metavar="[ANSWER]", help="A choice, a number or a text.")] = None,
    comment: Annotated[str | None, typer.Option(help="A remark.")] = None,
    skip: Annotated[bool, typer.Option("--skip", help="Pass it over.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take your last answer or skip back.")] = False,
    disputed: Annotated[bool, typer.Option("--disputed", help="Take one that others differ about.")] = False,
    reviewer: ReviewerOption = None,
    tenant: TenantOption = "default",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Judge: take the next item, answer it, pass it over, or take the last one back."""
    import msgspec

    who = reviewer or getpass.getuser()
    with opened(config) as desk:
        from ..errors import InvalidRequest

        at = now_ms()
        placed = None
        if undo:
            placed = desk.undo(tenant, queue, who, now_ms=at)
        elif item is None:
            placed = desk.next(tenant, queue, who, now_ms=at, disputed=disputed)
        elif skip:
            desk.skip(tenant, queue, item, who, now_ms=at)
        elif answer is None:
            raise InvalidRequest("give an answer, or --skip")
        else:
            is_scale = desk.queue(tenant, queue).question.kind == "scale"
            said: str | int = int(answer) if is_scale and answer.lstrip("-").isdecimal() else answer
            placed = desk.answer(tenant, queue, item, who, said, now_ms=at, comment=comment)
        progress = desk.progress(tenant, queue, who)
    if as_json:
        print_json({"item": msgspec.to_builtins(placed), "progress": msgspec.to_builtins(progress)})
        return
    if placed is not None and answer is None:
        print_table(
            ["", ""],
            [["item", placed.id], ["input", text_of(placed.item.input)], ["output", text_of(placed.item.output)]],
        )
    say(f"{progress.mine} judged by {who}, {progress.waiting} waiting")


@app.command()
def agreement(
    queue: QueueArgument, tenant: TenantOption = "default", config: ConfigOption = None, as_json: JsonFlag = False
) -> None:
    """Show how far reviewers agree: the share, Krippendorff's alpha, and kappa for two."""
    import msgspec

    with opened(config) as desk:
        found = desk.agreement(tenant, queue)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    figures = [("agree", found.share), ("alpha", found.alpha), ("kappa", found.kappa)]
    rows = [["compared", f"{found.compared:,}"], *([name, "?" if x is None else f"{x:.3f}"] for name, x in figures)]
    rows += [[f"answer {name[:60]}", f"{count:,}"] for name, count in found.answers.items()]
    rows += [[f"by {name}", f"{count:,}"] for name, count in found.reviewers.items()]
    print_table(["", ""], rows)


@app.command("to-dataset")
def to_dataset(
    queue: QueueArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The dataset.")],
    reference: Annotated[
        str, typer.Option(help="What is right: label (the answer), or output (what was judged).")
    ] = "label",
    only: Annotated[list[str] | None, typer.Option(help="Only with this answer; may be repeated.")] = None,
    merge: Annotated[bool, typer.Option("--merge", help="Keep the latest version's other cases.")] = False,
    by: ByOption = "shell",
    tenant: TenantOption = "default",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a dataset's version of the items whose answer stands."""
    with opened(config) as desk, opened_datasets(config) as datasets:
        from ..errors import InvalidRequest
        from ..evals.datasets.batch import CaseBatch
        from ..evals.datasets.merging import merged
        from ..evals.review.sources import cases_of

        if reference not in ("label", "output"):
            raise InvalidRequest(f"--reference {reference!r}: must be label or output")
        part: Any = reference
        cases = cases_of(queue, desk.done(tenant, queue), part, only or ())
        with CaseBatch(
            merged(datasets, tenant, name, cases, "merge" if merge else "replace"), source=f"review {queue}"
        ) as batch:
            made = datasets.store(tenant, name, batch, now_ms=now_ms(), who=by, source=f"review {queue}")
    print_version(made, as_json)


@app.command()
def ratings(
    queue: QueueArgument,
    score: Annotated[str, typer.Argument(metavar="SCORE", help="The judge's score to hold against people.")],
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Of this run; otherwise the traces' scores.")] = None,
    yes: Annotated[list[str] | None, typer.Option(help="The choice that means yes; may be repeated.")] = None,
    folder: FolderOption = _RUNS,
    tenant: TenantOption = "default",
    config: ConfigOption = None,
) -> None:
    """Print what people and a judge said of the same, a JSON line each: what a judge is calibrated with."""
    import msgspec

    with opened(config) as desk:
        from ..evals.datasets.report import Report
        from ..evals.journal import Journal
        from ..evals.review.sources import ratings_of
        from ..telemetry.assessments.repository.assessments import Wanted

        said: dict[tuple[str, int], float | None] = {}
        if run is not None:
            said = {(each.case_id, each.repeat): each.value(score) for each in Journal.read(folder, run).results()}

        def judged(item: "Item") -> float | None:
            if run is not None:
                return said.get((item.case_id or "", item.repeat)) if item.run_id == run else None
            if item.trace_id is None:
                return None
            found = desk.assessments.find(Wanted(tenant=tenant, trace_id=item.trace_id, name=score, source="judge"), 1)
            return found[0].value if found else None

        report = Report(queue)
        question = desk.queue(tenant, queue).question
        for placed, rated in ratings_of(question, desk.done(tenant, queue), judged, report, yes or ()):
            row = {"item": placed.id, "human": rated.human, "judge": rated.judge}
            typer.echo(msgspec.json.encode(row).decode())
    for note in report.notes:
        say(f"note: {note}")


@app.command("rm")
def remove(
    queue: QueueArgument, tenant: TenantOption = "default", config: ConfigOption = None, as_json: JsonFlag = False
) -> None:
    """Remove a queue. The scores that came of it stay."""
    with opened(config) as desk:
        desk.remove(tenant, queue)
    if as_json:
        print_json({"queue": queue, "removed": True})
    else:
        typer.echo(f"{queue} is removed")


def _of_run(folder: Path, run: str) -> "list[Item]":
    from ..evals.journal import Journal
    from ..evals.review.sources import items_of_run

    journal = Journal.read(folder, run)
    return list(items_of_run(run, journal.dataset().by_id, journal.results()))


def _of_file(file: Path, report: Any) -> "list[Item]":
    import msgspec

    from ..evals.datasets.lines import json_rows
    from ..evals.review.item import Item

    found = []
    for where, row in json_rows(file, report):
        try:
            found.append(msgspec.convert(row, Item))
        except msgspec.ValidationError as exc:
            report.problem(where, str(exc))
    report.check()
    return found
