"""``llmops cache measure``: how good semantic hits would be, on pairs of questions of your own, by threshold.

Questions are embedded by the configured source, or by the one that is named. A model of the gateway is called
in-process: recorded and charged as every call is.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import USAGE_ERROR, ConfigOption, JsonFlag, clean_errors, print_json, print_table, say

if TYPE_CHECKING:
    from ..caching.semantic.index import Vector
    from ..caching.semantic.measuring import Pair, Point, Row, Scored
    from ..settings import Settings
    from ..spend.usage.reconciliation import Progress

_BATCH = 64
_WIDTH = 50


def measure(
    pairs: Annotated[
        Path | None, typer.Argument(metavar="PAIRS.jsonl", help='Lines of {"a": …, "b": …, "same": true}.')
    ] = None,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Instead: a request log that captured messages.")
    ] = None,
    write: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --log: write its pairs there, for you to label.")
    ] = None,
    threshold_steps: Annotated[int, typer.Option(min=2, max=100, help="How many thresholds.")] = 11,
    lowest: Annotated[float, typer.Option(min=0, max=1, help="The lowest of them.")] = 0.5,
    local_model: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Embed with this model.")] = None,
    embeddings_model: Annotated[str | None, typer.Option(help="Embed with this model of the gateway.")] = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Print precision and recall of semantic hits by threshold, with verification and without."""
    from ..caching.semantic.measuring import score

    if (pairs is None) == (log is None):
        say("error: give either a file of labelled pairs or --log FILE")
        raise typer.Exit(USAGE_ERROR)
    with clean_errors():
        settings = _settings(config, local_model, embeddings_model)
        if pairs is not None:
            found = [pair for pair in _read(pairs) if pair.same is not None]
            if not found:
                say(f'error: {pairs}: no labelled pair; a line is {{"a": …, "b": …, "same": true}}')
                raise typer.Exit(1)
            vectors = _embed(settings, [text for pair in found for text in (pair.a, pair.b)])
            near = [float(one @ other) for one, other in zip(vectors[::2], vectors[1::2], strict=True)]
            scored = [score(pair, similarity) for pair, similarity in zip(found, near, strict=True)]
            _report(scored, _thresholds(lowest, threshold_steps), as_json)
        elif log is not None:
            _replay(settings, log, write, _thresholds(lowest, threshold_steps), as_json)


def _settings(config: Path | None, folder: Path | None, model: str | None) -> "Settings":
    """The configuration with that source of embeddings; whether the semantic cache is on does not matter here."""
    from ..config import load_settings

    settings = load_settings(config)
    section = settings.cache.semantic
    if folder is not None or model is not None:
        section = section.model_copy(update={"local_model": folder, "embeddings_model": model})
    if (section.local_model is None) == (section.embeddings_model is None):
        say(
            "error: name one source of embeddings: --local-model, --embeddings-model, or cache.semantic in the settings"
        )
        raise typer.Exit(USAGE_ERROR)
    section = section.model_copy(update={"enabled": True})
    return settings.model_copy(
        update={"cache": settings.cache.model_copy(update={"enabled": True, "semantic": section})}
    )


def _read(file: Path) -> "list[Pair]":
    from ..caching.semantic.measuring import read_pairs

    try:
        return read_pairs(file)
    except (OSError, ValueError) as exc:
        say(f"error: {file}: {exc.strerror}" if isinstance(exc, OSError) else f"error: {exc}")
        raise typer.Exit(1) from exc


def _thresholds(lowest: float, steps: int) -> list[float]:
    return [lowest + (1 - lowest) * step / (steps - 1) for step in range(steps)]


def _embed(settings: "Settings", texts: Sequence[str]) -> "list[Vector]":
    """Unit vectors, each text embedded once."""
    import asyncio

    from ..caching.semantic.opening import check_semantic
    from ..errors import LLMOpsError
    from .usage import progress_bar

    section, distinct = settings.cache.semantic, list(dict.fromkeys(texts))
    work = _by_gateway if section.local_model is None else _by_folder
    check_semantic(section, cache_enabled=True, find=lambda name: name)
    with progress_bar("embedding") as progress:
        try:
            vectors = asyncio.run(work(settings, distinct, progress))
        except ValueError as exc:
            raise LLMOpsError(f"the questions cannot be embedded: {exc}") from exc
    known = dict(zip(distinct, vectors, strict=True))
    return [known[text] for text in texts]


async def _by_folder(settings: "Settings", texts: list[str], progress: "Progress") -> "list[Vector]":
    from ..caching.semantic.local_model import load

    encode, vectors = load(settings.cache.semantic.local_model or Path()), []
    for text in texts:
        vectors.append(await encode(text))
        progress(len(vectors), len(texts))
    return vectors


