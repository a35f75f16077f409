"""The reference is complete and current: generated pages are fresh, hand-written ones name all that the code has."""

import json
import re
import runpy
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import pytest
from fastapi.routing import APIRoute

from docs.generate import PAGES, REFERENCE, error_tree
from llmops import errors
from llmops.assembly import build_gateway
from llmops.gateway.api.roles import least_role, routes_of
from llmops.gateway.application import HOT_ROUTES
from llmops.settings import Settings
from llmops.telemetry.exposition import exposition
from llmops.telemetry.metrics import Metrics
from llmops.telemetry.record import CallRecord, FailedAttemptRecord, MaskedMessage, TokenUsage
from tests.serving import ROOT

check_log = runpy.run_path(str(ROOT / ".ci/check_log.py"))


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_fresh(name: str) -> None:
    assert (REFERENCE / name).read_text() == PAGES[name](), "run `make docs`"


def rows(page: str, heading: str) -> list[str]:
    """The first cells of the table under a heading, without their back-ticks."""
    section = (REFERENCE / page).read_text().split(f"{heading}\n", 1)[1]
    table = section[section.index("| ---") :].split("\n\n", 1)[0]
    return [line.split("|")[1].strip().strip("`") for line in table.splitlines()[1:]]


def fields(struct: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(struct)]


def test_every_field_of_the_request_log_is_described_in_order() -> None:
    assert rows("request-log.md", "# Request log") == fields(CallRecord)
    assert rows("request-log.md", "## `token_usage`") == fields(TokenUsage)
    assert rows("request-log.md", "## `failed_attempts`") == fields(FailedAttemptRecord)
    assert rows("request-log.md", "## `messages_masked`") == fields(MaskedMessage)


def test_the_example_of_the_request_log_is_a_record() -> None:
    example = re.search(r"```json\n(.+)\n```", (REFERENCE / "request-log.md").read_text())
    assert example is not None
    msgspec.json.decode(example[1], type=CallRecord, strict=True)
    assert list(json.loads(example[1])) == fields(CallRecord)
    assert list(check_log["problems_of"](json.loads(example[1]), check_log["FIELDS"])) == []


def test_every_metric_is_described() -> None:
    told = re.findall(r"^# TYPE (llm\S+) ", exposition(Metrics().snapshot()).decode(), re.MULTILINE)
    ours = [name for name in told if not name.endswith("_created")]
    described = rows("metrics.md", "# Metrics")
    assert sorted(described) == sorted(ours)


def test_every_path_of_the_data_plane_is_described() -> None:
    text = (REFERENCE / "http.md").read_text()
    assert [path for path in HOT_ROUTES if f"POST `{path}`" not in text] == []


def test_every_route_of_the_control_plane_is_described_with_its_role(settings: Callable[..., Settings]) -> None:
    app = build_gateway(settings()).control_plane.build()  # type: ignore[attr-defined]
    routes = {
        f"{method} `{route.path}` | {least_role(route)} |"
        for route in routes_of(app)
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    text = (REFERENCE / "http.md").read_text()
    assert routes and [route for route in sorted(routes) if f"| {route}" not in text] == []


def test_the_drawn_error_tree_is_the_real_one() -> None:
    def tree(kind: type[errors.LLMOpsError]) -> Iterable[str]:
        yield kind.__name__
        for child in kind.__subclasses__():
            if child.__module__ == errors.__name__:
                yield from tree(child)

    drawn = error_tree()
    assert [entry.name for entry in drawn] == list(tree(errors.LLMOpsError))
    for entry in drawn:
        kind = getattr(errors, entry.name)
        assert kind.__mro__[1].__name__ == next(
            (other.name for other in reversed(drawn[: drawn.index(entry)]) if other.depth < entry.depth), "Exception"
        )
        assert entry.status in ("", "4xx", str(kind.status))
        assert entry.meaning or entry.name == "LLMOpsError", f"say in errors.py what {entry.name} means"


def test_links_between_pages_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    dead = []
    for page in pages:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            if not (page.parent / target).exists():
                dead.append(f"{page.relative_to(ROOT)} -> {target}")
    assert dead == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        ('{"timestamp": "yesterday"}', "timestamp is 'yesterday'"),
        ("{}", "messages_masked is missing"),
        ('{"failed_attempts": []}', "failed_attempts is []"),
        ('{"failed_attempts": [{"deployment": "d"}]}', "failed_attempts is [{"),
    ],
)
def test_the_log_check_finds_what_is_malformed(line: str, problem: str, tmp_path: Path) -> None:
    log = tmp_path / "gateway.jsonl"
    log.write_text(f"{line}\n")
    count, problems = check_log["check_file"](log)
    assert count == 1
    assert any(problem in found for found in problems)
    log.write_text("")
    assert check_log["main"]([str(log)]) == 1, "an empty log proves nothing"
