"""Where an export goes and what of it: an entry of ``exports`` with its secrets looked up.

The process that sends gets these by a pipe, so that no secret stands in an environment or an argument of its own.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence

import msgspec

from ...errors import ConfigError
from ...export_settings import ExportKind, ExportSettings
from ..spans.genai_write import Semconv

_LANGFUSE_VERSION = "4"
"""What asks Langfuse to show spans as they come, not minutes later."""


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """``url`` is the tool's address without the path of an interface."""

    name: str
    kind: ExportKind
    url: str
    headers: dict[str, str] = {}
    experiment: str = "0"
    tenants: list[str] = []
    sample: float = 1.0
    content: bool = False
    scores: bool = True
    timeout_s: float = 10.0
    spans_per_request: int = 500
    max_backlog_bytes: int = 1_000_000_000
    max_age_s: float = 86_400.0
    semconv: Semconv = "1.41"


def destinations_of(
    exports: Sequence[ExportSettings], environment: Mapping[str, str], semconv: Semconv = "1.41"
) -> list[Destination]:
    """`ConfigError` where a variable that is named is not there, or holds what no header can."""
    problems: list[str] = []
    found = [_destination(each, environment, semconv, problems) for each in exports]
    if problems:
        raise ConfigError(problems)
    return found


def _destination(
    export: ExportSettings, environment: Mapping[str, str], semconv: Semconv, problems: list[str]
) -> Destination:
    headers = dict(export.headers)

    def secret(variable: str) -> str:
        value = environment.get(variable, "").strip()
        if not value or not (value.isascii() and value.isprintable()):
            problems.append(f"exports: {export.name!r}: the variable {variable} is not set, or holds no credential")
        return value

    for header, variable in export.headers_env.items():
        headers[header] = secret(variable)
    if export.kind == "langfuse":
        pair = f"{export.public_key}:{secret(export.secret_key_env)}"
        headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        headers["x-langfuse-ingestion-version"] = _LANGFUSE_VERSION
    return Destination(
        name=export.name,
        kind=export.kind,
        url=export.endpoint,
        headers=headers,
        experiment=export.experiment,
        tenants=export.tenants,
        sample=export.sample,
        content=export.content,
        scores=export.scores,
        timeout_s=export.timeout_seconds,
        spans_per_request=export.spans_per_request,
        max_backlog_bytes=export.max_backlog_megabytes * 1_000_000,
        max_age_s=export.max_age_hours * 3600,
        semconv=semconv,
    )
