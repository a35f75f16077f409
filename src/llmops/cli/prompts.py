"""``llmops prompts``: lists, versions, labels, previews and rollbacks. Files are in `prompts_files`."""

import getpass
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import ConfigOption, JsonFlag, clean_errors, print_json, print_table, say

if TYPE_CHECKING:
    from ..audit.entry import Actor
    from ..prompts.directory import PromptDirectory

app = typer.Typer(help="Prompts: immutable versions, labels that move, files for review in git.", no_args_is_help=True)

TenantOption = Annotated[str, typer.Option(help="Whose prompts; '*' are those that all tenants see.")]
ReferenceArgument = Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="A label may stand for the version.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME")]
ByOption = Annotated[str | None, typer.Option(help="Who does it, for the record. Default: this machine's user.")]
ReasonOption = Annotated[str | None, typer.Option(help="Why; kept in the audit trail.")]


@contextmanager
def opened(config: Path | None) -> Iterator["PromptDirectory[Actor]"]:
    """The registry of the configured database; errors end the command cleanly."""
    with clean_errors():
        from ..assembly.prompts import Prompts
        from ..audit.repository import AuditRepository
        from ..audit.trail import AuditTrail
        from ..clock import SystemClock
        from ..config import load_settings
        from ..opening import open_identity

        settings, clock = load_settings(config), SystemClock()
        identity = open_identity(settings)
        database = identity.database
        prompts = Prompts(settings, clock, database)
        try:
            yield prompts.directory(AuditTrail(AuditRepository(database), clock).note)
        finally:
            prompts.close()
            identity.close()


def author_of(by: str | None) -> str:
    try:
        return by or getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "somebody at the shell"


def actor_of(by: str | None) -> "Actor":
    from ..audit.entry import Actor

    return Actor(author_of(by), "admin")


