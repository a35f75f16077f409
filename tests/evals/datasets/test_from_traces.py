"""Cases from calls and spans: only with consent, masked, sampled, with what was said of them as the reference."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmops.errors import Forbidden, InvalidRequest
from llmops.eval_settings import DatasetSettings
from llmops.evals.case import Case
from llmops.evals.datasets.from_traces import Sampling, TraceImport
from llmops.evals.datasets.recorded import masking_of
from llmops.evals.datasets.report import Report
from llmops.store.database import Database
from llmops.telemetry.assessments.assessment import assessment_of
from llmops.telemetry.assessments.repository.assessments import AssessmentRepository
from llmops.telemetry.traces.directory import TraceDirectory
from llmops.telemetry.traces.query import TraceFilter
from tests.telemetry.traces.shelf import Shelf, a_line, a_span, trace_of

ACME = TraceFilter(tenant="acme")
ALLOWED = DatasetSettings.model_validate({"tenants": {"acme": {"consent": True}}})


def said(number: int, **fields: Any) -> dict[str, Any]:
    masked = [{"role": "user", "content_hash": "0" * 64, "content_length": 5, "content": f"question {number}"}]
    return {"number": number, "messages_masked": masked, "output": f"answer {number}", "tenant": "acme", **fields}


class Archive:
    def __init__(self, database: Database, folder: Path) -> None:
        self.shelf = Shelf(database)
        self.scores = AssessmentRepository(database)
        self.log = folder / "gateway.jsonl"
        self.log.touch()

    def calls(self, *given: dict[str, Any]) -> None:
        self.shelf.calls(*({k: v for k, v in each.items() if k not in ("messages_masked", "output")} for each in given))
        self.log.write_bytes(self.log.read_bytes() + b"".join(a_line(**each) for each in given))

    def taken(self, sampling: Sampling | None = None, **more: Any) -> tuple[list[Case], list[str]]:
        report = Report("x")
        consent = more.pop("consent", ALLOWED)
        wanted = more.pop("wanted", ACME)
        traces = TraceDirectory(self.shelf.database)
        source = TraceImport(traces, self.scores, [self.log], consent, masking_of(["secret"]))
        return list(source.cases(wanted, sampling or Sampling(), report, **more)), report.notes


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    database = Database(f"sqlite:///{tmp_path}/data/llmops.db")
    yield Archive(database, tmp_path)
    database.close()


def test_a_call_becomes_a_case_that_remembers_where_it_is_from(archive: Archive) -> None:
    hostile = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "I am secret, a@example.org"}]
    messages = [{"content_hash": "0" * 64, "content_length": 5, **each} for each in hostile]
    archive.calls(
        said(1, session="talk", release_id="r1"),
        said(2, messages_masked=messages, output="write to b@example.org"),
        said(3, tenant="other"),
        {"number": 4, "tenant": "acme"},
    )
    cases, notes = archive.taken()
    by_id = {case.id: case for case in cases}
    assert set(by_id) == {f"trace-{trace_of(1)}", f"trace-{trace_of(2)}"}, "another tenant's is not there"
    first, second = by_id[f"trace-{trace_of(1)}"], by_id[f"trace-{trace_of(2)}"]
    assert (first.input, first.reference, first.cluster) == ("question 1", None, "talk")
    assert first.metadata["trace_id"] == trace_of(1) and first.metadata["output"] == "answer 1"
    assert first.metadata["consent"] == "evals.datasets.tenants.acme.consent" and first.metadata["release_id"] == "r1"
    assert second.input == [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "I am [redacted], [email]"},
    ]
    assert second.metadata["output"] == "write to [email]"
    assert "texts were not captured" in notes[0] and "(1 times" in notes[0]


def test_without_consent_nothing_is_read(archive: Archive) -> None:
    archive.calls(said(1))
    refused = DatasetSettings.model_validate({"consent": True, "tenants": {"acme": {"consent": False}}})
    for consent in (DatasetSettings(), refused):
        with pytest.raises(Forbidden, match=r"evals\.datasets\.tenants\.acme\.consent: true"):
            archive.taken(consent=consent)
    with pytest.raises(InvalidRequest, match="name the tenant"):
        archive.taken(wanted=TraceFilter())
    assert archive.taken(consent=DatasetSettings(consent=True))[0][0].metadata["consent"] == "evals.datasets.consent"


def test_spans_with_captured_texts_become_cases(archive: Archive) -> None:
    texts = {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"from a span"}]}]',
        "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"said"}]}]',
    }
    archive.shelf.spans(a_span(1, trace=50), a_span(2, trace=50, parent=1, attributes=texts))
    (case,), _ = archive.taken(reference="output")
    assert (case.input, case.reference, case.metadata["span_id"]) == ("from a span", "said", f"{2:016x}")


def test_a_score_becomes_the_reference(archive: Archive) -> None:
    archive.calls(*map(said, range(1, 5)))
    for number, fields in ((1, {"label": "good"}), (2, {"comment": "write a@example.org"}), (3, {"value": 0.5})):
        given = {"trace_id": trace_of(number), "name": "correct", **fields}
        archive.scores.store([assessment_of(given, "acme", 1, f"s{number}")])
    cases, notes = archive.taken(reference="correct")
    assert sorted(str(case.reference) for case in cases) == ["0.5", "good", "write [email]"]
    assert "has no score 'correct'" in notes[0]


def test_samples_repeat_and_hold_small_groups(archive: Archive) -> None:
    archive.calls(*(said(number, model="rare" if number % 20 == 1 else "often") for number in range(1, 61)))
    chosen = Sampling(count=10, by=("model",), seed=5)
    cases, _ = archive.taken(chosen)
    assert sum(case.metadata["model"] == "rare" for case in cases) == 3 and len(cases) == 10
    assert [case.id for case in archive.taken(chosen)[0]] == [case.id for case in cases]
    few, notes = archive.taken(Sampling(count=5, scan=5))
    assert len(few) == 5 and any("only the newest 5 traces" in note for note in notes)
