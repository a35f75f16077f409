"""``llmops scores``: list what traces, spans and sessions were judged to be, and judge one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .output import ConfigOption, JsonFlag, clean_errors, print_json, print_table, say

if TYPE_CHECKING:
    from ..telemetry.assessments.repository.assessments import AssessmentRepository

app = typer.Typer(help="List scores of traces, spans and sessions, and add one.", no_args_is_help=True)

TraceOption = Annotated[str | None, typer.Option("--trace", metavar="ID", help="A trace: 32 hexadecimal digits.")]
SpanOption = Annotated[str | None, typer.Option("--span", metavar="ID", help="A span of it: 16 hexadecimal digits.")]
SessionOption = Annotated[str | None, typer.Option("--session", metavar="ID", help="A conversation.")]


@contextmanager
def _opened(config: Path | None) -> Iterator["AssessmentRepository"]:
    with clean_errors():
        from ..config import load_settings
        from ..opening import open_identity
        from ..telemetry.assessments.repository.assessments import AssessmentRepository

        identity = open_identity(load_settings(config))
        try:
            yield AssessmentRepository(identity.database)
        finally:
            identity.close()


@app.command("list")
def list_scores(
    trace: TraceOption = None,
    span: SpanOption = None,
    session: SessionOption = None,
    name: Annotated[str | None, typer.Option(help="Only of this name.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only of this tenant.")] = None,
    source: Annotated[str | None, typer.Option(help="Only of this source: human, judge or code.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 50,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """List scores, the newest first."""
    with _opened(config) as assessments:
        from ..telemetry.assessments.assessment import shown
        from ..telemetry.assessments.repository.assessments import Wanted

        wanted = Wanted(tenant=tenant, trace_id=trace, span_id=span, session=session, name=name, source=source)
        found = [shown(each) for each in assessments.find(wanted, limit)]
    if as_json:
        print_json(found)
    elif not found:
        say("no scores")
    else:
        columns = (
            "name",
            "value",
            "label",
            "comment",
            "source",
            "source_id",
            "tenant",
            "trace_id",
            "span_id",
            "session",
        )
        rows = [["" if row[each] is None else str(row[each])[:200] for each in columns] for row in found]
        print_table(columns, rows)


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What is judged, such as helpful.")],
    value: Annotated[str | None, typer.Option(help="A number, or true or false.")] = None,
    label: Annotated[str | None, typer.Option(help="A word, such as correct.")] = None,
    comment: Annotated[str | None, typer.Option(help="A text.")] = None,
    trace: TraceOption = None,
    span: SpanOption = None,
    session: SessionOption = None,
    tenant: Annotated[str, typer.Option(help="Whose trace it is.")] = "default",
    score_id: Annotated[str | None, typer.Option("--id", help="The same id replaces.")] = None,
    source: Annotated[str, typer.Option(help="human, judge or code.")] = "human",
    by: Annotated[str | None, typer.Option(help="Who or what judged.")] = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Judge a trace, a span of it, or a session; prints the score's id."""
    with _opened(config) as assessments:
        import secrets

        from ..telemetry.assessments.assessment import assessment_of, shown

        given = {
            "id": score_id,
            "trace_id": trace,
            "span_id": span,
            "session": session,
            "name": name,
            "value": _value(value),
            "label": label,
            "comment": comment,
            "source": source,
            "source_id": by,
        }
        made = assessment_of(given, tenant, time.time_ns() // 1_000_000, secrets.token_hex(16))
        assessments.store([made])
    if as_json:
        print_json(shown(made))
    else:
        typer.echo(made.id)


def _value(text: str | None) -> float | bool | None:
    from ..errors import InvalidRequest

    if text is None:
        return None
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return float(text)
    except ValueError as exc:
        raise InvalidRequest(f"--value {text[:80]!r}: must be a number, true or false") from exc
