"""What the help desk has examined before the hour begins: two gates with their runs, decided by the gate itself.

The answers are recorded ones, so nothing is called and it takes a second or two. The first change was let through, the
second would have made the bot worse. Nothing here needs a gateway.
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import workshop_texts as texts
from .workshop import DATASET, TENANT

if TYPE_CHECKING:
    from ..settings import Settings

_SKILLS = {"support@11": 0.80, "support@12": 0.92, "support@13": 0.62}
_GATES = (("ask-for-the-number", "support@11", "support@12"), ("one-sentence", "support@12", "support@13"))


def examine(settings: "Settings", folder: Path) -> None:
    """Decide both gates; runs and decisions are kept in the settings' database and in ``folder``."""
    from ..assembly.gate import run_gate
    from ..evals.gate.policy import read_policy

    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{DATASET}.jsonl").write_text(_lines(texts.CASES), encoding="utf-8")
    for version, skill in _SKILLS.items():
        answers = [{"id": case["id"], "output": _output(case, skill)} for case in texts.CASES]
        (folder / f"{_file(version)}.jsonl").write_text(_lines(answers), encoding="utf-8")
    for name, baseline, candidate in _GATES:
        file = folder / f"{name}.yaml"
        file.write_text(json.dumps(_policy(name, baseline, candidate)), encoding="utf-8")  # JSON is YAML
        asyncio.run(run_gate(read_policy(file), settings, folder, f"gate-{name}"))


def _policy(name: str, baseline: str, candidate: str) -> dict[str, Any]:
    return {
        "name": name,
        "tenant": TENANT,
        "dataset": f"{DATASET}.jsonl",
        "subjects": {
            "baseline": {"replay": f"{_file(baseline)}.jsonl"},
            "candidate": {"replay": f"{_file(candidate)}.jsonl"},
        },
        "scorers": ["exact", "latency"],
        "metrics": {"exact": {"margin": 0.08, "tier": "critical"}, "latency_ms": {"margin": 0.3, "tier": "guard"}},
        "slices": {"by": ["topic"]},
    }


def _output(case: Mapping[str, Any], skill: float) -> dict[str, Any]:
    text = texts.answer_of(dict(case), skill)
    return {"text": text, "latency_ms": 300.0 + sum(map(ord, str(case["id"]))) % 700, "tokens_in": 60,
            "tokens_out": len(text) // 4}  # fmt: skip


def _file(version: str) -> str:
    return version.replace("@", "-")


def _lines(values: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)
