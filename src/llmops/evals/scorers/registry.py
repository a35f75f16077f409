"""Scorers by name, for datasets, files and the shell: ``build("numeric", {"tolerance": 0.5})``.

A scorer's settings are its dataclass fields, with their types, bounds and descriptions; what they are checked against
and what the reference page shows are the same. What no file can hold (a judge, an embedder) is handed in as `Tools`.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Annotated, Any, Literal, NamedTuple, Protocol, cast, get_args, get_origin, get_type_hints

import msgspec

from ...errors import ConfigError
from ..calibration import Calibration
from ..judge import Judge
from ..scorer import Scorer, version_of
from .bleu import Bleu
from .chrf import Chrf
from .contains import Contains
from .cost import Cost
from .edit_similarity import EditSimilarity
from .exact import Exact
from .json_schema import JsonSchema
from .json_valid import JsonValid
from .judged import Judged
from .judges.correctness import Correctness
from .judges.pairwise import Pairwise
from .judges.panel import Panel
from .judges.rubric import Rubric
from .latency import Latency
from .numeric import Numeric
from .pii import Pii
from .rag.answer_relevancy import AnswerRelevancy
from .rag.citations import Citations
from .rag.context_precision import ContextPrecision, IdContextPrecision, TextContextPrecision
from .rag.context_recall import ContextRecall, IdContextRecall, TextContextRecall
from .rag.embedder import Embedder
from .rag.faithfulness import Faithfulness
from .rag.hallucination import Hallucination
from .refusal import Refusal
from .regex import Regex
from .retrieval.scorer import Retrieval
from .rouge_l import RougeL
from .tokens import Tokens
from .tool_calls import ToolCalls
from .toxicity import Toxicity
from .ttft import TimeToFirstToken

Family = Literal["text", "call", "safety", "tools", "retrieval", "rag", "judge"]


class Entry(NamedTuple):
    family: Family
    kind: type[Any]
    library: str | None = None
    """Of the extra ``evals``; missed before a run costs anything, and not at its first score."""

    @property
    def description(self) -> str:
        return (self.kind.__doc__ or "").strip().splitlines()[0]

    @property
    def needs(self) -> tuple[str, ...]:
        """Which of `Tools` it cannot do without."""
        names = [each.name for each in dataclasses.fields(self.kind) if each.default is dataclasses.MISSING]
        return tuple(_TOOLS[name] for name in names if name in _TOOLS)


_TOOLS = {"judge": "judge", "embedder": "embedder", "members": "panel"}

SCORERS: Mapping[str, Entry] = {
    "exact": Entry("text", Exact),
    "contains": Entry("text", Contains),
    "regex": Entry("text", Regex, "regex"),
    "json_valid": Entry("text", JsonValid),
    "json_schema": Entry("text", JsonSchema),
    "numeric": Entry("text", Numeric),
    "edit_similarity": Entry("text", EditSimilarity, "rapidfuzz"),
    "bleu": Entry("text", Bleu, "sacrebleu"),
    "chrf": Entry("text", Chrf, "sacrebleu"),
    "rouge_l": Entry("text", RougeL, "rapidfuzz"),
    "latency": Entry("call", Latency),
    "ttft": Entry("call", TimeToFirstToken),
    "tokens": Entry("call", Tokens),
    "cost": Entry("call", Cost),
    "refusal": Entry("safety", Refusal),
    "toxicity": Entry("safety", Toxicity),
    "pii": Entry("safety", Pii),
    "tool_calls": Entry("tools", ToolCalls),
    "retrieval": Entry("retrieval", Retrieval, "numpy"),
    "id_context_precision": Entry("retrieval", IdContextPrecision),
    "id_context_recall": Entry("retrieval", IdContextRecall),
    "text_context_precision": Entry("rag", TextContextPrecision, "rapidfuzz"),
    "text_context_recall": Entry("rag", TextContextRecall, "rapidfuzz"),
    "faithfulness": Entry("rag", Faithfulness),
    "hallucination": Entry("rag", Hallucination),
    "answer_relevancy": Entry("rag", AnswerRelevancy),
    "context_precision": Entry("rag", ContextPrecision),
    "context_recall": Entry("rag", ContextRecall),
    "citations": Entry("rag", Citations),
    "rubric": Entry("judge", Rubric),
    "correctness": Entry("judge", Correctness),
    "pairwise": Entry("judge", Pairwise),
    "panel": Entry("judge", Panel),
}


class Calibrations(Protocol):
    """Where calibrations are kept (`CalibrationFile`)."""

    def of(self, scorer_version: str, /) -> Calibration | None: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tools:
    """What scorers are handed. ``panel``: the judges of a panel, each another model."""

    judge: Judge | None = None
    panel: Sequence[Judge] = ()
    embedder: Embedder | None = None
    calibrations: Calibrations | None = None


class Setting(NamedTuple):
    """A field of a scorer that a file may set."""

    name: str
    kind: Any
    """Its type, with bounds and description."""
    default: Any
    """`dataclasses.MISSING`: it has to be told."""

    @property
    def description(self) -> str:
        metas = [each for each in get_args(self.kind) if isinstance(each, msgspec.Meta)]
        return next((each.description for each in metas if each.description), "")

    @property
    def plain_kind(self) -> Any:
        return get_args(self.kind)[0] if get_origin(self.kind) is Annotated else self.kind


def entry_of(name: str) -> Entry:
    """`ConfigError` names the nearest one where there is none of this name."""
    entry = SCORERS.get(name)
    if entry is None:
        raise ConfigError([f"{name!r}: {_nearest(name, SCORERS)}"], source="scorers")
    return entry


def build(name: str, settings: Mapping[str, Any] | None = None, tools: Tools | None = None) -> Scorer:
    """The scorer of this name. `ConfigError` says all that is wrong: an unknown name or setting with the nearest one
    that there is, a value that will not do, a judge that is missing."""
    tools, source = tools or Tools(), f"scorer {name!r}"
    entry = entry_of(name)
    if entry.library is not None and find_spec(entry.library) is None:
        raise ConfigError([f"{entry.library} is not installed; pip install 'llmops-lab[evals]'"], source=source)
    if entry.kind is Panel:
        return _panel(dict(settings or {}), tools, source)
    given = _read(entry.kind, settings or {}, source)
    for need in entry.needs:
        tool = getattr(tools, need)
        if tool is None:
            raise ConfigError([f"{need}: none; this scorer asks one, name it in the run's settings"], source=source)
        given[need] = tool
    return _calibrated(_made(entry.kind, given, source), tools)


def _panel(settings: dict[str, Any], tools: Tools, source: str) -> Scorer:
    """``scorer`` and ``settings`` say what each of the judges does; the rest is the panel's own."""
    inner, own = settings.pop("scorer", "rubric"), settings.pop("settings", {})
    if inner == "panel" or not isinstance(inner, str) or not isinstance(own, Mapping):
        raise ConfigError([f"scorer: {inner!r}: the name of a scorer that asks one judge"], source=source)
    given = _read(Panel, settings, source)
    if len(tools.panel) < 2:
        raise ConfigError([f"panel: {len(tools.panel)!r} judges; at least two are needed"], source=source)
    members = [build(inner, own, dataclasses.replace(tools, judge=judge)) for judge in tools.panel]
    if not isinstance(members[0], Judged):
        raise ConfigError([f"scorer: {inner!r}: asks no judge, so that there is nothing to vote on"], source=source)
    return _calibrated(_made(Panel, {**given, "members": tuple(members)}, source), tools)


