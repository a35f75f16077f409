"""``llmops tenants``: create and list tenants, disable one and enable it again."""

from typing import Annotated

import typer

from .audit import note_change
from .identity import opened
from .output import ConfigOption, JsonFlag, print_json, print_table, say

app = typer.Typer(help="Create, list, disable and enable tenants.", no_args_is_help=True)

TenantId = Annotated[str, typer.Argument(metavar="ID", help="Lower case letters, digits, - and _.")]


@app.command("create")
def create(
    tenant_id: TenantId,
    name: Annotated[str | None, typer.Option(help="A longer name.")] = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Create a tenant."""
    from ..identity.shown import show_tenant

    with opened(config) as (registry, _):
        shown = show_tenant(registry.create_tenant(tenant_id, name))
    note_change(config, "tenant.create", tenant_id, tenant=tenant_id, after={"name": shown["name"]})
    if as_json:
        print_json(shown)
    else:
        say(f"the tenant {shown['id']} exists; give it a key with `llmops keys create NAME --tenant {shown['id']}`")


@app.command("list")
def list_tenants(config: ConfigOption = None, as_json: JsonFlag = False) -> None:
    """List tenants."""
    from ..identity.shown import show_tenant

    with opened(config) as (registry, _):
        shown = [show_tenant(tenant) for tenant in registry.tenants()]
    if as_json:
        print_json(shown)
    else:
        print_table(
            ["id", "name", "created_at", "disabled"], [[str(value) for value in each.values()] for each in shown]
        )


@app.command("disable")
def disable(tenant_id: TenantId, config: ConfigOption = None) -> None:
    """Refuse all keys of a tenant."""
    with opened(config) as (registry, _):
        registry.set_disabled(tenant_id, True)
    note_change(config, "tenant.disable", tenant_id, tenant=tenant_id, after={"disabled": True})
    say(f"the keys of the tenant {tenant_id} are refused within a second")


@app.command("enable")
def enable(tenant_id: TenantId, config: ConfigOption = None) -> None:
    """Take the keys of a tenant again."""
    with opened(config) as (registry, _):
        registry.set_disabled(tenant_id, False)
    note_change(config, "tenant.enable", tenant_id, tenant=tenant_id, after={"disabled": False})
    say(f"the keys of the tenant {tenant_id} work again")
