"""``llmops flags``: set, show, try out and remove feature flags.

Whoever has the database is an administrator. Without ``--tenant`` a flag is shared: seen by all. Running gateways
follow within a second.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .audit import note_change, whoami
from .output import ConfigOption, JsonFlag, clean_errors, print_json, print_table, say
from .release import read_values

if TYPE_CHECKING:
    from ..flags.directory import FlagDirectory

app = typer.Typer(help="Feature flags, changed without a deploy.", no_args_is_help=True)

TenantOption = Annotated[str | None, typer.Option(help="Whose it is. Default: shared, seen by all.")]
KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="The flag's key.")]
ReasonOption = Annotated[str, typer.Option(help="Why, for the record.")]


@contextmanager
def opened(config: Path | None) -> Iterator["FlagDirectory"]:
    """The flags of the configured database; errors end the command cleanly."""
    with clean_errors():
        from ..clock import SystemClock
        from ..config import load_settings
        from ..flags.directory import FlagDirectory
        from ..opening import open_identity

        identity = open_identity(load_settings(config))
        try:
            yield FlagDirectory(identity.database, SystemClock())
        finally:
            identity.close()


@app.command("list")
def list_(
    tenant: Annotated[str | None, typer.Option(help="What this tenant sees. Default: all.")] = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """List flags."""
    with opened(config) as flags:
        from ..flags.directory import shown

        found = [shown(each) for each in flags.seen(tenant)]
    if as_json:
        print_json(found)
    elif not found:
        say("no flags")
    else:
        columns = ["flag", "kind", "on", "default", "rules", "split", "tenant", "revision", "changed (UTC)", "by"]
        print_table(columns, map(_row, found))


@app.command("set")
def set_(
    key: KeyArgument,
    file: Annotated[Path | None, typer.Argument(help="The flag, YAML or JSON: kind, variants, default, …")] = None,
    on: Annotated[bool | None, typer.Option("--on/--off", help="Switch it on or off. A new one is boolean.")] = None,
    percent: Annotated[
        float | None, typer.Option(min=0, max=100, help="On for this share of users; the others get off.")
    ] = None,
    revision: Annotated[
        int | None, typer.Option(min=0, help="Refuse if it is at another by now; 0: a new one.")
    ] = None,
    reason: ReasonOption = "",
    tenant: TenantOption = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Set a flag: from a file, or a boolean one by --on, --off or --percent."""
    import msgspec

    with opened(config) as flags:
        from ..errors import NotFound
        from ..flags.directory import shown

        who = whoami()
        if file is not None:
            values = {**read_values(file), "key": key}
        else:
            try:
                held = flags.repository.get(key, tenant)
                values, revision = msgspec.to_builtins(held.flag), held.revision if revision is None else revision
            except NotFound:
                values = _boolean(key)
        if on is not None:
            values["enabled"] = on
        if percent is not None:
            values["split"] = {"on": percent, "off": 100 - percent}
        elif on and file is None and "split" not in values and not values.get("rules"):
            values["default"] = "on" if "on" in values["variants"] else values["default"]
        before, after = flags.put(values, tenant, by=who, revision=revision)
        was = msgspec.to_builtins(before.flag) if before is not None else None
        now = msgspec.to_builtins(after.flag)
        note_change(config, "flag.set", key, tenant=tenant, before=was, after=now, reason=reason)
    if as_json:
        print_json(shown(after))
    else:
        typer.echo(f"{key}: revision {after.revision}")
        say("running gateways follow within a second")


@app.command("show")
def show(key: KeyArgument, tenant: TenantOption = None, config: ConfigOption = None, as_json: JsonFlag = False) -> None:
    """Show a flag."""
    with opened(config) as flags:
        from ..flags.directory import shown

        found = shown(flags.get(key, tenant))
    if as_json:
        print_json(found)
    else:
        typer.echo(f"revision {found['revision']}, changed {found['changed_at']} by {found['changed_by']}")
        print_json(found["flag"])


@app.command("evaluate")
def evaluate(
    key: KeyArgument,
    attributes: Annotated[
        list[str] | None, typer.Argument(metavar="NAME=VALUE...", help="The context, e.g. user=alice plan=pro.")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="The targeting key: whom it is shared out by.")] = None,
    tenant: Annotated[str, typer.Option(help="Whose context it is.")] = "default",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what somebody gets, and why."""
    import msgspec

    with opened(config) as flags:
        from ..errors import InvalidRequest
        from ..flags.decision import Ready, UnitMissing
        from ..flags.flag import TARGETING_KEY

        context = {**_context(attributes or []), "tenant": tenant}
        if unit is not None:
            context[TARGETING_KEY] = unit
        try:
            decision = Ready(flags.get(key, tenant).flag).decide(context)
        except UnitMissing as exc:
            raise InvalidRequest(f"{exc}; give it with --unit, or NAME=VALUE") from exc
    told = msgspec.to_builtins(decision._asdict())
    if as_json:
        print_json({"key": key, **told})
    else:
        print_table(
            ["flag", "variant", "value", "reason", "rule"],
            [[key, told["variant"], str(told["value"]), told["reason"], told["rule"]]],
        )


@app.command("rm")
def remove(
    key: KeyArgument,
    reason: ReasonOption = "",
    tenant: TenantOption = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Remove a flag: whoever asks gets the default in its code."""
    import msgspec

    with opened(config) as flags:
        gone = msgspec.to_builtins(flags.remove(key, tenant).flag)
        note_change(config, "flag.remove", key, tenant=tenant, before=gone, reason=reason)
    if as_json:
        print_json({"key": key, "removed": True})
    else:
        typer.echo(f"{key} is removed")


def _boolean(key: str) -> dict[str, Any]:
    return {"key": key, "kind": "boolean", "variants": {"on": True, "off": False}, "default": "off"}


def _context(pairs: list[str]) -> dict[str, Any]:
    """Values as YAML reads them: numbers and truth values are such."""
    import yaml

    from ..errors import InvalidRequest

    context: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InvalidRequest(f"a context is written NAME=VALUE, such as plan=pro; {pair[:80]!r} is not")
        try:
            context[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            context[name] = value
    return context


def _row(stored: Mapping[str, Any]) -> list[str]:
    flag = stored["flag"]
    split = ", ".join(f"{name} {weight:g}" for name, weight in (flag.get("split") or {}).items())
    return [
        stored["key"],
        flag.get("kind", "boolean"),
        "on" if flag.get("enabled", True) else "off",
        flag["default"],
        str(len(flag.get("rules", []))),
        split,
        stored["tenant"] or "(shared)",
        str(stored["revision"]),
        stored["changed_at"][:16].replace("T", " "),
        stored["changed_by"],
    ]
