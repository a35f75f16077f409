"""``llmops eval scorers``: what a run can judge by, as the reference page has it."""

import dataclasses
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from .output import JsonFlag, clean_errors, print_json, print_table


def scorers(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One scorer, with its settings.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List the scorers: what each measures, what it needs, and for one of them its settings."""
    with clean_errors():
        found = _described(name)
    if as_json:
        print_json(found)
    elif name is None:
        rows = [
            [each["name"], each["family"], ", ".join(each["needs"]), ", ".join(each["settings"]), each["measures"]]
            for each in found
        ]
        print_table(["scorer", "family", "needs", "settings", "measures"], rows)
    else:
        (one,) = found
        typer.echo(one["measures"])
        rows = [
            [key, each["type"], "required" if each["required"] else _shown(each["default"]), each["meaning"]]
            for key, each in one["settings"].items()
        ]
        print_table(["setting", "type", "default", "meaning"], rows)


def _described(name: str | None) -> list[dict[str, Any]]:
    from ..evals.scorers.registry import SCORERS, entry_of

    entries = SCORERS if name is None else {name: entry_of(name)}
    return [
        {
            "name": each,
            "family": entry.family,
            "measures": entry.description,
            "needs": list(entry.needs),
            "library": entry.library,
            "settings": _settings(entry.kind),
        }
        for each, entry in entries.items()
    ]


def _settings(kind: type[Any]) -> dict[str, Any]:
    from ..evals.scorers.registry import settings_of

    return {
        each.name: {
            "type": _type(each.plain_kind),
            "required": each.default is dataclasses.MISSING,
            "default": None if each.default is dataclasses.MISSING else each.default,
            "meaning": each.description,
        }
        for each in settings_of(kind)
    }


def _type(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " | ".join(repr(each) for each in get_args(kind))
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind).replace("typing.", "")


def _shown(value: Any) -> str:
    if value is None or value in ((), {}):
        return "-"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
