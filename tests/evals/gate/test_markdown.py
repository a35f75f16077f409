"""Reports: what a person reads, and nothing that a name in them could do."""

import re
from pathlib import Path

import msgspec

from llmops.evals.gate.markdown import rendered

from .arms import alternating, arm, dataset, decided, policy

GOLDEN = Path(__file__).with_name("report.md")


def test_the_report_is_the_golden_one() -> None:
    cases = dataset(400, lambda number: {"metadata": {"topic": "a" if number % 2 else "b"}, "must_pass": number == 1})
    base = arm(cases, alternating(10), repeats=8)
    cand = arm(cases, alternating(8), name="cand", repeats=8)
    rules = policy(slices={"by": ["topic"]}, must_pass={"metric": "exact"})
    decision = msgspec.structs.replace(decided(rules, cases, base, cand), uses=3, policy="0123456789abcdef")
    assert rendered(decision) == GOLDEN.read_text()


def test_names_are_shown_as_text() -> None:
    nasty = "<script>|`[x](http://evil)\u202e\n# !"
    cases = dataset(40, lambda number: {"metadata": {"topic": nasty if number % 2 else "b"}, "must_pass": number == 1})
    base, cand = (
        arm(cases, lambda *_: 1.0, name=name, run_id=name, subject={"model": nasty}) for name in ("base", "cand")
    )
    text = rendered(decided(policy(slices={"by": ["topic"]}, name="g"), cases, base, cand))
    assert "<script>" not in text and "\u202e" not in text
    assert "](http" not in re.sub("`[^`]*`", "", text), "outside of code no link is left"
    assert all(line.count("|") in (0, 12) for line in text.splitlines())
    huge = rendered(decided(policy(), cases, base, arm(cases, lambda *_: "x" * 10**6, name="c")))
    assert len(huge) < 60_000