@app.command("list")
def list_(
    folder: Annotated[str | None, typer.Argument(help="Only this folder, and its own folders.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's, and the shared ones.")] = None,
    search: Annotated[str, typer.Option(help="Only names that hold this.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 1000,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """List prompts with their labels."""
    import msgspec

    with opened(config) as prompts:
        whose = None if tenant is None else [tenant, "*"]
        found = prompts.repository.summaries(whose, folder=folder, search=search, limit=limit)
        folders = prompts.repository.folders(whose, folder) if folder is not None else []
    if as_json:
        print_json({"folders": folders, "prompts": msgspec.to_builtins(found)})
    elif not found and not folders:
        say("no prompts; `llmops prompts push` publishes those of the folder prompts/")
    else:
        rows = [[each.name, each.tenant, each.kind, str(each.versions), _labels(each.labels)] for each in found]
        print_table(
            ["prompt", "tenant", "kind", "versions", "labels"], [*([f"{each}/"] + [""] * 4 for each in folders), *rows]
        )


@app.command()
def show(
    reference: ReferenceArgument,
    tenant: TenantOption = "default",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show a version as its file, with its versions, labels and comments."""
    import msgspec

    with opened(config) as prompts:
        from ..prompts.files import written
        from ..prompts.prompt import Selector, reference_of

        name, selector = reference_of(reference)
        kept = prompts.repository
        owner = kept.owner(tenant, name)
        version = kept.version(owner, name, selector or Selector(label="latest"))
        headers, comments = kept.headers(owner, name, limit=20), kept.comments(owner, name)
    if as_json:
        print_json(
            {
                "version": msgspec.to_builtins(version),
                "versions": msgspec.to_builtins(headers),
                "comments": msgspec.to_builtins(comments),
            }
        )
        return
    typer.echo(written(version.content), nl=False)
    say("")
    print_table(
        ["version", "labels", "author", "comment"],
        [[str(each.number), ", ".join(each.labels), each.author, each.comment] for each in headers],
    )
    if version.pins:
        say("with " + ", ".join(f"{written} = {pinned}" for written, pinned in version.pins.items()))


@app.command()
def render(
    reference: ReferenceArgument,
    var: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A variable; repeatable.")] = None,
    variables: Annotated[Path | None, typer.Option(help="A JSON file with the variables.")] = None,
    tenant: TenantOption = "default",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what a version becomes with these variables."""
    import msgspec

    with opened(config) as prompts:
        from ..prompts.prompt import Selector, reference_of

        name, selector = reference_of(reference)
        version = prompts.repository.version(
            prompts.repository.owner(tenant, name), name, selector or Selector(label="latest")
        )
        given = given_variables(variables, var or [], version.resolved.variables)
        rendered = prompts.preview(tenant, name, None, Selector(version.number), given)
    if as_json:
        print_json(msgspec.to_builtins(rendered))
    elif rendered.text is not None:
        typer.echo(rendered.text)
    else:
        for message in rendered.messages:
            typer.echo(f"[{message['role']}]\n{message['content']}\n")


@app.command()
def label(
    name: NameArgument,
    label: Annotated[str, typer.Argument(metavar="LABEL", help="Such as production.")],
    version: Annotated[str, typer.Argument(metavar="VERSION", help="A number or another label.")],
    tenant: TenantOption = "default",
    expected: Annotated[
        int | None, typer.Option(min=0, help="Fail if the label is elsewhere by now; 0: it is nowhere yet.")
    ] = None,
    reason: ReasonOption = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Move a label to a version; running gateways follow within a second."""
    with opened(config) as prompts:
        from ..prompts.prompt import selector_of
        from ..prompts.repository.prompts import Anywhere

        believed = Anywhere if expected is None else expected or None
        before, number = prompts.label(
            actor_of(by),
            tenant,
            name,
            label,
            selector_of(version),
            author=author_of(by),
            expected=believed,
            reason=reason,
        )
    _told_move(name, label, before, number, as_json)


@app.command()
def rollback(
    name: NameArgument,
    label: Annotated[str, typer.Argument(metavar="LABEL")] = "production",
    tenant: TenantOption = "default",
    reason: ReasonOption = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Move a label back to where it was before; running gateways follow within a second."""
    with opened(config) as prompts:
        before, number = prompts.roll_back(actor_of(by), tenant, name, label, author=author_of(by), reason=reason)
    _told_move(name, label, before, number, as_json)


@app.command()
def history(
    name: NameArgument,
    label: Annotated[str | None, typer.Option(help="Only this label's moves.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    tenant: TenantOption = "default",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show a prompt's versions and the moves of its labels: who, when, what and why."""
    import msgspec

    with opened(config) as prompts:
        owner = prompts.repository.owner(tenant, name)
        moves = prompts.repository.moves(owner, name, label=label, limit=limit)
        headers = prompts.repository.headers(owner, name, limit=limit)
    if as_json:
        print_json({"versions": msgspec.to_builtins(headers), "moves": msgspec.to_builtins(moves)})
        return
    told = [(each.created_at_ms, "published", f"version {each.number}", each.author, each.comment) for each in headers]
    told += [(each.at_ms, _change(each), each.label, each.who, each.reason) for each in moves]
    print_table(
        ["when", "what", "of", "who", "why"],
        [[_time(at_ms), *rest] for at_ms, *rest in sorted(told, reverse=True)[:limit]],
    )


@app.command()
def archive(
    name: NameArgument,
    tenant: TenantOption = "default",
    reason: ReasonOption = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Put a prompt away: no call finds it any more, its versions stay."""
    with opened(config) as prompts:
        prompts.archive(actor_of(by), tenant, name, author=author_of(by), reason=reason)
    if as_json:
        print_json({"name": name, "archived": True})
    else:
        say(f"{name} is put away; publishing it again brings it back")


def given_variables(file: Path | None, pairs: list[str], declared: Mapping[str, Any]) -> dict[str, Any]:
    """Values from a file and the command line; those of the command line are read as JSON where the variable's type
    asks for more than a text."""
    from ..errors import InvalidRequest

    given: dict[str, Any] = {}
    if file is not None:
        try:
            given = json.loads(file.read_text())
        except (OSError, ValueError) as exc:
            raise InvalidRequest(f"--variables {str(file)!r}: {exc}") from exc
        if not isinstance(given, dict):
            raise InvalidRequest(f"--variables {str(file)!r}: must hold a JSON object")
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InvalidRequest(f"--var is written NAME=VALUE; {pair[:80]!r} is not")
        variable = declared.get(name.strip())
        try:
            is_text = variable is None or variable.type in ("any", "string")
            given[name.strip()] = value if is_text else json.loads(value)
        except ValueError as exc:
            raise InvalidRequest(f"--var {name.strip()}: {value[:80]!r} is not JSON, as its type asks for") from exc
    return given


def _labels(labels: Mapping[str, int]) -> str:
    return ", ".join(f"{label}={number}" for label, number in labels.items())


def _change(move: Any) -> str:
    where = "taken away" if move.number is None else f"-> {move.number}"
    return f"{'rolled back ' if move.is_rollback else ''}{move.before or 'nowhere'} {where}"


def _told_move(name: str, label: str, before: int | None, number: int, as_json: bool) -> None:
    if as_json:
        print_json({"name": name, "label": label, "before": before, "version": number})
    else:
        was = f"was at {before}" if before is not None else "is new"
        say(f"{name}: {label} is at version {number} ({was}); running gateways follow within a second")


def _time(at_ms: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
