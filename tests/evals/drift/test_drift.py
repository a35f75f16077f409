"""Drift: what shifted is found, what did not is left in peace, and what cannot be known is not said."""

import random
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from llmops.alert_settings import AlertRuleSettings
from llmops.clock import ManualClock
from llmops.evals.drift.comparison import compare
from llmops.evals.drift.exchange import Exchange, Finding
from llmops.evals.drift.language import language_of
from llmops.evals.drift.watch import DriftWatch
from llmops.evals.repository.drift import DriftRepository
from llmops.monitoring.alerts.seeing import Seeing
from llmops.monitoring.alerts.sources import Shift, Sources
from llmops.online_settings import DriftSettings
from llmops.store.database import Database
from llmops.store.tables import calls, span_texts
from llmops.telemetry.traces.said import marked

COOKING = "how long do potatoes boil in salted water with butter oven recipe sauce onion garlic pan".split()
LAW = "tenant contract clause liability court notice termination landlord deposit lawyer statute appeal".split()


def asked(rng: random.Random, words: list[str]) -> str:
    return "the " + " ".join(rng.choices(words, k=12)) + " is"


def window(seed: int, n: int = 400, *, words: Mapping[str, float] | None = None, **more: Any) -> list[Exchange]:
    rng = random.Random(seed)
    topics = {"cooking": COOKING, "law": LAW}
    shares = words or {"cooking": 0.7, "law": 0.3}
    length, refused = more.get("length", 200), more.get("refused", 0.01)
    return [
        Exchange(
            tokens_in=int(rng.lognormvariate(5, 0.5)),
            tokens_out=int(rng.gauss(length, 40)),
            finish_reason="stop",
            asked=asked(rng, topics[rng.choices(list(shares), list(shares.values()))[0]]),
            answered="I'm sorry, but I can't help with that." if rng.random() < refused else "Here it is.",
        )
        for _ in range(n)
    ]


def shifted(found: list[Finding]) -> set[str]:
    return {each.aspect for each in found if each.is_shifted}


def test_windows_that_are_alike_are_left_in_peace() -> None:
    alarms = [shifted(compare(window(seed), window(seed + 1000))) for seed in range(8)]
    assert sum(map(bool, alarms)) <= 1


@pytest.mark.parametrize(
    ("change", "aspect"),
    [
        ({"length": 260}, "output_tokens"),
        ({"refused": 0.12}, "refusals"),
        ({"words": {"cooking": 0.2, "law": 0.8}}, "topics"),
    ],
)
def test_a_shift_is_found_and_nothing_else(change: dict[str, Any], aspect: str) -> None:
    assert shifted(compare(window(1), window(2, **change))) == {aspect}


def test_another_language_is_found() -> None:
    german = [
        Exchange(tokens_in=100, tokens_out=200, asked="wie lange kochen die Kartoffeln und was ist nicht gut dazu")
        for _ in range(200)
    ]
    english = [Exchange(tokens_in=100, tokens_out=200, asked="how long do the potatoes boil") for _ in range(200)]
    found = {each.aspect: each for each in compare(english, [*german[:120], *english[:80]])}
    assert found["languages"].is_shifted and found["languages"].now == "de 60%, en 40%"
    assert not found["prompt_tokens"].is_shifted, "all alike is no shift"


def test_few_calls_and_missing_texts_say_nothing() -> None:
    bare = [Exchange(tokens_in=5, tokens_out=5) for _ in range(200)]
    found = {each.aspect: each for each in compare(bare, bare)}
    assert all(found[name].size is None and found[name].note for name in ("refusals", "languages", "topics"))
    assert all(each.size is None for each in compare(bare[:50], bare))


def test_embeddings_are_compared_where_there_are_any() -> None:
    rng = random.Random(3)

    def cloud(x: float) -> list[list[float]]:
        return [[rng.gauss(x, 1), rng.gauss(1, 1), rng.gauss(0, 1)] for _ in range(200)]

    bare = [Exchange(tokens_in=5, tokens_out=5) for _ in range(200)]
    assert shifted(compare(bare, bare, vectors=(cloud(0), cloud(2)))) == {"embeddings"}
    assert shifted(compare(bare, bare, vectors=(cloud(0), cloud(0)))) == set()


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is the capital of France, and how do I get there?", "en"),
        ("Wie komme ich von hier zum Bahnhof und was kostet das?", "de"),
        ("Quelle est la capitale de la France et pourquoi ?", "fr"),
        ("¿Cuál es la capital de España y por qué?", "es"),
        ("日本の首都はどこですか", "ja"),
        ("中国的首都是哪里", "zh"),
        ("한국의 수도는 어디입니까", "ko"),
        ("Какая столица России", "cyrillic"),
        ("123 456", "other"),
        ("", "other"),
        ("\u202e<b>" * 10, "latin"),
    ],
)
def test_languages(text: str, language: str) -> None:
    assert language_of(text) == language