def _read(kind: type[Any], settings: Mapping[str, Any], source: str) -> dict[str, Any]:
    known = {each.name: each for each in settings_of(kind)}
    problems = [f"{name}: {_nearest(str(name), known)}" for name in settings if name not in known]
    read: dict[str, Any] = {}
    for name, setting in known.items():
        if name not in settings:
            if setting.default is dataclasses.MISSING:
                problems.append(f"{name}: missing: {setting.description}")
            continue
        try:
            read[name] = msgspec.convert(settings[name], setting.kind, strict=False)
        except msgspec.ValidationError as exc:
            problems.append(f"{name}: {settings[name]!r:.100}: {exc}")
    if problems:
        raise ConfigError(problems, source=source)
    return read


def _made(kind: type[Any], given: dict[str, Any], source: str) -> Scorer:
    try:
        return cast(Scorer, kind(**given))
    except ValueError as exc:
        raise ConfigError([str(exc)], source=source) from exc


def _calibrated(scorer: Scorer, tools: Tools) -> Scorer:
    known = tools.calibrations.of(version_of(scorer)) if tools.calibrations is not None else None
    if known is None or not isinstance(scorer, Judged | Panel):
        return scorer
    return dataclasses.replace(scorer, calibration=known)


def settings_of(kind: type[Any]) -> tuple[Setting, ...]:
    """What a file may set of this scorer."""
    return tuple(_settings(kind))


def _settings(kind: type[Any]) -> Iterator[Setting]:
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        if not field.metadata.get("handed_in"):
            default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
            yield Setting(field.name, hints[field.name], default)


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {_listed(known)}"
    return f"there is no such thing; {hint}"


def _listed(known: Mapping[str, Any]) -> str:
    return ", ".join(known)
