"""A run as a YAML file: dataset, subject, scorers, and how it is run. Unknown keys and impossible values are errors."""

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import ConfigError, InvalidRequest
from .case import Split
from .dataset import Dataset
from .scorer import Scorer


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DatasetConfig(_Section):
    """Which cases."""

    path: Path = Field(description="A file of cases, relative to this file.")
    name: str | None = Field(None, description="What the dataset is called; by default as its file.", min_length=1)
    format: str | None = Field(
        None, description="jsonl, csv, yaml, hf, promptfoo, openai, gsm8k; by default it is told by the file."
    )
    split: Split | None = Field(None, description="Only the cases of this split.")
    limit: int | None = Field(None, ge=1, description="Only the first so many.")


class SubjectConfig(_Section):
    """What is under test: a model of the gateway's settings in-process (``model``), one behind a ``url``, a Python
    ``function`` as ``module:name``, or a ``replay`` of recorded answers."""

    model: str | None = Field(None, min_length=1, description="A model's public name.")
    url: str | None = Field(None, description="An OpenAI-compatible API, such as http://127.0.0.1:8000/v1.")
    key_env: str | None = Field(None, description="The variable that holds the key for it.")
    headers: dict[str, str] = Field({}, description="Further headers for it.")
    retries: int = Field(4, ge=0, le=20, description="How often a call is tried again.")
    system: str | None = Field(None, description="A system message for every case.")
    template: str | None = Field(None, description="The user message, with {names} from the case's input.")
    params: dict[str, Any] = Field({}, description="temperature, max_tokens, …")
    stream: bool = Field(False, description="Ask for streams, so that the time to the first token is measured.")
    function: str | None = Field(None, pattern=r"^[\w.]+:[\w.]+$", description="module:name of a callable.")
    replay: Path | None = Field(None, description='A file of {"id": …, "output": …}, relative to this file.')

    @model_validator(mode="after")
    def _one(self) -> Self:
        kinds = [name for name in ("function", "replay", "model") if getattr(self, name) is not None]
        if len(kinds) != 1:
            raise ValueError("name one of model (with url: behind that address), function and replay")
        if self.url is not None and self.model is None:
            raise ValueError("url: needs the model to ask there")
        return self


class JudgeConfig(_Section):
    """A model of the gateway's settings that scorers ask, in-process."""

    model: str = Field(min_length=1, description="A model's public name.")
    params: dict[str, Any] | None = Field(None, description="temperature, …; by default a temperature of 0.")


class RunConfig(_Section):
    """What `llmops eval run` reads."""

    dataset: DatasetConfig
    subject: SubjectConfig
    scorers: list[str | dict[str, Any]] = Field(
        [], description="Names, or name: settings; module:attr is one of yours."
    )
    judge: JudgeConfig | None = Field(None, description="Who is asked by scorers that need a judge.")
    panel: list[JudgeConfig] = Field([], description="Who is asked by the scorer panel: several models.")
    embeddings: str | None = Field(
        None, min_length=1, description="The model of the settings whose embeddings scorers compare."
    )
    calibrations: Path | None = Field(
        None, description="The file in which `llmops` finds judges' calibrations, relative to this file."
    )
    repeats: int = Field(1, ge=1, le=1000, description="How often each case is asked.")
    concurrency: int = Field(16, ge=1, le=4096, description="How many at a time.")
    timeout_s: Annotated[float, Field(gt=0, le=86_400)] = 120.0
    seed: int = Field(0, description="Of the order of the cells.")
    max_usd: float | None = Field(None, gt=0, description="The run stops before it has cost more.")
    labels: dict[str, str] = Field({}, description="Kept with the run.")
    slices: list[str] | None = Field(None, description="Metadata keys to sum up by; by default those with few values.")
    tenant: str = Field("default", description="Who pays, and who sees the run.")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        """``dataset: FILE`` is short for its path."""
        if isinstance(given, dict) and isinstance(given.get("dataset"), str):
            return {**given, "dataset": {"path": given["dataset"]}}
        return given


def read_config(path: Path) -> RunConfig:
    """`ConfigError` with every problem. Paths in it are made relative to where it lies."""
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise ConfigError([str(exc)], source=str(path)) from exc
    config = check_config(given, source=str(path))
    folder = path.parent
    dataset = config.dataset.model_copy(update={"path": folder / config.dataset.path})
    replay = config.subject.replay
    subject = config.subject.model_copy(update={"replay": folder / replay if replay is not None else None})
    known = folder / config.calibrations if config.calibrations is not None else None
    return config.model_copy(update={"dataset": dataset, "subject": subject, "calibrations": known})


def check_config(given: Any, *, source: str = "the run's configuration") -> RunConfig:
    try:
        return RunConfig.model_validate(given)
    except ValidationError as exc:
        problems = [
            f"{'.'.join(map(str, each['loc'])) or 'the file'}: {each['msg'].removeprefix('Value error, ')}"
            + (f" (it is {each['input']!r:.80})" if each["loc"] and each["type"] != "missing" else "")
            for each in exc.errors()
        ]
        raise ConfigError(problems, source=source) from exc


def read_dataset(config: DatasetConfig) -> Dataset:
    """The cases of a file in any of the formats that datasets are imported from; `ConfigError` for one that is of no
    use, or only partly: a case that is passed over would change what the figures mean."""
    from .datasets.formats.registry import reader
    from .datasets.report import Report, no_progress

    path, report = config.path, Report(str(config.path))
    try:
        found = list(reader(config.format, path)(path, report, None, no_progress))
    except (OSError, InvalidRequest) as exc:
        raise ConfigError([getattr(exc, "strerror", None) or str(exc)], source=str(path)) from exc
    report.check()
    cases = [case for case in found if config.split is None or case.split == config.split]
    return Dataset(config.name or path.stem, cases[: config.limit], source=str(path))


def build_scorers(wanted: list[str | dict[str, Any]], build: Callable[[str, dict[str, Any]], Scorer]) -> list[Scorer]:
    """``build`` makes those that are known by name; `ConfigError` with every problem."""
    scorers, problems = [], []
    for number, entry in enumerate(wanted):
        if isinstance(entry, dict) and len(entry) != 1:
            problems.append(f"scorers.{number}: {entry!r:.80}: must be a name, or one name with its settings")
            continue
        name, settings = (entry, None) if isinstance(entry, str) else next(iter(entry.items()))
        try:
            if settings is not None and not isinstance(settings, dict):
                raise ValueError(f"its settings are {settings!r:.80}; they must be a mapping")
            scorers.append(_own(name, settings or {}) if ":" in name else build(name, settings or {}))
        except (ConfigError, ValueError, TypeError, KeyError) as exc:
            said = "; ".join(exc.problems) if isinstance(exc, ConfigError) else str(exc)
            problems.append(f"scorers.{number}: {name!r}: {said}")
    if problems:
        raise ConfigError(problems, source="the run's configuration")
    return scorers


def _own(path: str, settings: dict[str, Any]) -> Scorer:
    found = load(path)
    scorer = found(**settings) if isinstance(found, type) or settings else found
    if not isinstance(scorer, Scorer):
        raise ValueError("is no scorer: it needs the property metrics and the method score")
    return scorer


def load(path: str) -> Any:
    """The object that ``module:name`` means; `ValueError` where there is none. Modules beside the eval's file, where it
    is run, are found too, after all others."""
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    module, _, name = path.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as exc:
        raise ValueError(f"{path!r} cannot be loaded: {exc}") from exc
    return found