# --- a watch over a database ---


def stored(database: Database, at_s: float, n: int, tokens: Callable[[int], int], *, tenant: str = "acme") -> None:
    rng = random.Random(at_s)
    day = date.fromordinal(datetime.fromtimestamp(at_s, UTC).toordinal())
    rows = []
    for number in range(n):
        empty = {column.name: None for column in calls.columns if column.nullable}
        rows.append(
            {
                **empty,
                **{name: 0 for name in ("cached_tokens", "cache_write_tokens", "reasoning_tokens", "saved_nanousd")},
                "request_id": f"{at_s}-{tenant}-{number}",
                "log_file": 1,
                "day": day,
                "started_at_ms": int(at_s * 1000) + number,
                "tenant": tenant,
                "operation": "chat",
                "model": "m",
                "provider": "mock",
                "status": 200,
                "stream": False,
                "cached": False,
                "recovered": False,
                "latency_ms": 1.0,
                "prompt_tokens": tokens(number),
                "completion_tokens": 10,
                "usage_source": "provider",
                "tags": "{}",
                "finish_reason": "stop",
                "trace_id": f"{rng.getrandbits(128):032x}",
                "span_id": f"{rng.getrandbits(64):016x}",
            }
        )
    with database.write("calls") as connection:
        connection.execute(insert(calls), rows)
        connection.execute(
            insert(span_texts),
            [
                {
                    "day": day,
                    "tenant": tenant,
                    "trace_id": row["trace_id"],
                    "span_id": row["span_id"],
                    "text": marked("user", "how do the potatoes boil") + "\n" + marked("assistant", "Slowly."),
                }
                for row in rows
            ],
        )


async def test_a_watch_looks_keeps_and_tells_alerts(tmp_path: Path) -> None:
    clock, database = ManualClock(), Database(f"sqlite:///{tmp_path / 'llmops.db'}")
    database.ensure()
    now_s = clock.now_s()
    stored(database, now_s - 3 * 86_400, 300, lambda n: 50 + n % 7)
    stored(database, now_s - 3600, 300, lambda n: 90 + n % 7)
    stored(database, now_s - 3600, 300, lambda n: 50 + n % 7, tenant="beta")
    settings = DriftSettings.model_validate({"watches": [{"name": "w", "where": {"tenant": "acme"}, "max_calls": 200}]})
    repository = DriftRepository(database)

    def no_embedder(model: str) -> Any:
        raise AssertionError(model)

    watch = DriftWatch(lambda: settings, repository, clock, no_embedder)
    await watch.round()
    (report,) = repository.latest()
    found = {each.aspect: each for each in report.findings}
    assert report.current.calls == 300 and report.current.looked_at == 200 == report.current.with_texts
    assert {name for name, each in found.items() if each.is_shifted} == {"prompt_tokens"}
    assert found["prompt_tokens"].before == "median 53" and found["languages"].size == 0
    assert {each.labels[1] for each in watch.figures()} >= {"prompt_tokens", "refusals", "topics"}
    assert repository.latest("acme") and not repository.latest("beta")
    assert not repository.claim("w", "acme", clock.now_s(), clock.now_s() - 3600), "nobody looks again so soon"
    clock.advance(3700)
    await watch.round()
    assert repository.latest()[0].at_s == clock.now_s() and not watch.problems()
    database.close()


def test_an_alert_sees_what_has_shifted() -> None:
    shifts = [Shift(labels={"watch": "w", "aspect": "topics"}, size=0.4)]
    rule = AlertRuleSettings.model_validate({"name": "drift", "kind": "drift", "threshold": 0.25})
    (reading,) = Seeing(Sources(shifts=lambda: shifts)).see(rule, [], 0.0)
    assert reading.value == 0.4 and rule.is_beyond(reading.value, 0.25)
    assert Seeing(Sources()).see(rule, [], 0.0) == []
