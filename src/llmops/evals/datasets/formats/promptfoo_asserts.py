"""promptfoo's assertions as our scorers: which of them there is a scorer for, with which settings.

What none of ours does (code in JavaScript or Python, webhooks, thresholds of a kind that we do not have) stays in the
case's metadata as it was written, is not judged, and is in the report. No code of a configuration is ever run.
"""

from typing import Any

import msgspec


class Mapped(msgspec.Struct, frozen=True):
    """A scorer by its name in the registry; ``reference`` is what the case's reference has to be for it."""

    scorer: str
    settings: dict[str, Any] = {}
    reference: Any = None


class Unmapped(msgspec.Struct, frozen=True):
    why: str


_JUDGES = {
    "llm-rubric": "rubric",
    "g-eval": "rubric",
    "factuality": "correctness",
    "model-graded-factuality": "correctness",
    "model-graded-closedqa": "correctness",
    "answer-relevance": "answer_relevancy",
    "context-faithfulness": "faithfulness",
    "context-recall": "context_recall",
    "context-relevance": "context_precision",
}
_CODE = ("javascript", "python", "ruby", "webhook")


def mapped(assertion: dict[str, Any]) -> Mapped | Unmapped:
    """Our scorer for an assertion, or why there is none."""
    kind, value, threshold = assertion.get("type"), assertion.get("value"), assertion.get("threshold")
    if not isinstance(kind, str):
        return Unmapped(f"{kind!r} is no type of assertion")
    if kind in _CODE or (isinstance(value, str) and value.startswith("file://")):
        return Unmapped(f"{kind} is code or a file, which is not run here")
    if "transform" in assertion:
        return Unmapped(f"{kind} with a transform is code, which is not run here")
    if kind in _JUDGES:
        return _judge(kind, value)
    return _plain(kind, value, threshold)


def _plain(kind: str, value: Any, threshold: Any) -> Mapped | Unmapped:
    texts = [str(each) for each in value] if isinstance(value, list) else [str(value)]
    bound = {} if threshold is None else {"threshold": threshold}
    contains: dict[str, dict[str, Any]] = {
        "contains": {"mode": "any", "ignore_case": False},
        "contains-any": {"mode": "any", "ignore_case": False},
        "contains-all": {"mode": "all", "ignore_case": False},
        "not-contains": {"mode": "none", "ignore_case": False},
        "not-contains-any": {"mode": "none", "ignore_case": False},
    }
    contains |= {name.replace("contains", "icontains"): {**how, "ignore_case": True} for name, how in contains.items()}
    if kind in contains:
        return Mapped("contains", {**contains[kind], "texts": texts})
    match kind:
        case "equals":
            return Mapped("exact", {}, value)
        case "regex":
            return Mapped("regex", {"pattern": str(value)})
        case "starts-with":
            return Mapped("regex", {"pattern": rf"\A{_escaped(str(value))}"})
        case "is-json" if isinstance(value, dict):
            return Mapped("json_schema", {"schema": value})
        case "is-json" if value is None:
            return Mapped("json_valid", {})
        case "rouge-n" if isinstance(value, str):
            return Unmapped("rouge-n counts pairs of words; ours is ROUGE-L")
        case "rouge-l":
            return Mapped("rouge_l", bound, value)
        case "bleu":
            return Mapped("bleu", bound, value)
        case "latency":
            return Mapped("latency", {"limit_ms": threshold} if threshold is not None else {})
        case "cost":
            return Mapped("cost", {"limit_usd": threshold} if threshold is not None else {})
        case "is-refusal":
            return Mapped("refusal", {})
    return Unmapped(f"there is no scorer for {kind}")


def _judge(kind: str, value: Any) -> Mapped:
    scorer = _JUDGES[kind]
    if scorer == "rubric":
        return Mapped(scorer, {"criterion": value})
    return Mapped(scorer, {}, value if scorer in ("correctness", "context_recall") else None)


def _escaped(text: str) -> str:
    import re

    return re.escape(text)
