"""The metric table: every metric is exposed as it is defined, bounded in its labels, right over several processes."""

import re
from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from llmops.settings import Settings
from llmops.telemetry.exposition import exposition
from llmops.telemetry.figures import Figure, Figures
from llmops.telemetry.metric_table import LABELS, METRICS, SERIES, Definition
from llmops.telemetry.metrics import Metrics, merge
from llmops.telemetry.record import record_of
from tests.fakes.gateway import CHAT, Gateway

from .calls import a_call, a_reply, finished
from .test_metrics import samples


@pytest.mark.parametrize("definition", METRICS.values(), ids=METRICS)
def test_a_definition_follows_the_conventions(definition: Definition) -> None:
    assert re.fullmatch(r"llm(ops)?_[a-z0-9_]+", definition.name)
    assert (definition.kind == "counter") == definition.name.endswith("_total")
    assert bool(definition.buckets) == (definition.kind == "histogram")
    assert definition.help.endswith(".") and not definition.help.endswith("..")
    assert set(definition.labels) <= set(LABELS), "every label says what bounds it"


def test_every_label_is_used() -> None:
    assert set(LABELS) == {label for definition in METRICS.values() for label in definition.labels}


def test_what_is_exposed_is_the_table_with_its_kinds_and_labels() -> None:
    metrics = Metrics()
    metrics.observe([record_of(finished(), b"k" * 32)])
    metrics.score("faithful", 0.5, tenant="t")
    figures = [
        Figure(name, 1, ["v"] * len(definition.labels))
        for name, definition in METRICS.items()
        if definition.kind != "histogram"
    ]
    found = list(text_string_to_metric_families(exposition(metrics.snapshot(figures=figures)).decode()))
    for family in found:
        if not family.name.startswith("llm"):
            continue
        name = f"{family.name}_total" if family.type == "counter" else family.name
        definition = METRICS[name]
        assert (family.type, family.documentation) == (definition.kind, definition.help)
        for sample in family.samples:
            assert sample.name in SERIES
            assert set(sample.labels) - {"le"} == set(definition.labels)
    assert {each.name for each in found if each.name.startswith("llm")} == {
        name.removesuffix("_total") for name in METRICS
    }


@pytest.mark.parametrize("figure", [Figure("llm_made_up", 1), Figure("llmops_ledger_open", 1, ["label"])])
def test_what_is_not_in_the_table_is_not_counted(figure: Figure) -> None:
    with pytest.raises((KeyError, ValueError)):
        Figures().put([figure])


def test_figures_of_processes_add_up_as_the_table_says() -> None:
    first, second, dead = Figures(), Figures(), Figures()
    for figures, open_, behind, calls in ((first, 1, 10, 100), (second, 2, 20, 200), (dead, 4, 40, 400)):
        figures.put([Figure("llmops_ledger_open", open_), Figure("llmops_ingest_behind_bytes", behind)])
        figures.put([Figure("llmops_ingest_calls_total", calls)])
    dead.rest()
    first.add(second)
    first.add(dead)
    assert first.values == {
        "llmops_ledger_open": {"": 3},
        "llmops_ingest_behind_bytes": {"": 20},
        "llmops_ingest_calls_total": {"": 700},
    }


def test_figures_of_another_version_are_left_alone() -> None:
    mine = Figures()
    mine.add(Figures({"llm_of_tomorrow_total": {"": 1}}))
    assert mine.values == {}


def test_errors_json_and_scores_are_counted_over_processes() -> None:
    workers = [Metrics(), Metrics()]
    for metrics in workers:
        good, bad = a_reply(json_valid=True), a_reply(json_valid=False)
        metrics.observe([record_of(finished(reply=reply), b"k" * 32) for reply in (good, bad, bad)])
        metrics.score("faithful", 0.95, tenant="t")
    found = samples(exposition(merge(each.snapshot() for each in workers)))
    assert found["llm_json_answers_total", (("model", "m"), ("valid", "false"))] == 4
    assert found["llm_json_answers_total", (("model", "m"), ("valid", "true"))] == 2
    assert found["llm_score_count", (("score", "faithful"),)] == 2
    assert found["llm_score_bucket", (("le", "0.9"), ("score", "faithful"))] == 0
    assert found["llm_score_sum", (("score", "faithful"),)] == pytest.approx(1.9)


def test_names_of_scores_are_bounded() -> None:
    metrics = Metrics()
    for number in range(500):
        metrics.score(f"score-{number}", 1, tenant="t")
    counted = [key for key in samples(exposition(metrics.snapshot())) if key[0] == "llm_score_count"]
    assert len(counted) == 101


async def test_ten_thousand_names_under_one_pattern_are_one_series(settings: Callable[..., Settings]) -> None:
    async with Gateway(settings({"team-*": [{"provider": "mock"}]})) as gateway:
        for number in range(20):
            await gateway.post("/v1/chat/completions", {**CHAT, "model": f"team-{number}"})
            await gateway.post("/v1/chat/completions", {**CHAT, "model": f"unknown-{number}"})
        found = samples((await gateway.get("/metrics")).body)
    models = {dict(labels)["model"] for name, labels in found if name == "llm_requests_total"}
    assert models == {"team-*", "none"}
    metrics = Metrics()
    record = record_of(finished(call=a_call(model="team-*")), b"k" * 32)
    metrics.observe([record] * 10_000)
    assert sum(name == "llm_requests_total" for name, _ in samples(exposition(metrics.snapshot()))) == 1


async def test_the_gateway_exposes_its_ledger_and_its_ingester(settings: Callable[..., Settings]) -> None:
    async with Gateway(settings()) as gateway:
        await gateway.post("/v1/chat/completions", {**CHAT, "model": "missing"})
        found = samples((await gateway.get("/metrics")).body)
    assert found["llmops_ledger_open", ()] == 0 and found["llmops_ledger_unwritten_total", ()] == 0
    assert found["llmops_ingest_unreadable_lines_total", ()] == 0
    error = (("error_type", "model_not_found"), ("model", "none"), ("operation", "chat"))
    assert found["llm_errors_total", error] == 1
    assert any(name == "llmops_build_info" for name, _ in found)
