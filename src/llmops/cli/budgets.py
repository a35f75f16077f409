"""``llmops budgets``: list the budgets, add and remove those of the database. A running gateway follows at once.

Amounts are read as they are written, never through a binary fraction.
"""

from typing import Annotated

import typer

from .output import ConfigOption, JsonFlag
from .rules import Name, Per, RuleId, Where, add_rule, list_rules, remove_rule

app = typer.Typer(help="List, add and remove budgets.", no_args_is_help=True)


@app.command("list")
def list_budgets(config: ConfigOption = None, as_json: JsonFlag = False) -> None:
    """List the budgets of the configuration and of the database."""
    list_rules("budget", config, as_json=as_json)


@app.command("add")
def add(
    usd: Annotated[str, typer.Option(metavar="AMOUNT", help="US dollars, e.g. 100 or 0.25.")],
    window: Annotated[str, typer.Option(metavar="WINDOW", help="day, week, month (calendar, UTC) or total.")] = "month",
    per: Per = None,
    where: Where = None,
    soft: Annotated[bool, typer.Option("--soft", help="Report what is over; refuse nothing.")] = False,
    name: Name = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Add a budget and print its id. Calls that do not fit are refused with 402."""
    values = {"name": name, "usd": usd, "window": window, "hard": not soft}
    add_rule("budget", values, per, where, config, as_json=as_json)


@app.command("remove")
def remove(rule_id: RuleId, config: ConfigOption = None, as_json: JsonFlag = False) -> None:
    """Remove a budget of the database."""
    remove_rule("budget", rule_id, config, as_json=as_json)
