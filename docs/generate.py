"""``make docs``: the reference pages that are made from the code. A test fails while one of them is stale."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from typer.testing import CliRunner

from llmops import errors
from llmops.alert_settings import AlertRuleSettings, ReceiverSettings
from llmops.cli.root import app
from llmops.config import CONTRACT_VARIABLES, DEFAULT_FILE, ENV_PREFIX, FILE_VARIABLE
from llmops.dialects.registry import DIALECTS
from llmops.evals.scorers.registry import SCORERS, Family, Setting, settings_of
from llmops.export_settings import ExportSettings
from llmops.jwt_settings import JwtIssuerSettings
from llmops.last_resort_settings import LastResortSettings
from llmops.price_settings import PriceSettings
from llmops.rule_settings import BudgetSettings, LimitRuleSettings
from llmops.settings import DeploymentSettings, MockSettings, ModelSettings, Settings
from llmops.slo_settings import SLOSettings
from llmops.telemetry.metric_table import LABELS, METRICS, Definition
from llmops.telemetry.spans.conventions import MAPPING_VERSION, SOURCES
from llmops.telemetry.spans.facts import Facts

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Made by `make docs` from {source}; change that. -->\n"
_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


# --- settings ---------------------------------------------------------------------------------------------------


def settings_page() -> str:
    parts = [
        NOTE.format(source="`src/llmops/settings.py`") + "# Settings",
        f"Read from the YAML file that `{FILE_VARIABLE}` or `--config` names (otherwise `{DEFAULT_FILE}`, where it "
        f"exists). Variables win over the file: every key has one called `{ENV_PREFIX}<SECTION>__<KEY>`, and the short "
        "names in the table win over those. Unknown keys, wrong types and impossible values stop the start, and a "
        "reload with them is refused. `llmops config check FILE` tells beforehand; `llmops config show` prints what is "
        "in force.",
    ]
    short = {path: name for name, path in CONTRACT_VARIABLES.items()}
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            parts += [f"## `{name}`", (section.__doc__ or "").strip()]
            parts.append(_table(section, lambda key, name=name: short.get((name, key), "")))
            for key, inner in section.model_fields.items():
                nested = inner.annotation
                if isinstance(nested, type) and issubclass(nested, BaseModel):
                    parts += [f"### `{name}.{key}`", (nested.__doc__ or "").strip(), _table(nested)]
    parts += [
        "## `models`",
        "Public model names (or patterns with `*`), each with its deployments: "
        "`name: [deployment, …]`, or `name: {strategy: …, deployments: [deployment, …]}`. Without an entry of its own, "
        "`llm.model` goes to `llm.provider`. See [connect providers](../how-to/connect-providers.md).",
        _table(ModelSettings),
        "### A deployment",
        (DeploymentSettings.__doc__ or "").strip(),
        _table(DeploymentSettings),
        "### A last resort",
        f"{(LastResortSettings.__doc__ or '').strip()} "
        "See [last resorts](../how-to/when-upstreams-fail.md#last-resorts).",
        _table(LastResortSettings),
        "### `mock` of a deployment",
        (MockSettings.__doc__ or "").strip(),
        _table(MockSettings),
        "## A rule in `limits.rules`",
        f"{(LimitRuleSettings.__doc__ or '').strip()} See [limits and budgets](../how-to/limits-and-budgets.md).",
        _table(LimitRuleSettings),
        "## A budget in `budgets`",
        (BudgetSettings.__doc__ or "").strip(),
        _table(BudgetSettings),
        "## A rule in `alerts.rules`",
        f"{(AlertRuleSettings.__doc__ or '').strip()} See [alerts](../how-to/alerts.md).",
        _table(AlertRuleSettings),
        "## A receiver in `alerts.receivers`",
        (ReceiverSettings.__doc__ or "").strip(),
        _table(ReceiverSettings),
        "## An objective in `slos`",
        f"{(SLOSettings.__doc__ or '').strip()} See [objectives](../how-to/slos.md).",
        _table(SLOSettings),
        "## `prices`",
        "Prices by public model name (or pattern with `*`; an exact name wins, then the longest pattern), in USD per "
        "million tokens. A deployment's `price` has the same keys. See [prices](../how-to/prices.md).",
        _table(PriceSettings),
        "## An entry of `exports`",
        f"{(ExportSettings.__doc__ or '').strip()} See [export traces](../how-to/export-traces.md).",
        _table(ExportSettings),
        "## An issuer in `auth.jwt`",
        f"{(JwtIssuerSettings.__doc__ or '').strip()} See [tokens of your identity provider](../how-to/jwt.md).",
        _table(JwtIssuerSettings),
    ]
    return "\n\n".join(parts) + "\n"


def _table(section: type[BaseModel], variable: Callable[[str], str] | None = None) -> str:
    head = ["key", "type", "default", *(["short variable"] if variable else []), "meaning"]
    rows = []
    for key, field in section.model_fields.items():
        kind = ", ".join([_kind(field.annotation), *_bounds(field.metadata)])
        default = "**required**" if field.is_required() else _default(field.get_default(call_default_factory=True))
        named = [f"`{variable(key)}`" if variable(key) else ""] if variable else []
        rows.append([f"`{key}`", kind, default, *named, field.description or ""])
    return _markdown(head, rows)


def _kind(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin is Annotated:
        return _kind(inner[0])
    if origin in (Union, UnionType):
        return " or ".join(_kind(each) for each in inner if each is not type(None))
    if origin is list:
        return f"list of {_kind(inner[0])}"
    if origin is dict:
        return "mapping"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping"
    names = {
        "str": "text",
        "int": "integer",
        "float": "number",
        "Decimal": "number",
        "bool": "true or false",
        "Path": "path",
        "SecretStr": "secret",
    }
    return names[annotation.__name__]


def _bounds(metadata: list[Any]) -> Iterator[str]:
    for bound in metadata:
        for name, sign in _BOUNDS.items():
            value = getattr(bound, name, None)
            if value is not None:
                yield f"{sign} {value:,}".replace(",", " ")


def _default(value: Any) -> str:
    if value is None or value is PydanticUndefined:
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, BaseModel) or value == {}:
        return "empty"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


# --- the shell --------------------------------------------------------------------------------------------------


def cli_page() -> str:
    parts = [
        NOTE.format(source="`src/llmops/cli/`") + "# Shell",
        "What was asked for goes to stdout, words to the operator to stderr. Exit status 0: done; 1: a check or the "
        "server failed; 2: asked for something impossible, such as an unusable configuration.",
    ]
    for command in [
        [],
        ["serve"],
        ["config", "show"],
        ["config", "check"],
        ["config", "reload"],
        *(["keys", name] for name in ("create", "list", "rotate", "revoke")),
        *(["tenants", name] for name in ("create", "list", "disable", "enable")),
        *([kind, name] for kind in ("limits", "budgets") for name in ("list", "add", "remove")),
        *(["cache", name] for name in ("show", "clear", "measure")),
        ["usage"],
        ["slo", "status"],
        ["monitoring", "export"],
        ["reconcile"],
        ["doctor"],
        ["dev", "faults"],
        ["version"],
    ]:
        asked = CliRunner().invoke(
            app, [*command, "--help"], prog_name="llmops", terminal_width=100, env={"COLUMNS": "100"}
        )
        text = "\n".join(line.rstrip() for line in asked.output.strip().splitlines())
        parts.append(f"## `{' '.join(['llmops', *command])}`\n\n```text\n{text}\n```")
    return "\n\n".join(parts) + "\n"


# --- errors -----------------------------------------------------------------------------------------------------


class Entry(msgspec.Struct):
    """A line of the tree at the top of ``errors.py``."""

    depth: int
    name: str
    status: str
    meaning: str


_LINE = re.compile(r"^    (?P<branch>[│├└─ ]*)(?P<name>[A-Z]\w+)(?: +(?P<status>\d{3}|4xx))?(?: +(?P<meaning>.*))?$")


def error_tree() -> list[Entry]:
    found = (_LINE.match(line) for line in (errors.__doc__ or "").splitlines())
    return [
        Entry(len(each["branch"]) // 4, each["name"], each["status"] or "", each["meaning"] or "")
        for each in found
        if each is not None
    ]


def errors_page() -> str:
    rows = []
    for entry in error_tree():
        kind = getattr(errors, entry.name)
        if not entry.status:
            rows.append([f"{'&emsp;' * entry.depth}**{entry.name}**", "", "", "", "", "", entry.meaning])
            continue
        sample = kind("", upstream_status=400) if entry.status == "4xx" else kind("")
        openai, anthropic = (_error_type(name, sample) for name in ("chat", "messages"))
        rows.append(
            [
                f"{'&emsp;' * entry.depth}{entry.name}",
                entry.status,
                f"`{kind.code}`",
                f"`{openai}`",
                f"`{anthropic}`",
                "yes" if kind.retryable else "no",
                entry.meaning,
            ]
        )
    text = (
        "Every refusal and failure has one class, one HTTP status and one code. The code is `error_type` in the "
        "[request log](request-log.md) and `error.code` in OpenAI's error shape; Anthropic's shape, on `/v1/messages`, "
        "has only a type. *Again* says whether the same request may succeed later or elsewhere; where the provider "
        "said how long to wait, the answer carries `Retry-After`. After a stream's first content, an error is an event "
        "of the stream."
    )
    note = NOTE.format(source="the tree in `src/llmops/errors.py`")
    table = _markdown(["error", "status", "code", "OpenAI type", "Anthropic type", "again", "meaning"], rows)
    return "\n\n".join([note + "# Errors", text, table]) + "\n"


def _error_type(dialect: Any, sample: errors.LLMOpsError) -> str:
    said: dict[str, Any] = msgspec.json.decode(DIALECTS[dialect].write_error(sample, "req"))
    return str(said["error"]["type"])


# --- what spans say ---------------------------------------------------------------------------------------------


def conventions_page() -> str:
    by_fact: dict[str, list[list[str]]] = {}
    parts_of = {"_amount": "cost_nanousd", "_currency": "cost_nanousd", "_cost_in": "cost_nanousd"} | {
        "_cost_out": "cost_nanousd",
        "_entity": "tool",
        "_database": "step",
    }
    for convention, _, names in SOURCES:
        for said in names:
            fact = parts_of.get(said.fact, said.fact)
            by_fact.setdefault(fact, []).append([f"`{fact}`", f"`{said.name}`", convention])
    rows = [row for field in msgspec.structs.fields(Facts) for row in by_fact.get(field.name, [])]
    text = (
        "What a span from outside says is read from these attributes. Where it says one thing in several ways, the "
        "first in this order counts. Flattened lists (`llm.input_messages.<i>.…`, `gen_ai.prompt.<i>.…` and the like) "
        "are the texts where no newer name has them; events of GenAI up to 1.36 come after all attributes. What makes "
        "no sense (a count that is text, a negative cost) is passed over. Every attribute is kept as it came, "
        f"whether or not it is in this table. Version {MAPPING_VERSION} of the mapping."
    )
    note = NOTE.format(source="`src/llmops/telemetry/spans/conventions/`")
    return "\n\n".join([note + "# What spans say", text, _markdown(["fact", "attribute", "convention"], rows)]) + "\n"


# --- metrics ----------------------------------------------------------------------------------------------------


_METRICS_TEXT = (
    "`/metrics` in Prometheus' text format. Calls are counted when they have ended and are in the log, so a scrape and "
    "the log agree. With several workers one scrape shows all of them: numbers are added up, since each worker has its "
    "own; of a breaker the worst state is shown, and what all workers know alike is shown once. Beside them the usual "
    "`process_*` and `python_*` of the process that was scraped. [Prometheus](../how-to/prometheus.md) says what to do "
    "with them."
)
_METRICS_NOTE = (
    "No label holds what a client wrote, so the number of series is bounded by the configuration. What is about "
    "deployments is there while `resilience.enabled` is on, and counts attempts as they end, probes as well; what is "
    "about objectives is there where [objectives](../how-to/slos.md) are set."
)


def metrics_page() -> str:
    note = NOTE.format(source="`src/llmops/telemetry/metric_table.py`")
    rows = [
        [f"`{each.name}`", each.kind, _labels(each), f"{each.help} {each.note}".strip()] for each in METRICS.values()
    ]
    used = {label for each in METRICS.values() for label in each.labels}
    labels = [[f"`{name}`", bound] for name, bound in LABELS.items() if name in used]
    return (
        "\n\n".join(
            [
                note + "# Metrics",
                _METRICS_TEXT,
                _markdown(["metric", "type", "labels", "meaning"], rows),
                "## Labels",
                _METRICS_NOTE,
                _markdown(["label", "values"], labels),
            ]
        )
        + "\n"
    )


def _labels(definition: Definition) -> str:
    return ", ".join(f"`{label}`" for label in definition.labels)


# --- scorers ----------------------------------------------------------------------------------------------------

_FAMILIES: Mapping[Family, str] = {
    "text": "The answer's words",
    "call": "What the call took",
    "safety": "Refusals, abuse, personal data: by rules, which are crude",
    "tools": "Tool calls",
    "retrieval": "Rankings",
    "rag": "Answers against what was looked up",
    "judge": "A model's opinion",
}
_SCORERS_TEXT = (
    "What a run can judge answers by, each with its settings. A case's `reference` is what is right (a text, a list "
    "of texts that all are, a number), or an object of several such things: `answer`, `relevant` (ids, or id: "
    "relevance), `contexts` (texts), `tool_calls` (`name`, `arguments`). A case that lacks what a scorer needs is an "
    "error with the code `no_reference`, not a 0; what cannot be measured has no value and a note. *Needs* is what has "
    "to be handed in beside the settings; see [judge with models](../how-to/judge-with-models.md)."
)


def scorers_page() -> str:
    parts = [NOTE.format(source="`src/llmops/evals/scorers/`") + "# Scorers", _SCORERS_TEXT]
    for family, title in _FAMILIES.items():
        parts.append(f"## {title}")
        for name, entry in SCORERS.items():
            if entry.family == family:
                needs = f" Needs: {' and '.join(entry.needs)}." if entry.needs else ""
                parts += [f"### `{name}`", f"{entry.description}{needs}"]
                rows = [_setting_row(setting) for setting in settings_of(entry.kind)]
                if rows:
                    parts.append(_markdown(["setting", "type", "default", "meaning"], rows))
    return "\n\n".join(parts) + "\n"


def _setting_row(setting: Setting) -> list[str]:
    default = "**required**" if setting.default is MISSING else _scorer_default(setting.default)
    return [f"`{setting.name}`", _scorer_kind(setting.plain_kind), default, setting.description]


def _scorer_kind(kind: Any) -> str:
    if get_origin(kind) is tuple:
        return f"list of {_scorer_kind(get_args(kind)[0])}"
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(_scorer_kind(each) for each in get_args(kind) if each is not type(None))
    if get_origin(kind) is dict:
        return "mapping"
    return _kind(kind)


def _scorer_default(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(f"`{each}`" for each in value)
    return "" if isinstance(value, dict) else _default(value)


# --- all of them ------------------------------------------------------------------------------------------------

PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "cli.md": cli_page,
    "errors.md": errors_page,
    "metrics.md": metrics_page,
    "span-conventions.md": conventions_page,
    "scorers.md": scorers_page,
}


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def main() -> None:
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page())
        print(f"docs/reference/{name}")


if __name__ == "__main__":
    main()
