"""Scores on their way to other tools: to Langfuse as scores, to a collector as events of spans, each once."""

from typing import Any

from llmops.export_settings import ExportSettings
from llmops.telemetry.assessments.assessment import Assessment, assessment_of
from llmops.telemetry.assessments.events import assessments_of
from llmops.telemetry.export.destination import destinations_of
from llmops.telemetry.export.tools import mlflow_assessment
from tests.telemetry.export.collector import Collector, Langfuse, listening, to
from tests.telemetry.export.lab import Lab, drain

TRACE, SPAN = "ab" * 16, "cd" * 8


def langfuse(collector: Langfuse, **fields: Any) -> Any:
    given = {"name": "lf", "kind": "langfuse", "endpoint": collector.url, "public_key": "pk-lf-1", **fields}
    (found,) = destinations_of([ExportSettings(**given)], {"LANGFUSE_SECRET_KEY": "sk-lf-2"})
    return found


def test_langfuse_gets_spans_and_every_kind_of_score(lab: Lab) -> None:
    with listening(Langfuse("pk-lf-1", "sk-lf-2")) as collector:
        assert isinstance(collector, Langfuse)
        exporter = lab.exporter(langfuse(collector, content=True))
        lab.call(3, release_id="r-1")
        lab.score(id="thumb", value=True)
        lab.score(id="number", value=0.25, span_id=SPAN, comment="so so", label="fair")
        lab.score(id="label", value=None, label="correct", source="judge", source_id="gpt-4o@2")
        lab.score(id="words", value=None, comment="<b>hello</b>")
        lab.score(id="talk", trace_id=None, session="s-1", value=3)
        status = drain(exporter)
        assert status.spans.delivered == 3 and status.scores.delivered == 5, status
        lab.score(id="thumb", value=False)
        drain(exporter)
    assert collector.spans[0].attributes["langfuse.release"] == "r-1"
    assert collector.spans[0].attributes["langfuse.observation.cost_details"] == '{"total":1e-6}'
    scores = {name.removeprefix("acme."): score for name, score in collector.scores.items()}
    assert (scores["thumb"]["dataType"], scores["thumb"]["value"]) == ("BOOLEAN", 0), "the later one counts"
    assert scores["number"]["observationId"] == SPAN and scores["number"]["metadata"]["label"] == "fair"
    assert (scores["label"]["dataType"], scores["label"]["value"]) == ("CATEGORICAL", "correct")
    assert scores["label"]["metadata"]["source_id"] == "gpt-4o@2"
    assert (scores["words"]["dataType"], scores["words"]["value"]) == ("TEXT", "<b>hello</b>")
    assert scores["talk"]["sessionId"] == "s-1" and "traceId" not in scores["talk"]


def test_a_wrong_credential_is_shown_and_waited_for(lab: Lab) -> None:
    with listening(Langfuse("pk-lf-1", "another")) as collector:
        assert isinstance(collector, Langfuse)
        exporter = lab.exporter(langfuse(collector))
        lab.call(1)
        assert exporter.turn() > 30 and "HTTP 401" in str(exporter.status.failing)
        assert "sk-lf-2" not in str(exporter.status)


def test_a_score_that_is_refused_is_counted_and_the_next_goes_on(lab: Lab) -> None:
    with listening(Langfuse("pk-lf-1", "sk-lf-2")) as collector:
        assert isinstance(collector, Langfuse)
        exporter = lab.exporter(langfuse(collector, content=True))
        lab.score(id="long", value=None, comment="x" * 5000)  # more than Langfuse takes as a text
        lab.score(id="fine")
        status = drain(exporter)
    assert status.scores.delivered == 1 and sum(status.scores.refused.values()) == 1


def test_a_collector_gets_scores_as_events_that_are_read_as_the_same_scores(lab: Lab) -> None:
    with listening(Collector()) as collector:
        exporter = lab.exporter(to(collector, content=True))
        sent = [
            lab.score(id="a", value=True, comment="good"),
            lab.score(id="b", span_id=SPAN, value=0.5, label="fair", source="code", source_id="f@1"),
            lab.score(id="c", value=None, label="no", source="judge", run_id="run-1"),
        ]
        lab.score(id="d", trace_id=None, session="s-1")
        status = drain(exporter)
    assert status.scores.delivered == 3 and status.scores.refused == {"otlp has no scores of sessions": 1}
    read = [each for span in collector.spans for each in assessments_of(span, "acme", 0)]
    assert sorted(read, key=lambda each: each.id) == sent


def test_other_tenants_scores_and_unwanted_ones_stay(lab: Lab) -> None:
    with listening(Collector()) as collector:
        exporter = lab.exporter(to(collector, tenants=["acme"]))
        silent = lab.exporter(to(collector, name="silent", scores=False))
        lab.score(id="a", comment="private words")
        lab.assessments.store([_made("other")])
        assert (drain(exporter).scores.delivered, exporter.status.scores.skipped) == (1, 1)
        assert drain(silent).scores.produced == 0
    (event,) = collector.spans[0].events
    assert event.attributes["gen_ai.evaluation.explanation"] == "[masked: 13 characters]"


def test_scores_of_one_moment_are_all_sent(lab: Lab) -> None:
    with listening(Collector()) as collector:
        exporter = lab.exporter(to(collector))
        lab.assessments.store([_made("acme", f"s{number}") for number in range(1200)])
        assert drain(exporter).scores.delivered == 1200 and exporter.status.waiting.scores == 0


def test_the_form_that_mlflow_wants() -> None:
    thumb = mlflow_assessment(_made("acme", value=True))
    assert thumb["feedback"] == {"value": True} and thumb["trace_id"] == f"tr-{TRACE}"
    assert thumb["source"] == {"source_type": "HUMAN", "source_id": "default"} and "rationale" not in thumb
    assert mlflow_assessment(_made("acme", value=None, comment="x"))["feedback"] == {"value": "x"}


def _made(tenant: str, score_id: str = "s", **fields: Any) -> Assessment:
    return assessment_of(
        {"trace_id": TRACE, "name": "helpful", "value": 1.0, **fields}, tenant, 1_700_000_000_123, score_id
    )