async def _by_gateway(settings: "Settings", texts: list[str], progress: "Progress") -> "list[Vector]":
    from ..app import Stack
    from ..caching.semantic.asking import question_for, read_vectors

    model, vectors = settings.cache.semantic.embeddings_model or "", []
    async with Stack(settings) as stack:
        for start in range(0, len(texts), _BATCH):
            batch = texts[start : start + _BATCH]
            reply = await stack.call("embeddings", question_for(model, batch))
            vectors += read_vectors(reply.body, len(batch))
            progress(len(vectors), len(texts))
    return vectors


# --- labelled pairs ---------------------------------------------------------------------------------------------


def _report(scored: "list[Scored]", thresholds: list[float], as_json: bool) -> None:
    from ..caching.semantic.measuring import at_equal_recall, best_at, table

    rows = table(scored, thresholds)
    best = {name: best_at(scored, 0.95, verified=name == "verified") for name in ("alone", "verified")}
    equal = at_equal_recall(scored)
    if as_json:
        print_json(
            {
                "pairs": len(scored),
                "same": sum(bool(each.pair.same) for each in scored),
                "rows": rows,
                "at_95_percent_precision": best,
                "at_equal_recall": dict(zip(("alone", "verified"), equal, strict=True)) if equal else None,
            }
        )
        return
    _print(rows)
    for name, words in (("alone", "similarity alone"), ("verified", "with verification")):
        say(f"recall at 95 % precision, {words}: {_best(best[name])}")
    if equal is not None:
        say(f"at recall {equal[1].recall:.1%}: precision {_share(equal[0].precision)} alone, "
            f"{_share(equal[1].precision)} with verification")  # fmt: skip


def _print(rows: "list[Row]") -> None:
    lines = [
        [
            f"{row.threshold:.3f}",
            *(_share(each) for each in (row.alone.precision, row.alone.recall)),
            *(_share(each) for each in (row.verified.precision, row.verified.recall)),
            _curve(row),
        ]
        for row in rows
    ]
    print_table(["threshold", "precision", "recall", "verified precision", "recall", "a alone, v verified"], lines)


def _curve(row: "Row") -> str:
    """Precision from 0 to 1 as places on a line."""
    line = ["·"] * (_WIDTH + 1)
    for each, letter in ((row.alone, "a"), (row.verified, "v")):
        if each.precision is not None:
            line[round(each.precision * _WIDTH)] = letter
    return "".join(line)


def _best(found: "Point | None") -> str:
    return f"{found.recall:.1%} (threshold {found.threshold:.3f})" if found is not None else "none: no threshold has it"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


# --- a request log ----------------------------------------------------------------------------------------------


def _replay(settings: "Settings", log: Path, write: Path | None, thresholds: list[float], as_json: bool) -> None:
    """How many of the logged questions would have been hits; whether rightly so only a person can say."""
    from ..caching.semantic.logged import nearest_earlier, questions_of
    from ..caching.semantic.measuring import score

    try:
        with log.open("rb") as lines:
            questions = list(questions_of(lines))
    except OSError as exc:
        say(f"error: {log}: {exc.strerror}")
        raise typer.Exit(1) from exc
    if not questions:
        say(f"error: {log}: no captured question; switch log.capture_messages on for a while")
        raise typer.Exit(1)
    vectors = _embed(settings, [question.text for question in questions])

    def nearest(number: int, others: list[int]) -> tuple[int, float] | None:
        best = max(others, key=lambda other: float(vectors[other] @ vectors[number]), default=None)
        return None if best is None else (best, float(vectors[best] @ vectors[number]))

    scored = [score(pair, similarity) for pair, similarity in nearest_earlier(questions, nearest)]
    rows: list[dict[str, Any]] = []
    for threshold in thresholds:
        near = [each for each in scored if each.similarity >= threshold]
        rows.append({"threshold": threshold, "near": len(near), "hits": sum(each.refused is None for each in near)})
    if write is not None:
        _write(write, scored, thresholds[0])
    if as_json:
        print_json({"questions": len(questions), "rows": rows})
        return
    print_table(
        ["threshold", "near", "hits with verification"],
        [[f"{row['threshold']:.3f}", str(row["near"]), str(row["hits"])] for row in rows],
    )
    say(f"{len(questions)} questions; whether a hit would have been right, labels alone can tell (--write)")


def _write(file: Path, scored: "list[Scored]", lowest: float) -> None:
    import msgspec

    kept = sorted((each for each in scored if each.similarity >= lowest), key=lambda each: -each.similarity)
    lines = [
        {"a": each.pair.a, "b": each.pair.b, "same": None, "similarity": each.similarity, "refused": each.refused}
        for each in kept
    ]
    file.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    say(f"{file}: {len(lines)} pairs; set `same` to true or false in each and measure them")
