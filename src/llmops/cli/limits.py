"""``llmops limits``: list the limits, add and remove those of the database. A running gateway follows within a second.

Numbers are read by the rules' own checks, so that each wrong one is answered in the same words everywhere.
"""

from typing import Annotated

import typer

from .output import ConfigOption, JsonFlag
from .rules import Name, Per, RuleId, Where, add_rule, list_rules, remove_rule

app = typer.Typer(help="List, add and remove limits.", no_args_is_help=True)

_NUMBER = "NUMBER"


@app.command("list")
def list_limits(config: ConfigOption = None, as_json: JsonFlag = False) -> None:
    """List the limits of the configuration and of the database."""
    list_rules("limit", config, as_json=as_json)


@app.command("add")
def add(
    requests_per_second: Annotated[str | None, typer.Option(metavar=_NUMBER, help="Rate of calls.")] = None,
    requests_per_minute: Annotated[str | None, typer.Option(metavar=_NUMBER, help="Rate of calls.")] = None,
    burst: Annotated[
        str | None, typer.Option(metavar=_NUMBER, help="Calls at once under a rate. Default: its second or minute.")
    ] = None,
    tokens_per_minute: Annotated[str | None, typer.Option(metavar=_NUMBER, help="Rate of tokens, in and out.")] = None,
    concurrent_calls: Annotated[
        str | None, typer.Option(metavar=_NUMBER, help="Calls under way at the same time.")
    ] = None,
    tokens_per_day: Annotated[str | None, typer.Option(metavar=_NUMBER, help="Tokens in a calendar day (UTC).")] = None,
    tokens_per_month: Annotated[
        str | None, typer.Option(metavar=_NUMBER, help="Tokens in a calendar month (UTC).")
    ] = None,
    per: Per = None,
    where: Where = None,
    shadow: Annotated[bool, typer.Option("--shadow", help="Measure what would be refused; refuse nothing.")] = False,
    name: Name = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Add a limit and print its id. Of several bounds a call must fit into all."""
    values = {
        "name": name,
        "requests_per_second": requests_per_second,
        "requests_per_minute": requests_per_minute,
        "burst": burst,
        "tokens_per_minute": tokens_per_minute,
        "concurrent_calls": concurrent_calls,
        "tokens_per_day": tokens_per_day,
        "tokens_per_month": tokens_per_month,
        "shadow": shadow,
    }
    add_rule("limit", values, per, where, config, as_json=as_json)


@app.command("remove")
def remove(rule_id: RuleId, config: ConfigOption = None, as_json: JsonFlag = False) -> None:
    """Remove a limit of the database."""
    remove_rule("limit", rule_id, config, as_json=as_json)
