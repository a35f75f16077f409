"""What a gate decided, whole: the verdict, the numbers behind it, and everything that they depend on."""

import secrets
import time

import msgspec

from ...statistics.verdict import Verdict
from .must_pass import MustPassCase
from .verdict import Judged


class ArmFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One arm in a report."""

    run_id: str
    subject: dict[str, str]
    cells: int = 0
    failed: int = 0
    cost_nanousd: int | None = None
    content: str | None = None
    """The hash of its figures."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One of the gate's looks at the arms."""

    cases: int
    cells: int
    verdict: Verdict
    reason: str
    levels: dict[str, float] = {}


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """``problems`` are why it is an ERROR where the arms could not even be compared."""

    id: str
    gate: str
    verdict: Verdict
    reason: str
    at_ms: int
    tenant: str = "default"
    policy: str
    """`Policy.digest`."""
    dataset: str
    dataset_version: str
    cases: int
    baseline: ArmFacts | None = None
    candidate: ArmFacts | None = None
    baseline_name: str | None = None
    metrics: list[Judged] = []
    slices: list[Judged] = []
    must_pass: list[MustPassCase] = []
    looks: list[Look] = []
    problems: list[str] = []
    warnings: list[str] = []
    code_revision: str | None = None
    uses: int | None = None
    """How many decisions this dataset version has made, this one included."""
    seed: int = 0

    @property
    def exit_code(self) -> int:
        return self.verdict.exit_code

    @property
    def quarantined(self) -> int:
        return sum(each.state == "quarantined" for each in self.must_pass)


def new_gate_id(now_s: float) -> str:
    """Sorted by time."""
    return f"gate-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now_s))}-{secrets.token_hex(3)}"
