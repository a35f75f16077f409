"""The formats by name, and which one a file seems to be in."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

import msgspec

from ....errors import ConfigError, InvalidRequest
from ...case import Case
from ..lines import opened
from ..report import Progress, Report
from . import comma_separated, gsm8k, huggingface, jsonl, openai_rows, promptfoo, yaml_cases

Read = Callable[[Path, Report, Mapping[str, str] | None, Progress], Iterator[Case]]
READERS: dict[str, Read] = {
    "jsonl": jsonl.read,
    "csv": comma_separated.read,
    "yaml": yaml_cases.read,
    "hf": huggingface.read,
    "promptfoo": promptfoo.read,
    "openai": openai_rows.read,
    "gsm8k": gsm8k.read,
}
WRITERS = ("jsonl", "csv", "yaml", "hf", "hf-parquet", "openai-evals", "openai-chat")


def reader(name: str | None, path: Path) -> Read:
    """`InvalidRequest` for a name that is none. Without one, the file's name and beginning decide."""
    name = name or detected(path)
    if name not in READERS:
        raise InvalidRequest(f"format {name!r}: must be one of {', '.join(READERS)}", param="format")
    return READERS[name]


def detected(path: Path) -> str:
    if path.is_dir():
        return "hf"
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        return "csv"
    with opened(path) as file:
        head = file.read(65_536)
    if suffix in (".yaml", ".yml"):
        top = {line.partition(b":")[0] for line in head.splitlines() if line[:1].isalpha()}
        return "promptfoo" if b"prompts" in top else "yaml"
    if suffix in (".jsonl", ".json", ".ndjson"):
        return _kind_of_rows(head)
    raise ConfigError([f"{suffix!r} says nothing of its format; give one of {', '.join(READERS)}"], source=str(path))


def _kind_of_rows(head: bytes) -> str:
    first = next((line for line in head.removeprefix(b"\xef\xbb\xbf").splitlines() if line.strip()), b"")
    row = None
    with contextlib.suppress(msgspec.DecodeError, UnicodeError, RecursionError):
        row = msgspec.json.decode(first)
    if isinstance(row, dict) and "input" not in row and "messages" in row:
        return "openai"
    if isinstance(row, dict) and "ideal" in row:
        return "openai"
    if isinstance(row, dict) and "question" in row and isinstance(row.get("answer"), str) and "####" in row["answer"]:
        return "gsm8k"
    return "jsonl"


def write(name: str, cases: Callable[[], Iterable[Case]], target: Path, report: Report) -> int:
    """Write a new file, or folder; returns how many cases. `ConfigError` where there is something already."""
    if name not in WRITERS:
        raise InvalidRequest(f"format {name!r}: must be one of {', '.join(WRITERS)}", param="format")
    try:
        if name in ("hf", "hf-parquet"):
            return huggingface.write(cases, target, report, parquet=name == "hf-parquet")
        with target.open("xb") as file:
            return write_stream(name, cases(), file, report)
    except OSError as exc:
        raise ConfigError([f"cannot be written: {exc.strerror or exc}"], source=str(target)) from exc


def write_stream(name: str, cases: Iterable[Case], file: IO[bytes], report: Report) -> int:
    match name:
        case "jsonl":
            return jsonl.write(cases, file)
        case "yaml":
            return yaml_cases.write(cases, file)
        case "csv":
            return comma_separated.write(cases, file, report)
        case "openai-evals":
            return openai_rows.write_evals(cases, file, report)
        case "openai-chat":
            return openai_rows.write_chat(cases, file, report)
    raise InvalidRequest(f"format {name!r} is a folder; name one to write it to", param="format")
