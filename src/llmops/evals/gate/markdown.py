"""A decision in Markdown: the summary of a CI job, the comment on a pull request, a file.

Names of metrics, slices and cases may be anybody's: they stand in code, with whatever could end it or turn the writing
direction taken out.
"""

import re

from .decision import ArmFacts, Decision, Look
from .must_pass import MustPassCase
from .verdict import Judged

_HOSTILE = re.compile("[`|<>\\x00-\\x1f\\x7f-\\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_MOST_CHARS = 200
_MOST_ROWS = 40
_MARKS = {"PASS": "🟢", "BLOCK": "🔴", "INCONCLUSIVE": "🟡", "ERROR": "⚫"}


def rendered(decision: Decision) -> str:
    """The whole report, under 60,000 characters."""
    verdict = decision.verdict.value
    parts = [
        f"## {_MARKS[verdict]} {verdict}: gate {_code(decision.gate)}",
        _text(decision.reason) if decision.reason else "",
        _facts(decision),
        _problems(decision.problems),
        _metrics("Metrics", decision.metrics),
        _metrics("Slices", [each for each in decision.slices if each.counts]),
        _must_pass(decision.must_pass),
        _looks(decision.looks),
        "\n".join(f"> ⚠️ {_text(each)}" for each in decision.warnings[:_MOST_ROWS]),
        f"<sub>{_code(decision.id)}, policy {_code(decision.policy)}, seed {decision.seed}</sub>",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(decision: Decision) -> str:
    lines = [f"- dataset {_code(decision.dataset)} ({_code(decision.dataset_version)}), {decision.cases:,} cases"]
    if decision.uses is not None:
        lines[0] += f", decision number {decision.uses:,} with this version"
    for name, arm in (("baseline", decision.baseline), ("candidate", decision.candidate)):
        if arm is not None:
            lines.append(f"- {name}: {_arm(arm)}")
    if decision.baseline_name is not None:
        lines.append(f"- defends the promoted baseline {_code(decision.baseline_name)}")
    if decision.quarantined:
        lines.append(f"- in quarantine: {decision.quarantined:,} must-pass cases")
    if decision.code_revision is not None:
        lines.append(f"- commit {_code(decision.code_revision)}")
    return "\n".join(lines)


def _arm(arm: ArmFacts) -> str:
    subject = ", ".join(f"{name} {value}" for name, value in arm.subject.items())
    cost = f", {arm.cost_nanousd / 1e9:,.4f} USD" if arm.cost_nanousd is not None else ""
    return f"{_code(subject)}, run {_code(arm.run_id)}, {arm.cells:,} cells, {arm.failed:,} without an answer{cost}"


def _problems(problems: list[str]) -> str:
    return "\n".join(f"- ⚫ {_text(each)}" for each in problems[:_MOST_ROWS])


def _metrics(title: str, judged: list[Judged]) -> str:
    if not judged:
        return ""
    lines = [
        f"### {title}",
        "",
        "| metric | tier | verdict | baseline | candidate | gain | bounds | margin | p (worse) | cases | why |",
        "|---|---|---|---:|---:|---:|---|---:|---:|---:|---|",
    ]
    for each in judged[:_MOST_ROWS]:
        found = each.finding
        name = _code(each.metric) + (f" {_code(each.slice)}" if each.slice is not None else "")
        bounds = f"[{number(found.lower)}, {number(found.upper)}]"
        means = f"{number(each.baseline_mean)} | {number(each.candidate_mean)}"
        lines.append(
            f"| {name} | {each.tier} | {_MARKS[found.verdict]} {found.verdict.value} | {means} | "
            f"{number(found.estimate)} | {bounds} | {number(found.margin)} | {number(found.p_value)} | {found.n:,} | "
            f"{_text(found.reason)} |"
        )
    if len(judged) > _MOST_ROWS:
        lines += ["", f"and {len(judged) - _MOST_ROWS} more"]
    return "\n".join(lines)


def _must_pass(cases: list[MustPassCase]) -> str:
    if not cases:
        return ""
    counts: dict[str, int] = {}
    for each in cases:
        counts[each.state] = counts.get(each.state, 0) + 1
    told = ", ".join(f"{count:,} {state}" for state, count in counts.items())
    lines = ["### Must-pass cases", "", told]
    shown = [each for each in cases if each.state != "kept"][:_MOST_ROWS]
    if shown:
        lines += ["", "| case | state | why |", "|---|---|---|"]
        lines += [f"| {_code(each.case_id)} | {each.state} | {_text(each.reason)} |" for each in shown]
    return "\n".join(lines)


def _looks(looks: list[Look]) -> str:
    if len(looks) < 2:
        return ""
    lines = ["### Looks", "", "| look | cases | cells | verdict |", "|---:|---:|---:|---|"]
    lines += [
        f"| {place} | {each.cases:,} | {each.cells:,} | {each.verdict.value} |" for place, each in enumerate(looks, 1)
    ]
    return "\n".join(lines)


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.4g}"


def _cleaned(text: str) -> str:
    cleaned = _HOSTILE.sub("\N{REPLACEMENT CHARACTER}", text)
    return cleaned if len(cleaned) <= _MOST_CHARS else cleaned[: _MOST_CHARS - 1] + "…"


def _code(text: str) -> str:
    return f"`{_cleaned(text) or ' '}`"


def _text(text: str) -> str:
    """Words of ours that may hold names: no markup survives."""
    cleaned = _HOSTILE.sub("\N{REPLACEMENT CHARACTER}", text)[: 3 * _MOST_CHARS]
    return re.sub(r"([\\*_\[\]#!~@&])", r"\\\1", cleaned)
