"""``llmops prompts push | pull | diff``: the files under ``prompts/`` and the database, kept in step."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import ConfigOption, JsonFlag, print_json, print_table, say
from .prompts import ByOption, ReasonOption, TenantOption, actor_of, app, author_of, opened

__all__ = ["app", "diff", "pull", "push"]

if TYPE_CHECKING:
    from ..audit.entry import Actor
    from ..prompts.directory import PromptDirectory
    from ..prompts.syncing import Pair

FolderOption = Annotated[Path, typer.Option("--folder", metavar="FOLDER", help="Where the files are.")]
Ours = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="In a conflict over this prompt the file is right.")
]
Theirs = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="In a conflict over this prompt the database is right.")
]
_FOLDER = Path("prompts")


@app.command()
def push(
    folder: FolderOption = _FOLDER,
    ours: Ours = None,
    theirs: Theirs = None,
    label: Annotated[list[str] | None, typer.Option(help="Move this label to what is published; repeatable.")] = None,
    message: Annotated[str, typer.Option("--message", "-m", help="The versions' comment.")] = "",
    tenant: TenantOption = "default",
    reason: ReasonOption = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Publish what has changed in the files. Conflicts are shown and left alone; then the status is 1."""
    with opened(config) as prompts:
        sync = _Sync(prompts, folder, tenant, ours, theirs)
        done = []
        for pair in sync.pairs:
            if sync.wins(pair, "file changed", "new file", "prompt removed") == "ours":
                done.append(sync.publish(pair, actor_of(by), author_of(by), message, label or [], reason))
            elif sync.wins(pair) == "theirs":
                done.append(sync.fetch(pair))
            elif pair.state == "in step":
                sync.settle(pair)
        sync.state.save()
    sync.tell(done, as_json)


