"""``llmops doctor``: look at everything a gateway needs, and say what each finding means and what to do."""

import asyncio
from typing import Annotated

import typer

from .output import ConfigOption, JsonFlag, print_json, print_table


def doctor(
    config: ConfigOption = None,
    as_json: JsonFlag = False,
    offline: Annotated[bool, typer.Option("--offline", help="Do not connect to upstreams.")] = False,
) -> None:
    """Check configuration, credentials, upstreams, log, clock, port and packages. Makes no paid call."""
    from .checks import examine

    findings = asyncio.run(examine(config, offline=offline))
    errors = sum(finding.verdict == "error" for finding in findings)
    warnings = sum(finding.verdict == "warning" for finding in findings)
    if as_json:
        print_json({"ok": errors == 0, "errors": errors, "warnings": warnings, "findings": findings})
    else:
        print_table(
            ("verdict", "what", "finding", "what to do"),
            [(each.verdict, each.what, each.meaning, each.advice) for each in findings],
        )
        typer.echo(f"\n{errors} errors, {warnings} warnings, {len(findings) - errors - warnings} ok")
    raise typer.Exit(1 if errors else 0)
