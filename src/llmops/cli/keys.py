"""``llmops keys``: create, list, rotate and revoke API keys. A running gateway follows within a second."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .audit import note_change
from .identity import opened
from .output import ConfigOption, JsonFlag, print_json, print_table, say

if TYPE_CHECKING:
    from ..identity.key import Key
    from ..identity.secret import Credential

app = typer.Typer(help="Create, list, rotate and revoke API keys.", no_args_is_help=True)

KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's id: the part between the first two dashes.")]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    tenant: Annotated[str, typer.Option(help="Whose key it is.")] = "default",
    role: Annotated[
        str, typer.Option(help="caller (makes calls), viewer, editor or admin (control plane).")
    ] = "caller",
    operation: Annotated[list[str] | None, typer.Option(help="Allowed operation; repeatable. Default: all.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="Allowed model, * matches; repeatable. Default: all.")] = None,
    expires_days: Annotated[float | None, typer.Option(min=0.0, help="Days until it expires. Default: never.")] = None,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Total time of its calls, where less. Default: the gateway's."),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Create a key and print it, this once."""
    import msgspec

    from ..errors import InvalidRequest
    from ..identity.key import Role
    from ..types import Operation

    with opened(config) as (registry, _):
        try:
            wanted_role = msgspec.convert(role, Role)
            operations = msgspec.convert(operation or [], list[Operation])
        except msgspec.ValidationError as exc:
            raise InvalidRequest(f"role and operations must be known ones: {exc}") from exc
        key, credential = registry.create_key(
            name=name,
            tenant=tenant,
            role=wanted_role,
            operations=operations,
            models=model or [],
            expires_at_s=time.time() + expires_days * 86400 if expires_days is not None else None,
            timeout_s=timeout,
        )
        note_change(config, "key.create", key.id, tenant=key.tenant, after={"name": key.name, "role": key.role})
        _print_new(key, credential, as_json=as_json)


@app.command("list")
def list_keys(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """List keys, without their secrets."""
    from ..identity.shown import show_key

    with opened(config) as (registry, _):
        shown = [show_key(key) for key in registry.keys(tenant)]
    if as_json:
        print_json(shown)
    elif not shown:
        say("no keys: whoever reaches the gateway's loopback address may call; make one with `llmops keys create NAME`")
    else:
        columns = ["id", "tenant", "name", "role", "state", "models", "expires_at", "created_at"]
        print_table(columns, [[_cell(key[column]) for column in columns] for key in shown])


@app.command("rotate")
def rotate(
    key_id: KeyId,
    grace_seconds: Annotated[float | None, typer.Option(min=0.0, help="How long the old secret still works.")] = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Give a key a new secret and print it, this once."""
    with opened(config) as (registry, settings):
        grace_s = settings.auth.rotation_grace_seconds if grace_seconds is None else grace_seconds
        key, credential = registry.rotate(key_id, grace_s)
        note_change(config, "key.rotate", key.id, tenant=key.tenant, after={"name": key.name, "grace_s": grace_s})
        _print_new(key, credential, as_json=as_json)
        say(f"the old secret works for {grace_s:g} more seconds")


@app.command("revoke")
def revoke(key_id: KeyId, config: ConfigOption = None, as_json: JsonFlag = False) -> None:
    """End a key for good."""
    from ..identity.shown import show_key

    with opened(config) as (registry, _):
        before = registry.key(key_id)
        shown = show_key(key := registry.revoke(key_id))
        if before.revoked_at_s is None:
            was, now = {"name": key.name, "state": "active"}, {"name": key.name, "state": "revoked"}
            note_change(config, "key.revoke", key.id, tenant=key.tenant, before=was, after=now)
    if as_json:
        print_json(shown)
    else:
        say(f"the key {shown['id']} ({shown['name']}) is revoked; running gateways refuse it within a second")


def _print_new(key: "Key", credential: "Credential", *, as_json: bool) -> None:
    from ..identity.shown import show_key

    if as_json:
        print_json({**show_key(key), "key": str(credential)})
        return
    typer.echo(str(credential))
    say(f"this is the key of {key.name!r} (tenant {key.tenant}, role {key.role}); it is shown only now: keep it safe")


def _cell(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)