@app.command()
def pull(
    folder: FolderOption = _FOLDER,
    ours: Ours = None,
    theirs: Theirs = None,
    tenant: TenantOption = "default",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Write what has changed in the database into files. Conflicts are shown and left alone; then the status is 1."""
    with opened(config) as prompts:
        sync = _Sync(prompts, folder, tenant, ours, theirs)
        done = []
        for pair in sync.pairs:
            if sync.wins(pair, "new version", "new", "file removed") == "theirs" and pair.there is not None:
                done.append(sync.fetch(pair))
            elif pair.state == "in step":
                sync.settle(pair)
        sync.state.save()
    sync.tell(done, as_json)


@app.command()
def diff(
    before: Annotated[str | None, typer.Argument(metavar="[NAME[@VERSION]]", help="Default: all files.")] = None,
    after: Annotated[str | None, typer.Argument(metavar="[VERSION]", help="Another version of it.")] = None,
    folder: FolderOption = _FOLDER,
    tenant: TenantOption = "default",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show how files differ from the database; or two versions of a prompt. The status is 1 where anything differs."""
    with opened(config) as prompts:
        if after is not None or (before is not None and "@" in before):
            found = [_between_versions(prompts, tenant, before or "", after or "latest")]
        else:
            found = _Sync(prompts, folder, tenant, None, None).differences(before)
    if as_json:
        print_json(found)
    else:
        for each in found:
            typer.echo(f"{each['name']}: {each['state']}")
            if each["diff"]:
                typer.echo(each["diff"])
        if not found:
            say("files and database are in step")
    if any(each["diff"] for each in found):
        raise typer.Exit(1)


def _between_versions(prompts: "PromptDirectory[Actor]", tenant: str, before: str, after: str) -> dict[str, Any]:
    from ..prompts.diff import unified
    from ..prompts.files import written
    from ..prompts.prompt import Selector, reference_of, selector_of

    name, selector = reference_of(before)
    kept = prompts.repository
    owner = kept.owner(tenant, name)
    old = kept.version(owner, name, selector or Selector(label="latest"))
    new = kept.version(owner, name, selector_of(after))
    text = unified(written(old.content), written(new.content), (old.shown, new.shown))
    return {"name": name, "state": f"{old.shown} -> {new.shown}", "diff": text}


class _Sync:
    """The files of one folder beside the prompts of one tenant."""

    def __init__(
        self,
        prompts: "PromptDirectory[Actor]",
        folder: Path,
        tenant: str,
        ours: list[str] | None,
        theirs: list[str] | None,
    ) -> None:
        from ..errors import InvalidRequest
        from ..prompts.files import PromptFiles
        from ..prompts.syncing import SyncState, There, pairs

        self._prompts, self._tenant = prompts, tenant
        self._ours, self._theirs = set(ours or ()), set(theirs or ())
        if both := self._ours & self._theirs:
            raise InvalidRequest(f"{sorted(both)[0]}: --ours or --theirs, not both")
        self._files = PromptFiles(folder)
        self._paths = self._files.names()
        self.state = SyncState(folder, tenant)
        here = {name: self._files.read(name, path) for name, path in self._paths.items()}
        there = {
            each.name: There(each.content, each.digest, each.number, each.author)
            for each in prompts.repository.newest(tenant)
        }
        self.pairs = pairs(here, there, self.state.known)
        known = {pair.name for pair in self.pairs}
        for name in sorted((self._ours | self._theirs) - known):
            raise InvalidRequest(f"{name!r} is neither a file nor a prompt of {tenant!r}")

    def wins(self, pair: "Pair", *states: str) -> str | None:
        """Whose side is taken: of what changed on one side only the side that these states are of."""
        if pair.name in self._ours and pair.here is not None and pair.state != "in step":
            return "ours"
        if pair.name in self._theirs and pair.there is not None and pair.state != "in step":
            return "theirs"
        if pair.state == "prompt removed" and pair.name not in self._ours:
            return None
        if pair.state == "file removed" and pair.name not in self._theirs:
            return None
        if pair.state not in states:
            return None
        return "ours" if pair.state in ("file changed", "new file") else "theirs"

    def publish(
        self, pair: "Pair", actor: "Actor", author: str, message: str, labels: list[str], reason: str | None
    ) -> dict[str, Any]:
        from ..prompts.syncing import Base

        assert pair.here is not None
        version, _ = self._prompts.publish(
            actor,
            self._tenant,
            pair.name,
            pair.here,
            author=author,
            comment=message,
            labels=labels,
            parent=pair.there.number if pair.there is not None else 0,
            reason=reason,
        )
        self.state.note(pair.name, Base(version.digest, version.number))
        self.state.save()  # what is published stays known, whatever becomes of the others
        return {"name": pair.name, "done": "published", "version": version.number}

    def fetch(self, pair: "Pair") -> dict[str, Any]:
        from ..prompts.syncing import Base

        assert pair.there is not None
        path = self._files.write(pair.name, pair.there.content, self._paths.get(pair.name))
        self.state.note(pair.name, Base(pair.there.digest, pair.there.number))
        self.state.save()
        return {"name": pair.name, "done": f"wrote {path}", "version": pair.there.number}

    def settle(self, pair: "Pair") -> None:
        """Both are the same, whoever made them so."""
        from ..prompts.syncing import Base

        if pair.there is not None:
            self.state.note(pair.name, Base(pair.there.digest, pair.there.number))

    def differences(self, name: str | None) -> list[dict[str, Any]]:
        from ..prompts.diff import unified
        from ..prompts.files import written

        found = []
        for pair in self.pairs:
            if pair.state == "in step" or name not in (None, pair.name):
                continue
            there = written(pair.there.content) if pair.there is not None else ""
            here = written(pair.here) if pair.here is not None else ""
            text = unified(there, here, ("database", "file"))
            found.append({"name": pair.name, "state": pair.state, "diff": text})
        return found

    def tell(self, done: list[dict[str, Any]], as_json: bool) -> None:
        """What was done and what was left; ends the command with 1 where something is in conflict."""
        handled = {each["name"] for each in done}
        left = [
            {"name": pair.name, "state": pair.state, "by": pair.there.author if pair.there else None}
            for pair in self.pairs
            if pair.name not in handled and pair.state != "in step"
        ]
        conflicts = [each for each in left if each["state"] == "conflict"]
        if as_json:
            print_json({"done": done, "left": left, "conflicts": len(conflicts)})
        else:
            if done:
                print_table(["prompt", "done", "version"], [[e["name"], e["done"], str(e["version"])] for e in done])
            for each in left:
                say(f"{each['name']}: {each['state']}{_advice(str(each['state']))}")
            if not done and not left:
                say("files and database are in step")
        if conflicts:
            raise typer.Exit(1)


def _advice(state: str) -> str:
    return {
        "conflict": ": both have changed; see `llmops prompts diff NAME`, then --ours NAME or --theirs NAME",
        "new version": ": the database has it; `llmops prompts pull` writes it",
        "new": ": the database has it; `llmops prompts pull` writes it",
        "file changed": ": `llmops prompts push` publishes it",
        "new file": ": `llmops prompts push` publishes it",
        "file removed": ": `pull --theirs NAME` writes it again, `llmops prompts archive NAME` puts the prompt away",
        "prompt removed": ": it was put away; `push --ours NAME` publishes it again, or remove the file",
    }[state]
