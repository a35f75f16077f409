"""``llmops cache measure``: figures from labelled pairs and from a captured log."""

import json
from pathlib import Path

import pytest

from llmops.caching.semantic.measuring import Pair, Scored, at_equal_recall, best_at, point, read_pairs
from tests.caching.semantic.models import make_model
from tests.serving import ROOT, llmops

PAIRS = ROOT / "src/llmops/caching/semantic/pairs.jsonl"


def scored(similarity: float, same: bool, refused: str | None = None) -> Scored:
    return Scored(Pair("a", "b", same), similarity, refused)


SCORED = [
    scored(0.9, True),
    scored(0.9, False, "numbers differ"),
    scored(0.8, True, "one is negated"),
    scored(0.7, True),
    scored(0.6, False),
]


def test_precision_and_recall() -> None:
    alone, verified = (point(SCORED, 0.7, verified=verified) for verified in (False, True))
    assert (alone.hits, alone.precision, alone.recall) == (4, 3 / 4, 1.0)
    assert (verified.hits, verified.precision, verified.recall) == (2, 1.0, 2 / 3)
    assert point(SCORED, 0.95, verified=False).precision is None
    best = best_at(SCORED, 0.95, verified=True)
    assert best is not None and (best.threshold, best.recall) == (0.7, 2 / 3)
    assert best_at(SCORED, 0.95, verified=False) is None
    equal = at_equal_recall(SCORED)
    assert equal is not None and (equal[0].recall, equal[0].precision, equal[1].recall) == (2 / 3, 2 / 3, 2 / 3)


def test_verification_raises_precision_on_the_shipped_pairs() -> None:
    pairs = read_pairs(PAIRS)
    assert len(pairs) >= 200 and len({(pair.a, pair.b) for pair in pairs}) == len(pairs)
    from llmops.caching.semantic.measuring import score

    found = [score(pair, 1.0) for pair in pairs]
    alone, verified = point(found, 0.5, verified=False), point(found, 0.5, verified=True)
    assert alone.precision is not None and alone.precision < 0.5
    assert verified.precision is not None and verified.precision >= 0.95 and verified.recall >= 0.5


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = {word.strip("?.,").casefold() for pair in read_pairs(PAIRS) for word in f"{pair.a} {pair.b}".split()}
    return make_model(tmp_path_factory.mktemp("model"), *sorted(words))


def test_the_shipped_pairs(model: Path, tmp_path: Path) -> None:
    ran = llmops("cache", "measure", str(PAIRS), "--local-model", str(model), folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "verified precision" in ran.stdout and "recall at 95 % precision, with verification" in ran.stderr
    ran = llmops("cache", "measure", str(PAIRS), "--local-model", str(model), "--json", folder=tmp_path)
    found = json.loads(ran.stdout)
    assert found["pairs"] == len(read_pairs(PAIRS)) and len(found["rows"]) == 11
    equal = found["at_equal_recall"]
    assert equal["verified"]["precision"] > equal["alone"]["precision"]


def test_a_model_of_the_gateway_embeds(tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text(
        '{"a": "x", "b": "x", "same": true}\n\n{"a": "x", "b": "y", "same": false, "note": 1}\n{"a":"x","b":"z"}\n'
    )
    ran = llmops("cache", "measure", "pairs.jsonl", "--embeddings-model", "mock", "--json", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["at_95_percent_precision"]["alone"]["recall"] == 1.0


def test_a_captured_log(model: Path, tmp_path: Path) -> None:
    def line(text: str | None, system: str = "s") -> str:
        messages = [
            {"role": "system", "content_hash": system, "content_length": 1},
            {"role": "user", "content_hash": "h", "content_length": 1, "content": text},
        ]
        return json.dumps(
            {"operation": "chat", "status": 200, "tenant": "t", "model": "m", "messages_masked": messages}
        )

    texts = ["How do I reset my password?", "How can I reset my password?", "How do I reset my password?", None]
    lines = [*map(line, texts), line("How can I reset my password?", "other"), "damaged"]
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    ran = llmops(
        "cache", "measure", "--log", "log.jsonl", "--write", "out.jsonl", "--local-model", str(model), "--json",
        folder=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["questions"] == 4
    (pair,) = [json.loads(each) for each in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert pair["same"] is None and pair["a"] == texts[0] and pair["b"] == texts[1] and pair["refused"] is None


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((), 2, "give either a file of labelled pairs or --log FILE"),
        (("nowhere.jsonl", "--local-model", "."), 1, "nowhere.jsonl: No such file"),
        (("bad.jsonl", "--embeddings-model", "mock"), 1, 'bad.jsonl:1: .*; a line is {"a": …'),
        (("pairs.jsonl",), 2, "name one source of embeddings"),
        (("pairs.jsonl", "--local-model", "nowhere"), 2, "local_model: 'nowhere' is no folder"),
        (("pairs.jsonl", "--embeddings-model", "none"), 2, "the model 'none' does not exist here"),
        (("unlabelled.jsonl", "--embeddings-model", "mock"), 1, "no labelled pair"),
    ],
)
def test_what_cannot_be_measured(arguments: tuple[str, ...], status: int, message: str, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "pairs.jsonl").write_text('{"a": "x", "b": "y", "same": true}\n')
    (tmp_path / "unlabelled.jsonl").write_text('{"a": "x", "b": "y"}\n')
    ran = llmops("cache", "measure", *arguments, folder=tmp_path)
    assert ran.returncode == status, ran.stderr
    import re

    assert re.search(message, ran.stderr), ran.stderr
